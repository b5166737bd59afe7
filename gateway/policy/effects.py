"""From a decision to what it changes: call, inbox, badge, pushes, and what became untrue. Pure.

Order must not matter: every order of {missed, voicemail, answered, ended} of one call ends in the same inbox and
badge, and in no phone showing as missed what was not.
"""

from dataclasses import dataclass, replace

from gateway.domain.decision import Decision, Facts, Reason, Verdict
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
from gateway.domain.push import Push, PushKind, PushState, derive_collapse_id
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
_SHOWN_FOR_THE_CALL = frozenset({PushKind.CALL_MISSED, PushKind.CALL_WITHDRAWN})


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
    if undone.stopped - {push.device_id for push in pushes} or badges.badge(unread) != unread.told:
        unread = badges.untold(unread)
    return Effects(
        call=_with_pushes(call, facts, item, pushes, undone) if call is not None else None,
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
    return Effects(
        presence=Presence(status=facts.event.presence, since=facts.happened_at, set_by=f"pbx:{facts.source}")
    )


def _was_not_missed(decision: Decision) -> bool:
    """Whether any rule from 2 to 5 spoke, also behind an earlier one: an expired missed call that was answered is
    none either."""
    spoke = (Verdict.DECIDED, Verdict.WOULD_DECIDE)
    return any(step.rule in NOT_FOR_THIS_PERSON and step.verdict in spoke for step in decision.trace)


def _inbox_item(facts: Facts, decision: Decision) -> InboxItem | None:
    kind = INBOX_KIND.get(facts.kind)
    if kind is None or _was_not_missed(decision):
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
    stopped: frozenset[str] = frozenset()
    """Devices that a number on the badge was on its way to."""


def _undone(
    facts: Facts, call: CallState | None, missed_is_untrue: bool, pushes: tuple[Push, ...], badge: int
) -> _Undone:
    if call is None:
        return _Undone()
    withdrawals: list[Withdrawal] = []
    replacements: list[Push] = []
    stopped: set[str] = set()
    for told in call.pushes:
        if told.kind is PushKind.CALL_INCOMING and told.state in _WAITING and _no_longer_rings(call, told, pushes):
            withdrawals.append(Withdrawal(push_id=told.push_id))
        if told.kind not in _SHOWN_FOR_THE_CALL:
            continue
        voicemail = _voicemail_in_its_place(facts, call, told, pushes)
        if voicemail is not None:
            # It replaces by its collapse id whatever stands there; what may still arrive must not replace it.
            if told.state in _WAITING:
                withdrawals.append(Withdrawal(push_id=told.push_id, then=voicemail_again(voicemail, told)))
        elif told.kind is PushKind.CALL_MISSED and missed_is_untrue:
            instead = withdrawn_push(facts, call, told, badge) if _taken(call) else None
            if told.state in _WAITING:
                withdrawals.append(Withdrawal(push_id=told.push_id, then=instead))
                stopped.add(told.device_id)
            elif told.state is PushState.ACCEPTED and instead is not None:
                replacements.append(instead)
    return _Undone(tuple(withdrawals), tuple(replacements), frozenset(stopped))


def _voicemail_in_its_place(facts: Facts, call: CallState, told: CallPush, pushes: tuple[Push, ...]) -> Push | None:
    """This event's voicemail push to the same phone, when it has the call's collapse id."""
    about_call = derive_collapse_id(facts.tenant, facts.event.extension, f"call:{call.call_id}")
    for push in pushes:
        if push.kind is PushKind.VOICEMAIL_NEW and push.device_id == told.device_id and push.collapse_id == about_call:
            return push
    return None


def _taken(call: CallState) -> bool:
    """Whether somebody took the call, rather than that the caller left a message."""
    return call.answered_here or call.answered_elsewhere or call.forwarded


def _no_longer_rings(call: CallState, told: CallPush, pushes: tuple[Push, ...]) -> bool:
    """Ringing waits no more when the call is over, or when this event rings the device at once."""
    return is_over(call) or any(
        push.kind is PushKind.CALL_INCOMING and push.device_id == told.device_id for push in pushes
    )


def _with_pushes(
    call: CallState, facts: Facts, item: InboxItem | None, pushes: tuple[Push, ...], undone: _Undone
) -> CallState:
    mine = tuple(_noted(push, _first_state(push, facts)) for push in pushes if push.call_id == call.call_id)
    later = tuple(_noted(one.then, PushState.PENDING) for one in undone.withdrawals if one.then is not None)
    missed = item is not None and facts.kind is EventKind.CALL_MISSED
    return replace(
        call,
        missed_event=facts.event_id if missed else call.missed_event,
        pushes=(*call.pushes, *mine, *later),
    )


def _noted(push: Push, state: PushState) -> CallPush:
    return CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind, state=state)


def _first_state(push: Push, facts: Facts) -> PushState:
    waits = push.not_before is not None and push.not_before > facts.now
    return PushState.DEFERRED if waits else PushState.QUEUED
