"""Order must not matter: however a call's events are permuted, and wherever a worker is between them, inbox and badge
end the same, and no phone shows as missed what was not.

Held fixed, because the outcome then rightly depends on the order: presence, settings and devices between the events;
`via` (a fact that comes late comes too late for the missed call's own decision); one mailbox event, with a time (of
two counts of one moment, and of events without a time, the last received holds); phones that take missed calls and
voicemails both. "Call answered" counts as showing nothing: it is there only where the missed call was.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.decision import Facts
from gateway.domain.event import Disposition, EventKind, PbxEvent
from gateway.domain.extension import InboxKind
from gateway.domain.push import PushKind, derive_collapse_id
from gateway.domain.tenant_policy import MissedWithVoicemail, TenantPolicy
from gateway.policy import badge as badges
from tests.support.facts import CALL_ID, EXTENSION, NOW, TENANT, an_event, facts
from tests.support.one_call import OneCall, Phone, Result
from tests.support.policy_law import MISSED_ENDINGS

MISSED_KINDS = [None, *(Disposition(ending) for ending in MISSED_ENDINGS)]
VOICEMAIL_AT = NOW - 60_000
ABOUT_CALL = derive_collapse_id(TENANT, EXTENSION, f"call:{CALL_ID}")


@dataclass(frozen=True)
class Story:
    """Events of one call in their order of arrival, and what happens to its pushes in between."""

    presence: Facts
    events: tuple[PbxEvent, ...]
    moments: tuple[tuple[tuple[int, Result], ...], ...]
    """After each event: pushes that are taken (odd) or finished (even), by position."""


def _missed(draw: st.DrawFn) -> PbxEvent:
    return an_event(
        EventKind.CALL_MISSED,
        occurred_at=NOW - 90_000,
        disposition=draw(st.sampled_from([*MISSED_KINDS, *Disposition])),
        answered_by=draw(st.sampled_from([None, None, "1002"])),
    )


def _answered(draw: st.DrawFn) -> PbxEvent:
    return an_event(
        EventKind.CALL_ANSWERED,
        occurred_at=NOW - 95_000,
        answered_by=draw(st.sampled_from([None, EXTENSION, "1002"])),
    )


def _ended(draw: st.DrawFn) -> PbxEvent:
    disposition = draw(st.none() | st.sampled_from(Disposition))
    return an_event(EventKind.CALL_ENDED, occurred_at=NOW - 90_000, disposition=disposition)


def _voicemail(_draw: st.DrawFn) -> PbxEvent:
    return an_event(EventKind.VOICEMAIL_NEW, occurred_at=VOICEMAIL_AT)


def _mailbox(draw: st.DrawFn) -> PbxEvent:
    at = VOICEMAIL_AT + draw(st.sampled_from([-10_000, 0, 10_000]))
    return an_event(EventKind.VOICEMAIL_MAILBOX, occurred_at=at, mailbox_new=draw(st.integers(0, 3)))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any order of any of a call's events, with any progress of its pushes in between."""
    makers = draw(st.permutations([_missed, _answered, _ended, _ended, _voicemail, _mailbox]))
    events = tuple(make(draw) for make in makers[: draw(st.integers(1, len(makers)))])
    step = st.tuples(st.integers(0, 9), st.sampled_from([Result.ACCEPTED, *Result]))
    presence = facts(
        status=draw(st.sampled_from(["available", "away", "do_not_disturb"])),
        accept_push=draw(st.sampled_from([True, True, True, False])),
        policy=TenantPolicy(missed_with_voicemail=draw(st.sampled_from(MissedWithVoicemail))),
    )
    moments = tuple(tuple(draw(st.lists(step, max_size=6))) for _ in events)
    return Story(presence=presence, events=events, moments=moments)


def _played(story: Story) -> OneCall:
    world = OneCall(template=story.presence)
    for number, (event, steps) in enumerate(zip(story.events, story.moments, strict=True)):
        world.arrive(event, event_id=f"01J{number}", now=NOW + number * 1000)
        for position, result in steps:
            if position % 2 and world.waiting:
                world.take(position // 2)
            elif world.in_flight:
                world.finish(position // 2, result)
    world.drain()
    return world


def _denies(event: PbxEvent) -> bool:
    by_somebody = event.kind is EventKind.CALL_ANSWERED or event.outcome.answered_by is not None
    return by_somebody or event.outcome.disposition in ("answered", "answered_elsewhere", "forwarded")


def _was_missed(story: Story) -> bool:
    told = any(event.counts_as_missed for event in story.events)
    only_voicemail = story.presence.policy.missed_with_voicemail is MissedWithVoicemail.VOICEMAIL_ONLY
    replaced = only_voicemail and _left_a_message(story)
    return told and not replaced and not any(_denies(event) for event in story.events)


def _left_a_message(story: Story) -> bool:
    return any(event.kind is EventKind.VOICEMAIL_NEW for event in story.events)


def _expected_badge(story: Story) -> int:
    count = int(_was_missed(story))
    mailbox = next((event for event in story.events if event.mailbox is not None), None)
    if mailbox is None or mailbox.mailbox is None or mailbox.occurred_at is None:
        return count + _left_a_message(story)
    return count + mailbox.mailbox.new + (_left_a_message(story) and mailbox.occurred_at < VOICEMAIL_AT)


def _expected_notifications(story: Story) -> set[PushKind]:
    if not story.presence.settings.accept_push_notifications:
        return set()
    shown = {PushKind.CALL_MISSED} if _was_missed(story) else set()
    return shown | ({PushKind.VOICEMAIL_NEW} if _left_a_message(story) else set())


def _shown(world: OneCall, device_id: str) -> list[PushKind]:
    phone = world.phones.get(device_id, Phone())
    return [kind for kind in phone.shown.values() if kind is not PushKind.CALL_WITHDRAWN]


@given(stories())
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_order_ends_in_the_same_inbox_badge_and_notifications(story: Story) -> None:
    world = _played(story)
    kinds = sorted(item.kind for item in world.inbox.values())
    expected = [InboxKind.CALL_MISSED] * _was_missed(story) + [InboxKind.VOICEMAIL_NEW] * _left_a_message(story)
    assert kinds == expected
    assert badges.badge(world.unread) == _expected_badge(story)
    for device in story.presence.devices:
        shown = _shown(world, device.device_id)
        assert len(set(shown)) == len(shown)
        assert set(shown) == _expected_notifications(story)


@given(stories())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_phone_that_is_told_at_once_shows_the_badge(story: Story) -> None:
    world = OneCall(template=story.presence)
    for number, event in enumerate(story.events):
        world.arrive(event, event_id=f"01J{number}", now=NOW + number * 1000)
        world.drain()
    expected = _expected_badge(story) if story.presence.settings.accept_push_notifications else 0
    for device in story.presence.devices:
        assert world.phones.get(device.device_id, Phone()).badge == expected


@given(stories())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_taken_out_of_the_badge_twice(story: Story) -> None:
    world = _played(story)
    again = OneCall(template=story.presence)
    for number, event in enumerate(reversed(story.events)):
        again.arrive(event, event_id=f"01J{number}", now=NOW + number * 1000)
    assert badges.badge(world.unread) == badges.badge(again.unread)
    assert all(badges.badge(one.unread) >= 0 for one in (world, again))
