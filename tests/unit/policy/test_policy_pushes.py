"""What a planned push carries: deadline, collapse id, badge, quiet or not."""

import pytest

from gateway.domain.decision import Facts
from gateway.domain.event import EventKind
from gateway.domain.push import Lane, Push, PushKind
from gateway.domain.tenant_policy import MissedWithVoicemail, TenantPolicy
from gateway.policy.decide import decide
from gateway.policy.pushes import badge_push, planned_pushes
from tests.support.facts import NOW, an_event, facts

INCOMING = EventKind.CALL_INCOMING
VOICEMAIL = EventKind.VOICEMAIL_NEW
BOTH = TenantPolicy(missed_with_voicemail=MissedWithVoicemail.BOTH)


def _push(case: Facts) -> Push:
    return planned_pushes(case, decide(case), badge=7)[0]


@pytest.mark.parametrize(
    ("case", "deadline"),
    [
        (facts(age=1_000), NOW - 1_000 + 43_200_000),
        (facts(kind=VOICEMAIL, age=1_000), NOW - 1_000 + 259_200_000),
        (facts(kind=INCOMING, age=1_000), NOW - 1_000 + 30_000),
        (facts(kind=INCOMING, age=1_000, ring_timeout=300), NOW - 1_000 + 45_000),
        (facts(kind=EventKind.VOICEMAIL_MAILBOX, age=1_000), NOW + 3_600_000),
        (facts(policy=TenantPolicy(max_age_seconds={EventKind.CALL_MISSED: 60})), NOW + 60_000),
        (facts(age=-5_000), NOW + 43_200_000),
    ],
    ids=["missed", "voicemail", "ring timeout", "incoming age", "badge", "tenant's age", "from the future"],
)
def test_the_deadline_is_the_event_time_and_the_age_of_its_kind(case: Facts, deadline: int) -> None:
    assert _push(case).deadline == deadline


@pytest.mark.parametrize(
    ("status", "quiet_statuses", "quiet"),
    [
        ("do_not_disturb", ("do_not_disturb",), True),
        ("away", ("do_not_disturb",), False),
        ("off_work", ("off_work",), True),
        ("do_not_disturb", (), False),
    ],
)
def test_a_push_is_quiet_in_the_statuses_that_the_tenant_names(
    status: str, quiet_statuses: tuple[str, ...], quiet: bool
) -> None:
    assert _push(facts(status=status, policy=TenantPolicy(quiet_statuses=quiet_statuses))).quiet is quiet


def test_ringing_carries_no_badge() -> None:
    assert _push(facts(kind=INCOMING)).badge is None
    assert _push(facts()).badge == 7


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (facts(), facts(kind=INCOMING), True),
        (facts(), facts(kind=VOICEMAIL), True),
        (facts(), facts(kind=VOICEMAIL, policy=BOTH), False),
        (facts(), facts(an_event(call_id="another")), False),
        (facts(an_event(VOICEMAIL)), facts(an_event(VOICEMAIL, call_id=None)), False),
        (facts(an_event(VOICEMAIL, call_id=None)), facts(an_event(VOICEMAIL, call_id=None)), True),
        (facts(an_event(VOICEMAIL), policy=BOTH), facts(an_event(VOICEMAIL, message_id="2"), policy=BOTH), False),
        (facts(an_event(VOICEMAIL, message_id=None), policy=BOTH), facts(an_event(VOICEMAIL), policy=BOTH), False),
        (facts(an_event(), event_id="1"), facts(an_event(), event_id="2"), True),
    ],
    ids=[
        "the same call rings and is missed",
        "the voicemail stands for the missed call",
        "both stand",
        "another call",
        "a message with and without a call",
        "the same message",
        "another message",
        "a message without an id",
        "another event of the same call",
    ],
)
def test_what_is_about_the_same_thing_replaces_itself_on_the_phone(one: Facts, other: Facts, same: bool) -> None:
    assert (_push(one).collapse_id == _push(other).collapse_id) is same


def test_a_repeat_of_an_event_has_the_same_push_ids_and_each_device_its_own() -> None:
    first, again = (planned_pushes(case, decide(case), 1) for case in (facts(), facts()))
    assert [push.push_id for push in first] == [push.push_id for push in again]
    assert len({push.push_id for push in first}) == 2


def test_a_badge_push_says_a_number_for_an_hour() -> None:
    push = badge_push(event_id="e", tenant="acme", extension="1001", device_id="d", badge=0, now=NOW)
    assert (push.kind, push.lane, push.badge, push.deadline) == (PushKind.BADGE, Lane.BADGE, 0, NOW + 3_600_000)
