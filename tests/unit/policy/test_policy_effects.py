"""What an accepted event writes: inbox, badge, presence, pushes, and what became untrue."""

from dataclasses import replace

import pytest

from gateway.domain.decision import Facts
from gateway.domain.effects import Effects
from gateway.domain.event import Disposition, EventKind, PbxEvent, Via
from gateway.domain.extension import CallPush, CallState, Unread, UnseenItem
from gateway.domain.presence import Presence
from gateway.domain.push import PushKind, PushState
from gateway.domain.tenant_policy import Bypass, MissedWithVoicemail, TenantPolicy
from gateway.policy.badge import NOT_KNOWN, badge
from gateway.policy.decide import decide
from gateway.policy.effects import effects
from tests.support.facts import ANDROID, CALL_ID, IPHONE, MOBILE_SECONDLY, NO_MOBILE, NOW, an_event, facts

MISSED = EventKind.CALL_MISSED
ANSWERED = EventKind.CALL_ANSWERED
INCOMING = EventKind.CALL_INCOMING
VOICEMAIL = EventKind.VOICEMAIL_NEW
BOTH = TenantPolicy(missed_with_voicemail=MissedWithVoicemail.BOTH)
ONE_MISSED = Unread(missed=(UnseenItem(event_id="01JMISSED", at=NOW),), told=1)


def _written(case: Facts) -> Effects:
    return effects(case, decide(case))


def _told(state: PushState, kind: PushKind = PushKind.CALL_MISSED, device: str = IPHONE.device_id) -> CallPush:
    return CallPush(push_id=f"{kind}-{state}", device_id=device, kind=kind, state=state)


def _missed_call(*pushes: CallPush) -> CallState:
    return CallState(call_id=CALL_ID, ended=True, missed_event="01JMISSED", pushes=pushes)


@pytest.mark.parametrize(
    ("case", "listed"),
    [
        (facts(), True),
        (facts(age=10**9), True),
        (facts(accept_push=False), True),
        (facts(ring=NO_MOBILE), True),
        (facts(devices=()), True),
        (facts(disposition=Disposition.ANSWERED), False),
        (facts(disposition=Disposition.ANSWERED_ELSEWHERE), False),
        (facts(disposition=Disposition.FORWARDED), False),
        (facts(call=CallState(call_id=CALL_ID, voicemail=True)), False),
        (facts(age=10**9, disposition=Disposition.ANSWERED), False),
        (facts(age=10**9, call=CallState(call_id=CALL_ID, voicemail=True)), False),
        (facts(kind=INCOMING), False),
        (facts(kind=VOICEMAIL), True),
        (facts(kind=VOICEMAIL, age=10**9), True),
        (facts(kind=ANSWERED), False),
    ],
    ids=[
        "missed",
        "missed and expired",
        "missed without accept push",
        "missed and not in the ring strategy",
        "missed without a device",
        "answered here",
        "answered elsewhere",
        "forwarded",
        "superseded by a voicemail",
        "answered and expired",
        "superseded and expired",
        "ringing",
        "voicemail",
        "voicemail and expired",
        "answered",
    ],
)
def test_inbox_and_badge_have_what_was_missed_whether_or_not_the_phone_is_told(case: Facts, listed: bool) -> None:
    written = _written(case)
    assert (written.inbox_add is not None) is listed
    assert badge(written.unread or case.unread) == int(listed)


def test_an_inbox_item_says_what_the_app_shows() -> None:
    item = _written(facts(kind=VOICEMAIL, age=5_000)).inbox_add
    assert item is not None
    assert item.voicemail is not None
    assert (item.event_id, item.call_id, item.caller.name, item.occurred_at) == (
        "01JEVENT",
        CALL_ID,
        "Alice",
        NOW - 5_000,
    )
    assert (item.voicemail.message_id, item.voicemail.duration_seconds) == ("1713840555-00000623", 12)


def test_a_voicemail_without_a_call_is_in_the_inbox_and_touches_no_call() -> None:
    written = _written(facts(an_event(VOICEMAIL, call_id=None)))
    assert written.call is None
    assert written.inbox_add is not None
    assert written.inbox_add.call_id is None


def test_another_presence_is_set_by_its_source_since_it_changed() -> None:
    written = _written(facts(an_event(EventKind.PRESENCE_CHANGED, presence="away", occurred_at=NOW - 4000)))
    assert written == Effects(presence=Presence(status="away", since=NOW - 4000, set_by="pbx:hq"))


def test_another_presence_without_a_time_is_set_at_the_time_of_receipt() -> None:
    written = _written(facts(an_event(EventKind.PRESENCE_CHANGED, presence="away", occurred_at=None)))
    assert written == Effects(presence=Presence(status="away", since=NOW, set_by="pbx:hq"))


def test_the_same_presence_again_writes_nothing() -> None:
    assert _written(facts(kind=EventKind.PRESENCE_CHANGED, presence="away", status="away")) == Effects()


def test_an_older_mailbox_count_writes_nothing() -> None:
    unread = Unread(mailbox_new=2, mailbox_at=NOW + 1, told=2)
    assert _written(facts(kind=EventKind.VOICEMAIL_MAILBOX, unread=unread)) == Effects()


def test_a_mailbox_count_is_told_to_every_phone_with_the_missed_calls() -> None:
    written = _written(facts(kind=EventKind.VOICEMAIL_MAILBOX, mailbox_new=3, unread=ONE_MISSED))
    assert [(push.kind, push.badge) for push in written.pushes] == [(PushKind.BADGE, 4)] * 2
    assert written.unread is not None
    assert written.unread.told == 4


def test_pushes_are_noted_with_their_call_so_that_they_can_be_withdrawn() -> None:
    written = _written(facts())
    assert written.call is not None
    assert written.call.missed_event == "01JEVENT"
    assert [(push.push_id, push.device_id, push.state) for push in written.call.pushes] == [
        (push.push_id, push.device_id, PushState.QUEUED) for push in written.pushes
    ]


def test_a_push_for_the_second_stage_is_noted_as_deferred() -> None:
    written = _written(facts(kind=INCOMING, ring=MOBILE_SECONDLY))
    assert written.call is not None
    assert {push.state for push in written.call.pushes} == {PushState.DEFERRED}


def test_a_push_whose_second_stage_has_begun_meanwhile_waits_for_nothing() -> None:
    written = _written(facts(kind=INCOMING, ring=MOBILE_SECONDLY, age=16_000))
    assert written.call is not None
    assert {push.state for push in written.call.pushes} == {PushState.QUEUED}


def test_the_second_stage_rings_at_once_instead_of_later() -> None:
    first = _written(facts(kind=INCOMING, ring=MOBILE_SECONDLY))
    second = _written(facts(kind=INCOMING, ring=MOBILE_SECONDLY, ring_stage=2, call=first.call, event_id="01JSECOND"))
    assert {one.push_id for one in second.withdrawals} == {push.push_id for push in first.pushes}
    assert len(second.pushes) == 2
    assert all(push.not_before is None for push in second.pushes)


@pytest.mark.parametrize("kind", [ANSWERED, EventKind.CALL_ENDED, MISSED, VOICEMAIL])
def test_a_waiting_ring_is_cancelled_when_the_call_is_over(kind: EventKind) -> None:
    call = CallState(call_id=CALL_ID, pushes=(_told(PushState.DEFERRED, PushKind.CALL_INCOMING),))
    assert [one.then for one in _written(facts(kind=kind, call=call)).withdrawals] == [None]


def test_a_ring_that_was_sent_cannot_be_cancelled() -> None:
    call = CallState(call_id=CALL_ID, pushes=(_told(PushState.ACCEPTED, PushKind.CALL_INCOMING),))
    assert _written(facts(kind=ANSWERED, call=call)).withdrawals == ()


@pytest.mark.parametrize("state", [PushState.QUEUED, PushState.DEFERRED])
def test_a_missed_call_that_waits_is_withdrawn_and_replaced_only_if_it_gets_out_after_all(state: PushState) -> None:
    case = facts(kind=ANSWERED, answered_by="1002", call=_missed_call(_told(state)), unread=ONE_MISSED)
    written = _written(case)
    assert written.pushes == ()
    (withdrawal,) = written.withdrawals
    assert withdrawal.then is not None
    assert (withdrawal.then.kind, withdrawal.then.answered_by, withdrawal.then.quiet) == (
        PushKind.CALL_WITHDRAWN,
        "1002",
        True,
    )
    assert written.inbox_remove == ("01JMISSED",)
    assert written.unread == Unread(told=NOT_KNOWN)
    assert written.call is not None
    assert written.call.missed_event is None
    assert written.call.pushes[-1].state is PushState.PENDING


def test_a_missed_call_that_a_phone_shows_is_replaced_by_who_answered() -> None:
    missed = _written(facts())
    assert missed.call is not None
    shown = tuple(replace(push, state=PushState.ACCEPTED) for push in missed.call.pushes)
    call = replace(missed.call, pushes=shown)
    written = _written(facts(kind=ANSWERED, answered_by="1002", call=call, unread=missed.unread, event_id="01JLATER"))
    assert written.withdrawals == ()
    assert [push.kind for push in written.pushes] == [PushKind.CALL_WITHDRAWN] * 2
    assert {push.collapse_id for push in written.pushes} == {push.collapse_id for push in missed.pushes}
    assert [push.replaces for push in written.pushes] == [push.push_id for push in missed.pushes]
    assert {push.badge for push in written.pushes} == {0}
    assert written.unread == Unread()


@pytest.mark.parametrize("state", [PushState.WITHDRAWN, PushState.EXPIRED, PushState.TOKEN_GONE, PushState.DEAD])
def test_a_missed_call_that_no_phone_ever_showed_is_replaced_by_nothing(state: PushState) -> None:
    written = _written(facts(kind=ANSWERED, call=_missed_call(_told(state)), unread=ONE_MISSED))
    assert (written.pushes, written.withdrawals, written.inbox_remove) == ((), (), ("01JMISSED",))


def test_a_call_is_taken_out_of_inbox_and_badge_once() -> None:
    first = _written(facts(kind=ANSWERED, call=_missed_call(_told(PushState.ACCEPTED)), unread=ONE_MISSED))
    again = _written(facts(kind=EventKind.CALL_ENDED, disposition=Disposition.ANSWERED, call=first.call))
    assert (again.inbox_remove, again.pushes, again.unread) == ((), (), None)


def test_a_voicemail_replaces_its_missed_call_by_the_same_collapse_id() -> None:
    missed = _written(facts())
    assert missed.call is not None
    shown = tuple(replace(push, state=PushState.ACCEPTED) for push in missed.call.pushes)
    case = facts(kind=VOICEMAIL, call=replace(missed.call, pushes=shown), unread=missed.unread, event_id="01JLATER")
    written = _written(case)
    assert [push.kind for push in written.pushes] == [PushKind.VOICEMAIL_NEW] * 2
    assert {push.collapse_id for push in written.pushes} == {push.collapse_id for push in missed.pushes}
    assert written.withdrawals == ()
    assert written.inbox_remove == ("01JEVENT",)
    assert badge(written.unread or Unread()) == 1


@pytest.mark.parametrize("kind", [PushKind.CALL_MISSED, PushKind.CALL_WITHDRAWN])
@pytest.mark.parametrize("state", [PushState.QUEUED, PushState.DEFERRED, PushState.PENDING])
def test_a_voicemail_comes_again_behind_a_push_that_may_still_replace_it(kind: PushKind, state: PushState) -> None:
    case = facts(kind=VOICEMAIL, call=_missed_call(_told(state, kind), _told(state, kind, ANDROID.device_id)))
    written = _written(case)
    again = [withdrawal.then for withdrawal in written.withdrawals]
    assert [(push.kind, push.quiet) for push in again if push is not None] == [(PushKind.VOICEMAIL_NEW, True)] * 2
    assert not {push.push_id for push in again if push is not None} & {push.push_id for push in written.pushes}


def test_a_voicemail_that_this_phone_is_not_told_of_follows_nothing() -> None:
    case = facts(kind=VOICEMAIL, accept_push=False, call=_missed_call(_told(PushState.QUEUED)), unread=ONE_MISSED)
    written = _written(case)
    assert [withdrawal.then for withdrawal in written.withdrawals] == [None]
    assert written.pushes == ()


def test_a_voicemail_that_is_not_told_leaves_a_missed_call_that_a_phone_shows() -> None:
    case = facts(kind=VOICEMAIL, accept_push=False, call=_missed_call(_told(PushState.ACCEPTED)), unread=ONE_MISSED)
    assert (_written(case).pushes, _written(case).withdrawals) == ((), ())


def test_where_both_are_told_a_voicemail_leaves_its_missed_call_alone() -> None:
    case = facts(kind=VOICEMAIL, policy=BOTH, call=_missed_call(_told(PushState.QUEUED)), unread=ONE_MISSED)
    written = _written(case)
    assert (written.withdrawals, written.inbox_remove) == ((), ())
    assert badge(written.unread or Unread()) == 2


def test_repeated_calls_are_remembered_where_the_tenant_uses_them() -> None:
    policy = TenantPolicy(bypass=Bypass(repeat_caller=True))
    written = _written(facts(kind=INCOMING, policy=policy))
    assert [call.call_id for call in written.recent_calls or ()] == [CALL_ID]


@pytest.mark.parametrize(
    ("event", "knows"),
    [
        (an_event(ANSWERED), CallState(call_id=CALL_ID, answered_here=True)),
        (
            an_event(ANSWERED, answered_by="1002"),
            CallState(call_id=CALL_ID, answered_elsewhere=True, answered_by="1002"),
        ),
        (
            an_event(ANSWERED, disposition=Disposition.ANSWERED_ELSEWHERE),
            CallState(call_id=CALL_ID, answered_elsewhere=True),
        ),
        (an_event(EventKind.CALL_ENDED, via=Via.QUEUE), CallState(call_id=CALL_ID, ended=True, via=Via.QUEUE)),
        (
            an_event(EventKind.CALL_ENDED, disposition=Disposition.FORWARDED),
            CallState(call_id=CALL_ID, ended=True, forwarded=True),
        ),
        (an_event(INCOMING), CallState(call_id=CALL_ID)),
    ],
    ids=["answered here", "answered by a colleague", "picked up", "ended", "forwarded", "ringing"],
)
def test_knowledge_of_a_call_grows_by_each_event(event: PbxEvent, knows: CallState) -> None:
    written = _written(facts(event, devices=()))
    assert written.call == knows
