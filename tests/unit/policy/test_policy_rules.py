"""One row a sentence: what each rule decides, and when it is silent."""

from functools import partial

import pytest

from gateway.domain.decision import Action, Facts, Reason, Verdict
from gateway.domain.device import DeviceState, Provider
from gateway.domain.event import Direction, Disposition, EventKind, Via
from gateway.domain.extension import CallState
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import MissedWithVoicemail, TenantPolicy
from gateway.policy.decide import decide
from gateway.policy.rules import RULES
from tests.support.facts import CALL_ID, MOBILE_SECONDLY, NO_MOBILE, NOW, a_device, an_event, facts

INCOMING = EventKind.CALL_INCOMING
MISSED = EventKind.CALL_MISSED
VOICEMAIL = EventKind.VOICEMAIL_NEW
MAILBOX = EventKind.VOICEMAIL_MAILBOX
FORWARD = (Action.FORWARD, Reason.ALLOWED)


_known = partial(CallState, call_id=CALL_ID)


def _suppressed(reason: Reason) -> tuple[Action, Reason]:
    return Action.SUPPRESS, reason


ROWS: dict[str, tuple[Facts, tuple[Action, Reason]]] = {
    "a missed call is told": (facts(), FORWARD),
    "a voicemail is told": (facts(kind=VOICEMAIL), FORWARD),
    "a call rings the phone": (facts(kind=INCOMING), FORWARD),
    "a new count of the mailbox is told": (facts(kind=MAILBOX), FORWARD),
    # 1
    "a missed call of twelve hours ago is told": (facts(age=43_200_000), FORWARD),
    "a missed call of more than twelve hours ago is expired": (facts(age=43_200_001), _suppressed(Reason.EXPIRED)),
    "a voicemail of three days ago is told": (facts(kind=VOICEMAIL, age=259_200_000), FORWARD),
    "an older voicemail is expired": (facts(kind=VOICEMAIL, age=259_200_001), _suppressed(Reason.EXPIRED)),
    "a call that began 46 s ago is expired": (
        facts(kind=INCOMING, age=45_001, ring_timeout=300),
        _suppressed(Reason.EXPIRED),
    ),
    "a call that began longer ago than the ring timeout is expired": (
        facts(kind=INCOMING, age=30_001),
        _suppressed(Reason.EXPIRED),
    ),
    "the tenant sets the age": (
        facts(age=60_001, policy=TenantPolicy(max_age_seconds={MISSED: 60})),
        _suppressed(Reason.EXPIRED),
    ),
    "a mailbox count has no age": (facts(kind=MAILBOX, age=10**10), FORWARD),
    "an event from the future happened now": (facts(kind=INCOMING, age=-86_400_000), FORWARD),
    "an event without a time happened now": (facts(an_event(occurred_at=None)), FORWARD),
    "expired comes before answered": (
        facts(age=10**9, disposition=Disposition.ANSWERED),
        _suppressed(Reason.EXPIRED),
    ),
    # 2
    "an answered call is not missed": (facts(disposition=Disposition.ANSWERED), _suppressed(Reason.ANSWERED)),
    "a call known to be answered here is not missed": (
        facts(call=_known(answered_here=True)),
        _suppressed(Reason.ANSWERED),
    ),
    "a call answered here does not ring": (
        facts(kind=INCOMING, call=_known(answered_here=True)),
        _suppressed(Reason.ANSWERED),
    ),
    "a voicemail of an answered call is told": (facts(kind=VOICEMAIL, call=_known(answered_here=True)), FORWARD),
    "answered by this extension is answered here": (
        facts(disposition=Disposition.ANSWERED, answered_by="1001"),
        _suppressed(Reason.ANSWERED),
    ),
    # 2a
    "a call that is over does not ring": (facts(kind=INCOMING, call=_known(ended=True)), _suppressed(Reason.ENDED)),
    "a call that is over can be missed": (facts(call=_known(ended=True)), FORWARD),
    # 3
    "a call that a colleague took is not missed": (
        facts(disposition=Disposition.ANSWERED_ELSEWHERE),
        _suppressed(Reason.ANSWERED_ELSEWHERE),
    ),
    "answered by another extension is answered elsewhere": (
        facts(disposition=Disposition.ANSWERED, answered_by="1002"),
        _suppressed(Reason.ANSWERED_ELSEWHERE),
    ),
    "a call known to be answered elsewhere does not ring": (
        facts(kind=INCOMING, call=_known(answered_elsewhere=True)),
        _suppressed(Reason.ANSWERED_ELSEWHERE),
    ),
    # 4
    "a forwarded call is not missed": (facts(disposition=Disposition.FORWARDED), _suppressed(Reason.FORWARDED)),
    "a call known to be forwarded is not missed": (facts(call=_known(forwarded=True)), _suppressed(Reason.FORWARDED)),
    "a status that always forwards never rang": (
        facts(status="away", always=[Direction.INBOUND]),
        _suppressed(Reason.FORWARDED),
    ),
    "internal forwarding does not touch a call from outside": (
        facts(status="away", always=[Direction.INTERNAL]),
        FORWARD,
    ),
    "internal forwarding takes a colleague's call": (
        facts(status="away", always=[Direction.INTERNAL], direction=Direction.INTERNAL),
        _suppressed(Reason.FORWARDED),
    ),
    "a status that always forwards rings for its queue": (
        facts(status="away", always=[Direction.INBOUND], via=Via.QUEUE),
        FORWARD,
    ),
    "the call's other events say that it came by a queue": (
        facts(status="away", always=[Direction.INBOUND], call=_known(via=Via.QUEUE)),
        FORWARD,
    ),
    "do not disturb forwards always too": (
        facts(status="do_not_disturb", always=[Direction.INBOUND]),
        _suppressed(Reason.FORWARDED),
    ),
    "a voicemail of a forwarded call is told": (facts(kind=VOICEMAIL, disposition=Disposition.FORWARDED), FORWARD),
    # 5
    "a voicemail stands for its missed call": (
        facts(call=_known(voicemail=True)),
        _suppressed(Reason.SUPERSEDED_BY_VOICEMAIL),
    ),
    "the disposition voicemail proves no message": (facts(disposition=Disposition.VOICEMAIL), FORWARD),
    "both are told where the tenant wants both": (
        facts(call=_known(voicemail=True), policy=TenantPolicy(missed_with_voicemail=MissedWithVoicemail.BOTH)),
        FORWARD,
    ),
    # 6
    "no missed call without accept push": (facts(accept_push=False), _suppressed(Reason.PUSH_DISABLED)),
    "no voicemail without accept push": (facts(kind=VOICEMAIL, accept_push=False), _suppressed(Reason.PUSH_DISABLED)),
    "no badge without accept push": (facts(kind=MAILBOX, accept_push=False), _suppressed(Reason.PUSH_DISABLED)),
    "ringing needs no accept push": (facts(kind=INCOMING, accept_push=False), FORWARD),
    "ringing needs accept push where the tenant says so": (
        facts(kind=INCOMING, accept_push=False, policy=TenantPolicy(wake_needs_accept_push=True)),
        _suppressed(Reason.PUSH_DISABLED),
    ),
    # 7
    "do not disturb does not ring": (
        facts(kind=INCOMING, status="do_not_disturb"),
        _suppressed(Reason.DO_NOT_DISTURB),
    ),
    "do not disturb does not even ring for a queue": (
        facts(kind=INCOMING, status="do_not_disturb", via=Via.QUEUE),
        _suppressed(Reason.DO_NOT_DISTURB),
    ),
    "do not disturb is told of a missed call": (facts(status="do_not_disturb"), FORWARD),
    # 8
    "a phone that does not ring is not told what it missed": (
        facts(ring=NO_MOBILE),
        _suppressed(Reason.MOBILE_NOT_IN_RING_STRATEGY),
    ),
    "a phone in no stage does not ring": (
        facts(kind=INCOMING, ring=NO_MOBILE),
        _suppressed(Reason.MOBILE_NOT_IN_RING_STRATEGY),
    ),
    "a ring group rings all endpoints": (facts(ring=NO_MOBILE, via=Via.RING_GROUP), FORWARD),
    "a queue rings all endpoints": (facts(kind=INCOMING, ring=NO_MOBILE, via=Via.QUEUE), FORWARD),
    "a voice menu does not": (facts(ring=NO_MOBILE, via=Via.IVR), _suppressed(Reason.MOBILE_NOT_IN_RING_STRATEGY)),
    "a voicemail needs no ring strategy": (facts(kind=VOICEMAIL, ring=NO_MOBILE), FORWARD),
    # 9
    "the second stage waits": (
        facts(kind=INCOMING, ring=MOBILE_SECONDLY),
        (Action.DEFER, Reason.RING_SECONDLY),
    ),
    "the second stage rings when it has begun": (facts(kind=INCOMING, ring=MOBILE_SECONDLY, ring_stage=2), FORWARD),
    "the first stage says nothing of the second": (
        facts(kind=INCOMING, ring=MOBILE_SECONDLY, ring_stage=1),
        (Action.DEFER, Reason.RING_SECONDLY),
    ),
    "a queue does not wait for the second stage": (
        facts(kind=INCOMING, ring=MOBILE_SECONDLY, via=Via.QUEUE),
        FORWARD,
    ),
    "a missed call does not wait for the second stage": (facts(ring=MOBILE_SECONDLY), FORWARD),
    "the second stage is asked before the devices": (
        facts(kind=INCOMING, ring=MOBILE_SECONDLY, devices=()),
        (Action.DEFER, Reason.RING_SECONDLY),
    ),
    # 10
    "nobody registered, nobody told": (facts(devices=()), _suppressed(Reason.NO_DEVICE)),
    "a muted phone is not told": (facts(devices=(a_device(muted=True),)), _suppressed(Reason.NO_DEVICE)),
    "a phone whose token was retired is not told": (
        facts(devices=(a_device(state=DeviceState.NEEDS_REREGISTER),)),
        _suppressed(Reason.NO_DEVICE),
    ),
    "a phone that does not want missed calls is not told": (
        facts(devices=(a_device(kinds=[PushKind.VOICEMAIL_NEW]),)),
        _suppressed(Reason.NO_DEVICE),
    ),
    "an iPhone without a VoIP token does not ring": (
        facts(kind=INCOMING, devices=(a_device(has_voip_token=False),)),
        _suppressed(Reason.NO_DEVICE),
    ),
    "an Android phone rings without one": (
        facts(kind=INCOMING, devices=(a_device(provider=Provider.FCM),)),
        FORWARD,
    ),
    "a device that only rings is told nothing else": (
        facts(devices=(a_device(rings_only=True),)),
        _suppressed(Reason.NO_DEVICE),
    ),
    "a device that only rings, rings": (facts(kind=INCOMING, devices=(a_device(rings_only=True),)), FORWARD),
    # endings
    "an ending of the missed kind is a missed call": (
        facts(kind=EventKind.CALL_ENDED, disposition=Disposition.BUSY),
        FORWARD,
    ),
    "an ending without a disposition only changes what is known": (
        facts(kind=EventKind.CALL_ENDED),
        (Action.NONE, Reason.STATE_CHANGED),
    ),
    "the same ending again changes nothing": (
        facts(kind=EventKind.CALL_ENDED, call=_known(ended=True)),
        (Action.NONE, Reason.STATE_UNCHANGED),
    ),
    "an answer only changes what is known": (
        facts(kind=EventKind.CALL_ANSWERED),
        (Action.NONE, Reason.STATE_CHANGED),
    ),
    "another status changes the presence": (
        facts(kind=EventKind.PRESENCE_CHANGED, presence="away"),
        (Action.NONE, Reason.STATE_CHANGED),
    ),
    "the same status changes nothing": (
        facts(kind=EventKind.PRESENCE_CHANGED, presence="away", status="away"),
        (Action.NONE, Reason.STATE_UNCHANGED),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_rule(row: str) -> None:
    case, expected = ROWS[row]
    decision = decide(case)
    assert (decision.action, decision.reason) == expected


def test_the_table_has_the_rules_of_the_policy_in_their_order() -> None:
    assert [rule.reason.value for rule in RULES] == [
        "expired",
        "answered",
        "ended",
        "answered_elsewhere",
        "forwarded",
        "superseded_by_voicemail",
        "push_disabled",
        "do_not_disturb",
        "mobile_not_in_ring_strategy",
        "ring_secondly",
        "no_device",
    ]


@pytest.mark.parametrize(
    ("ring_timeout", "ring_first_seconds", "waits"),
    [(30, 15, 15_000), (10, 15, 10_000), (30, 7, 7_000), (5, 300, 5_000)],
)
def test_the_second_stage_waits_for_the_first_and_at_most_for_the_ring_timeout(
    ring_timeout: int, ring_first_seconds: int, waits: int
) -> None:
    policy = TenantPolicy(ring_first_seconds=ring_first_seconds)
    decision = decide(facts(kind=INCOMING, ring=MOBILE_SECONDLY, ring_timeout=ring_timeout, policy=policy, age=2_000))
    assert [push.not_before for push in decision.pushes] == [NOW - 2_000 + waits] * 2


@pytest.mark.parametrize("custom", [(), ("training",)])
def test_a_custom_status_has_its_own_settings_only_where_it_is_declared(custom: tuple[str, ...]) -> None:
    case = facts(status="training", policy=TenantPolicy(custom_statuses=custom))
    assert case.settings_of == ("training" if custom else "available")
    detail = next(step.detail for step in decide(case).trace if step.rule == Reason.PUSH_DISABLED)
    assert ("undeclared" in detail) is not bool(custom)
    assert "training" in detail


@pytest.mark.parametrize("rule", [Reason.MOBILE_NOT_IN_RING_STRATEGY, Reason.RING_SECONDLY])
@pytest.mark.parametrize(
    ("case", "why"),
    [
        (facts(kind=INCOMING, status="do_not_disturb"), "do_not_disturb has no ring strategy"),
        (facts(kind=INCOMING, via=Via.RING_GROUP), "the call came via ring_group: the PBX rings all endpoints"),
        (facts(kind=INCOMING, call=_known(via=Via.QUEUE)), "the call came via queue: the PBX rings all endpoints"),
        (facts(kind=VOICEMAIL), "not asked for voicemail.new: nothing rang"),
    ],
)
def test_where_the_ring_strategy_is_not_asked_the_trace_says_why(case: Facts, why: str, rule: Reason) -> None:
    step = next(step for step in decide(case).trace if step.rule == rule)
    assert step.verdict is Verdict.NOT_APPLICABLE
    assert step.detail.startswith(why)
