"""From a decision to what it changes: call, inbox, badge, pushes, and what became untrue. Pure.

Order must not matter: every order of {missed, voicemail, answered, ended} of one call ends in the same inbox and
badge, and in no phone showing as missed what was not.
"""

from dataclasses import dataclass, replace

from gateway.domain.decision import Decision, Facts, Reason
from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.event import EventKind
from gateway.domain.extension import (
    INBOX_KIND,
    CallPush,
    CallState,
    InboxItem,
    InboxVoicemail,
    Unread,
    UnseenItem,
)
from gateway.domain.presence import Presence
from gateway.domain.push import Push, PushKind, PushState
from gateway.policy import badge as badges
from gateway.policy.bypass import remembered
from gateway.policy.call import advance, is_over, refuted
from gateway.policy.pushes import planned_pushes, voicemail_again, withdrawn_push

NOT_FOR_THIS_PERSON = frozenset(
    {Reason.ANSWERED, Reason.ENDED, Reason.ANSWERED_ELSEWHERE, Reason.FORWARDED, Reason.SUPERSEDED_BY_VOICEMAIL}
)
"""Reasons that say: it was no missed call for this person. Such an event is not in the inbox; one that the phone is
merely not told of is."""

_WAITING = frozenset({PushState.QUEUED, PushState.DEFERRED, PushState.PENDING})


def effects(facts: Facts, decision: Decision) -> Effects:
    """Everything that an accepted event writes, apart from its own record."""
    if facts.kind is EventKind.PRESENCE_CHANGED:
        return _presence(facts, decision)
    call = advance(facts.event, facts.call)
    item = _inbox_item(facts, decision)
    unread = _counted(facts, item)
    untrue = call.missed_event if call is not None and refuted(call, facts.policy) else None
    if untrue is not None and call is not None:
        unread = badges.without_missed(unread, untrue)
        call = replace(call, missed_event=None)
    pushes = planned_pushes(facts, decision, badges.badge(unread))
    undone = _undone(facts, call, untrue is not None, pushes, badges.badge(unread))
    pushes = (*pushes, *undone.replacements)
    if any(push.badge is not None for push in pushes):
        unread = badges.told(unread)
    return Effects(
        call=_with_pushes(call, facts, item, pushes) if call is not None else None,
        unread=unread if unread != facts.unread else None,
        recent_calls=remembered(facts),
        inbox_add=item,
        inbox_remove=(untrue,) if untrue is not None else (),
        pushes=pushes,
        withdrawals=undone.withdrawals,
    )


def _presence(facts: Facts, decision: Decision) -> Effects:
    if decision.reason is not Reason.STATE_CHANGED or facts.event.presence is None:
        return Effects()
    return Effects(presence=Presence(status=facts.event.presence, since=facts.now, set_by=f"pbx:{facts.source}"))


def _inbox_item(facts: Facts, decision: Decision) -> InboxItem | None:
    kind = INBOX_KIND.get(facts.kind)
    if kind is None or decision.reason in NOT_FOR_THIS_PERSON:
        return None
    event = facts.event
    voicemail = None
    if event.voicemail is not None:
        voicemail = InboxVoicemail(
            message_id=event.voicemail.message_id,
            duration_seconds=event.voicemail.duration_seconds,
            urgent=event.voicemail.urgent,
        )
    return InboxItem(
        event_id=facts.event_id,
        kind=kind,
        occurred_at=facts.happened_at,
        caller=event.caller,
        call_id=event.call.id if event.call else None,
        voicemail=voicemail,
    )


def _counted(facts: Facts, item: InboxItem | None) -> Unread:
    if facts.kind is EventKind.VOICEMAIL_MAILBOX and facts.event.mailbox is not None:
        return badges.with_mailbox(facts.unread, facts.event.mailbox.new, facts.happened_at)
    if item is None:
        return facts.unread
    unseen = UnseenItem(event_id=item.event_id, at=item.occurred_at)
    if facts.kind is EventKind.CALL_MISSED:
        return badges.with_missed(facts.unread, unseen)
    return badges.with_voicemail(facts.unread, unseen)


@dataclass(frozen=True, slots=True)
class _Undone:
    withdrawals: tuple[Withdrawal, ...] = ()
    replacements: tuple[Push, ...] = ()


def _undone(
    facts: Facts, call: CallState | None, missed_is_untrue: bool, pushes: tuple[Push, ...], badge: int
) -> _Undone:
    if call is None:
        return _Undone()
    withdrawals: list[Withdrawal] = []
    replacements: list[Push] = []
    for told in call.pushes:
        if told.kind is PushKind.CALL_MISSED and missed_is_untrue:
            instead = _instead(facts, call, told, pushes, badge)
            if told.state in _WAITING:
                withdrawals.append(Withdrawal(push_id=told.push_id, then=instead))
            elif told.state is PushState.ACCEPTED and instead is not None and not _superseded(facts):
                replacements.append(instead)
        elif told.kind is PushKind.CALL_INCOMING and told.state in _WAITING and _no_longer_rings(call, told, pushes):
            withdrawals.append(Withdrawal(push_id=told.push_id))
    return _Undone(tuple(withdrawals), tuple(replacements))


def _superseded(facts: Facts) -> bool:
    """The voicemail's own push has the call's collapse id: it replaces the missed call where that stands already."""
    return facts.kind is EventKind.VOICEMAIL_NEW


def _instead(facts: Facts, call: CallState, told: CallPush, pushes: tuple[Push, ...], badge: int) -> Push | None:
    """What follows a missed-call push that cannot be stopped any more."""
    if not _superseded(facts):
        return withdrawn_push(facts, call, told, badge)
    voicemail = next((push for push in pushes if push.device_id == told.device_id), None)
    return voicemail_again(voicemail, told) if voicemail is not None else None


def _no_longer_rings(call: CallState, told: CallPush, pushes: tuple[Push, ...]) -> bool:
    """Ringing waits no more when the call is over, or when this event rings the device at once."""
    return is_over(call) or any(
        push.kind is PushKind.CALL_INCOMING and push.device_id == told.device_id for push in pushes
    )


def _with_pushes(call: CallState, facts: Facts, item: InboxItem | None, pushes: tuple[Push, ...]) -> CallState:
    mine = tuple(
        CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind)
        for push in pushes
        if push.call_id == call.call_id
    )
    missed = item is not None and facts.kind is EventKind.CALL_MISSED
    return replace(
        call,
        missed_event=facts.event_id if missed else call.missed_event,
        pushes=(*call.pushes, *mine),
    )
