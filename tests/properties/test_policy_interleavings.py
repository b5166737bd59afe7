"""Every interleaving, not a sample: of one phone's pushes, taken and finished at any moment, with the events that make
them untrue. Each attempt is accepted, or (twice a story) put off, or gets no answer although the phone has it."""

from collections.abc import Iterator
from itertools import permutations

import pytest

from gateway.domain.event import EventKind, PbxEvent
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import MissedWithVoicemail, TenantPolicy
from tests.support.facts import IPHONE, NOW, an_event, facts
from tests.support.one_call import OneCall, Phone, Result

EVENTS = {
    "missed": an_event(EventKind.CALL_MISSED, occurred_at=NOW - 90_000),
    "answered": an_event(EventKind.CALL_ANSWERED, occurred_at=NOW - 95_000),
    "elsewhere": an_event(EventKind.CALL_ANSWERED, occurred_at=NOW - 95_000, answered_by="1002"),
    "voicemail": an_event(EventKind.VOICEMAIL_NEW, occurred_at=NOW - 60_000),
}
ORDERS = [
    order
    for names in (("missed", "voicemail"), ("missed", "answered"), ("missed", "elsewhere", "voicemail"))
    for order in permutations(names)
]


def _next(world: OneCall, events: tuple[PbxEvent, ...], troubles: int) -> Iterator[tuple[OneCall, int, int]]:
    """Every situation that may follow, with the events and the failures that are left."""
    if events:
        step = world.copy()
        step.arrive(events[0], event_id=f"01J{len(events)}", now=NOW)
        yield step, len(events) - 1, troubles
    for position in range(len(world.waiting)):
        step = world.copy()
        step.take(position)
        yield step, len(events), troubles
    for position in range(len(world.in_flight)):
        step = world.copy()
        step.finish(position, Result.ACCEPTED)
        yield step, len(events), troubles
        for result in (Result.UNKNOWN_SHOWN, Result.TRY_LATER) if troubles else ():
            step = world.copy()
            step.finish(position, result)
            yield step, len(events), troubles - 1


def _ends(start: OneCall, events: tuple[PbxEvent, ...]) -> Iterator[OneCall]:
    """Every situation in which nothing is left to happen."""
    seen: set[tuple[object, ...]] = set()
    open_ends = [(start, len(events), 2)]
    while open_ends:
        world, left, troubles = open_ends.pop()
        key = (world.situation(), left, troubles)
        if key in seen:
            continue
        seen.add(key)
        following = list(_next(world, events[len(events) - left :], troubles))
        open_ends += following
        if not following:
            yield world


@pytest.mark.parametrize("both", [MissedWithVoicemail.VOICEMAIL_ONLY, MissedWithVoicemail.BOTH])
@pytest.mark.parametrize("order", ORDERS, ids=" then ".join)
def test_no_interleaving_leaves_a_phone_with_a_wrong_notification(
    order: tuple[str, ...], both: MissedWithVoicemail
) -> None:
    policy = TenantPolicy(missed_with_voicemail=both)
    start = OneCall(template=facts(devices=(IPHONE,), policy=policy))
    expected = {PushKind.VOICEMAIL_NEW} if "voicemail" in order else set()
    if both is MissedWithVoicemail.BOTH and not {"answered", "elsewhere"} & set(order):
        expected |= {PushKind.CALL_MISSED}
    ends = 0
    for world in _ends(start, tuple(EVENTS[name] for name in order)):
        phone = world.phones.get(IPHONE.device_id, Phone())
        assert {kind for kind in phone.shown.values() if kind is not PushKind.CALL_WITHDRAWN} == expected
        ends += 1
    assert ends
