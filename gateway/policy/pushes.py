"""From a decision to the pushes it plans: deadline, collapse id, badge, quiet or not."""

from dataclasses import replace

from gateway.domain.decision import Decision, Facts, PlannedPush
from gateway.domain.event import EventKind, Millis
from gateway.domain.extension import CallPush, CallState
from gateway.domain.push import Push, PushKind, derive_collapse_id, derive_push_id
from gateway.domain.tenant_policy import MissedWithVoicemail
from gateway.policy.rules import PUSH_KIND, lifetime

BADGE_LIFETIME: Millis = 3_600_000
"""A badge-only push older than an hour would only repeat what a newer one says."""


def planned_pushes(facts: Facts, decision: Decision, badge: int) -> tuple[Push, ...]:
    """One push per device that the decision names; `badge` is the number after this event."""
    return tuple(_push(facts, planned, badge) for planned in decision.pushes)


def _push(facts: Facts, planned: PlannedPush, badge: int) -> Push:
    event = facts.event
    kind = PUSH_KIND[facts.kind]
    voicemail = event.voicemail
    return Push(
        push_id=planned.push_id,
        event_id=facts.event_id,
        tenant=facts.tenant,
        extension=event.extension,
        device_id=planned.device_id,
        kind=kind,
        collapse_id=derive_collapse_id(facts.tenant, event.extension, _about(facts)),
        occurred_at=facts.happened_at,
        deadline=_deadline(facts),
        not_before=planned.not_before,
        badge=None if kind is PushKind.CALL_INCOMING else badge,
        quiet=facts.presence.status in facts.policy.quiet_statuses,
        call_id=event.call.id if event.call else None,
        caller=event.caller,
        voicemail_message_id=voicemail.message_id if voicemail else None,
        voicemail_seconds=voicemail.duration_seconds if voicemail else None,
    )


def _about(facts: Facts) -> str:
    """What the notification is about: pushes about one thing replace each other on the phone."""
    event = facts.event
    if facts.kind is EventKind.VOICEMAIL_MAILBOX:
        return "badge"
    if facts.kind is EventKind.VOICEMAIL_NEW:
        both = facts.policy.missed_with_voicemail is MissedWithVoicemail.BOTH
        if event.call is None or both:
            message = event.voicemail.message_id if event.voicemail else None
            return f"voicemail:{message or (event.call.id if event.call else '')}"
    return f"call:{event.call.id if event.call else ''}"


def _deadline(facts: Facts) -> Millis:
    limit = lifetime(facts)
    return facts.now + BADGE_LIFETIME if limit is None else facts.happened_at + limit


def withdrawn_push(facts: Facts, call: CallState, told: CallPush, badge: int) -> Push:
    """The quiet replacement of a missed call that was none: same collapse id, passes no rules again."""
    age = facts.policy.max_age(EventKind.CALL_MISSED) or 0
    return Push(
        push_id=derive_push_id(told.push_id, told.device_id, PushKind.CALL_WITHDRAWN),
        event_id=facts.event_id,
        tenant=facts.tenant,
        extension=facts.event.extension,
        device_id=told.device_id,
        kind=PushKind.CALL_WITHDRAWN,
        collapse_id=derive_collapse_id(facts.tenant, facts.event.extension, f"call:{call.call_id}"),
        occurred_at=facts.happened_at,
        deadline=facts.now + age * 1000,
        badge=badge,
        quiet=True,
        call_id=call.call_id,
        caller=facts.event.caller,
        answered_by=call.answered_by,
        replaces=told.push_id,
    )


def voicemail_again(voicemail: Push, told: CallPush) -> Push:
    """The voicemail's notification once more, quietly: for a phone on which another push about the call, that was
    just being sent, has replaced it."""
    return replace(
        voicemail,
        push_id=derive_push_id(f"{told.push_id}\n{voicemail.push_id}", told.device_id, PushKind.VOICEMAIL_NEW),
        quiet=True,
        replaces=told.push_id,
    )


def badge_push(*, event_id: str, tenant: str, extension: str, device_id: str, badge: int, now: Millis) -> Push:
    """A badge-only push: the app icon's number and nothing else."""
    return Push(
        push_id=derive_push_id(event_id, device_id, PushKind.BADGE),
        event_id=event_id,
        tenant=tenant,
        extension=extension,
        device_id=device_id,
        kind=PushKind.BADGE,
        collapse_id=derive_collapse_id(tenant, extension, "badge"),
        occurred_at=now,
        deadline=now + BADGE_LIFETIME,
        badge=badge,
    )
