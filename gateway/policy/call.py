"""What an event teaches about its call. Order does not matter: knowledge only grows."""

from dataclasses import replace

from gateway.domain.decision import Facts
from gateway.domain.event import Disposition, EventKind, PbxEvent, Via
from gateway.domain.extension import CallState
from gateway.domain.tenant_policy import MissedWithVoicemail, TenantPolicy

_AFTER_THE_CALL = frozenset({EventKind.CALL_ENDED, EventKind.CALL_MISSED, EventKind.VOICEMAIL_NEW})
"""Kinds that come once the call no longer rings: a message is told of when the caller has left it."""


def answered_here(event: PbxEvent) -> bool:
    """Whether the event says that a device of its extension took the call."""
    if answered_elsewhere(event):
        return False
    return event.kind is EventKind.CALL_ANSWERED or event.outcome.disposition is Disposition.ANSWERED


def answered_elsewhere(event: PbxEvent) -> bool:
    """Whether the event says that somebody else took the call."""
    if event.outcome.disposition is Disposition.ANSWERED_ELSEWHERE:
        return True
    return event.outcome.answered_by not in (None, event.extension)


def advance(event: PbxEvent, known: CallState | None) -> CallState | None:
    """What is known of the event's call after it; None for an event about no call."""
    if event.call is None:
        return known
    call = known or CallState(call_id=event.call.id)
    return replace(
        call,
        via=event.call.via or call.via,
        answered_here=call.answered_here or answered_here(event),
        answered_elsewhere=call.answered_elsewhere or answered_elsewhere(event),
        answered_by=event.outcome.answered_by or call.answered_by,
        forwarded=call.forwarded or event.outcome.disposition is Disposition.FORWARDED,
        ended=call.ended or event.kind in _AFTER_THE_CALL,
        voicemail=call.voicemail or event.kind is EventKind.VOICEMAIL_NEW,
    )


def via_of(facts: Facts) -> Via:
    """How the call reached the extension: what this event says, else its call's other events, else `direct`."""
    said = facts.event.call.via if facts.event.call else None
    return said or (facts.call.via if facts.call else None) or Via.DIRECT


def refuted(call: CallState, policy: TenantPolicy) -> bool:
    """Whether it was no missed call for this person after all (rules 2 to 5)."""
    superseded = call.voicemail and policy.missed_with_voicemail is MissedWithVoicemail.VOICEMAIL_ONLY
    return call.answered_here or call.answered_elsewhere or call.forwarded or superseded


def is_over(call: CallState) -> bool:
    """Whether the call no longer rings at this extension."""
    return call.answered_here or call.answered_elsewhere or call.forwarded or call.ended
