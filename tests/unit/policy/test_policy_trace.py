"""An explanation shows what every rule said, who decided, and who would have."""

from dataclasses import replace

import pytest

from gateway.domain.decision import Action, Facts, Reason, Verdict
from gateway.domain.event import Disposition, EventKind
from gateway.domain.extension import CallPush, CallState, RecentCall, Unread
from gateway.domain.presence import Presence
from gateway.domain.push import PushKind, PushState
from gateway.domain.tenant_policy import Bypass, TenantPolicy
from gateway.policy.decide import decide
from tests.support.facts import ANDROID, CALL_ID, CALLER, IPHONE, MOBILE_SECONDLY, NO_MOBILE, NOW, an_event, facts


def _verdicts(case: Facts) -> dict[str, Verdict]:
    return {step.rule: step.verdict for step in decide(case).trace}


def _detail(case: Facts, rule: Reason) -> str:
    return next(step.detail for step in decide(case).trace if step.rule == rule)


def test_rules_behind_the_deciding_one_say_what_they_would_have_decided() -> None:
    case = facts(status="away", accept_push=False, ring=NO_MOBILE, devices=(), disposition=Disposition.ANSWERED)
    assert _verdicts(case) == {
        Reason.EXPIRED: Verdict.PASSED,
        Reason.ANSWERED: Verdict.DECIDED,
        Reason.ENDED: Verdict.NOT_APPLICABLE,
        Reason.ANSWERED_ELSEWHERE: Verdict.PASSED,
        Reason.FORWARDED: Verdict.PASSED,
        Reason.SUPERSEDED_BY_VOICEMAIL: Verdict.PASSED,
        Reason.PUSH_DISABLED: Verdict.WOULD_DECIDE,
        Reason.DO_NOT_DISTURB: Verdict.NOT_APPLICABLE,
        Reason.MOBILE_NOT_IN_RING_STRATEGY: Verdict.WOULD_DECIDE,
        Reason.RING_SECONDLY: Verdict.NOT_APPLICABLE,
        Reason.NO_DEVICE: Verdict.WOULD_DECIDE,
    }


def test_allowed_is_a_step_of_its_own_behind_all_rules() -> None:
    trace = decide(facts()).trace
    assert trace[-1].rule == Reason.ALLOWED
    assert [step.verdict for step in trace].count(Verdict.DECIDED) == 1


def test_a_change_of_state_is_a_step_of_its_own_behind_all_rules() -> None:
    trace = decide(facts(kind=EventKind.PRESENCE_CHANGED, presence="away")).trace
    assert {step.verdict for step in trace[:-1]} == {Verdict.NOT_APPLICABLE}
    assert trace[-1].detail == "presence available -> away"


@pytest.mark.parametrize(
    ("case", "rule", "said"),
    [
        (facts(status="off_work", accept_push=False), Reason.PUSH_DISABLED, "off in off_work"),
        (facts(status="lunch_break"), Reason.PUSH_DISABLED, "on in lunch_break"),
        (facts(status="away", ring=NO_MOBILE), Reason.MOBILE_NOT_IN_RING_STRATEGY, "ring_secondly of away"),
        (facts(status="away"), Reason.MOBILE_NOT_IN_RING_STRATEGY, "ring_first of away"),
        (facts(status="away", ring=MOBILE_SECONDLY), Reason.MOBILE_NOT_IN_RING_STRATEGY, "ring_secondly of away"),
        (facts(kind=EventKind.CALL_INCOMING, status="away", ring=MOBILE_SECONDLY), Reason.RING_SECONDLY, "of away"),
        (facts(kind=EventKind.CALL_INCOMING, status="do_not_disturb"), Reason.DO_NOT_DISTURB, "is do_not_disturb"),
        (facts(status="business_trip"), Reason.FORWARDED, "business_trip does not always forward"),
        (facts(status="gone_fishing"), Reason.FORWARDED, "the undeclared status gone_fishing"),
        (facts(status="gone_fishing"), Reason.PUSH_DISABLED, "in available (which stands for the undeclared status"),
        (facts(kind=EventKind.CALL_ENDED), Reason.STATE_CHANGED, "call.ended of the call is news"),
        (facts(answered_by="1002"), Reason.ANSWERED_ELSEWHERE, "answered by 1002"),
        (facts(disposition=Disposition.ANSWERED_ELSEWHERE), Reason.ANSWERED_ELSEWHERE, "answered elsewhere"),
        (facts(), Reason.NO_DEVICE, "told: alice-iphone, alice-android"),
        (facts(devices=()), Reason.NO_DEVICE, "no device is registered"),
    ],
)
def test_the_wording_names_what_it_judged_by(case: Facts, rule: Reason, said: str) -> None:
    assert said in _detail(case, rule)


@pytest.mark.parametrize("kind", [EventKind.CALL_MISSED, EventKind.VOICEMAIL_NEW])
def test_no_trace_holds_a_number_of_the_caller(kind: EventKind) -> None:
    case = facts(kind=kind, accept_push=False, ring=NO_MOBILE, vip_callers=(CALLER.number,), policy=_bypass("vip"))
    assert CALLER.number not in " ".join(step.detail for step in decide(case).trace)


def _bypass(way: str) -> TenantPolicy:
    return TenantPolicy(bypass=Bypass(vip=way == "vip", repeat_caller=way == "repeat_caller"))


EARLIER = RecentCall(number="+49 151 12345678", at=NOW - 180_000, call_id="earlier")


@pytest.mark.parametrize("rule", [Reason.PUSH_DISABLED, Reason.MOBILE_NOT_IN_RING_STRATEGY])
@pytest.mark.parametrize(
    ("way", "named"),
    [("vip", "the caller is one of vip_callers"), ("repeat_caller", "the caller called twice within three minutes")],
)
def test_a_bypass_passes_both_rules_and_is_named(way: str, named: str, rule: Reason) -> None:
    case = facts(
        accept_push=False,
        ring=NO_MOBILE,
        policy=_bypass(way),
        vip_callers=("+49 (151) 12345678",),
        recent_calls=(EARLIER,),
    )
    assert decide(case).reason is Reason.ALLOWED
    assert _detail(case, rule).endswith(f"bypassed: {named}")


@pytest.mark.parametrize("way", ["vip", "repeat_caller"])
def test_a_bypass_does_not_ring_in_do_not_disturb(way: str) -> None:
    case = facts(
        kind=EventKind.CALL_INCOMING,
        status="do_not_disturb",
        policy=_bypass(way),
        vip_callers=(CALLER.number,),
        recent_calls=(EARLIER,),
    )
    assert decide(case).reason is Reason.DO_NOT_DISTURB


def test_the_second_stage_does_not_ring_a_phone_that_rings_already() -> None:
    rings = CallPush(push_id="p", device_id=IPHONE.device_id, kind=PushKind.CALL_INCOMING, state=PushState.ACCEPTED)
    case = facts(kind=EventKind.CALL_INCOMING, ring_stage=2, call=CallState(call_id=CALL_ID, pushes=(rings,)))
    assert [push.device_id for push in decide(case).pushes] == [ANDROID.device_id]


def test_nothing_is_left_to_ring_when_every_phone_rings_already() -> None:
    rings = tuple(
        CallPush(push_id=device, device_id=device, kind=PushKind.CALL_INCOMING, state=PushState.QUEUED)
        for device in (IPHONE.device_id, ANDROID.device_id)
    )
    decision = decide(facts(kind=EventKind.CALL_INCOMING, ring_stage=2, call=CallState(call_id=CALL_ID, pushes=rings)))
    assert decision.reason is Reason.STATE_UNCHANGED
    assert decision.trace[-1].detail == "every device was woken for this call already"


@pytest.mark.parametrize(
    ("occurred_at", "reason"),
    [(NOW - 1, Reason.STATE_UNCHANGED), (NOW, Reason.STATE_CHANGED), (None, Reason.STATE_CHANGED)],
)
def test_late_news_of_an_earlier_presence_does_not_undo_a_later_one(occurred_at: int | None, reason: Reason) -> None:
    event = an_event(EventKind.PRESENCE_CHANGED, presence="away", occurred_at=occurred_at)
    present = Presence(status="off_work", since=NOW, set_by="app")
    decision = decide(replace(facts(event), presence=present, now=NOW + 500))
    assert (decision.action, decision.reason) == (Action.NONE, reason)


def test_a_second_message_of_one_call_is_told_too() -> None:
    first = CallPush(push_id="p", device_id=IPHONE.device_id, kind=PushKind.VOICEMAIL_NEW, state=PushState.ACCEPTED)
    call = CallState(call_id=CALL_ID, voicemail=True, pushes=(first,))
    assert len(decide(facts(kind=EventKind.VOICEMAIL_NEW, call=call)).pushes) == 2


@pytest.mark.parametrize(
    ("unread", "reason"),
    [
        (Unread(), Reason.ALLOWED),
        (Unread(told=3), Reason.STATE_CHANGED),
        (Unread(mailbox_new=3, mailbox_at=NOW, told=3), Reason.STATE_UNCHANGED),
        (Unread(mailbox_new=3, mailbox_at=NOW - 60_000, told=3), Reason.STATE_UNCHANGED),
        (Unread(mailbox_new=3, mailbox_at=NOW, told=-1), Reason.ALLOWED),
    ],
)
def test_a_mailbox_count_is_told_when_phones_do_not_show_it_yet(unread: Unread, reason: Reason) -> None:
    assert decide(facts(kind=EventKind.VOICEMAIL_MAILBOX, mailbox_new=3, unread=unread)).reason is reason
