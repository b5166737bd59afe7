"""POLICY 4 once more, written from its words and not from the code: what the rules are held against."""

from gateway.domain.decision import Action, DeviceFacts, Facts, Reason
from gateway.domain.event import Direction, Disposition, EventKind, Via
from gateway.domain.presence import StatusSettings
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import MissedWithVoicemail

AGES = {"call.incoming": 45, "call.missed": 43_200, "voicemail.new": 259_200}
MISSED_ENDINGS = ("no_answer", "busy", "caller_cancelled", "rejected", "unreachable", "failed", "voicemail")
ANSWERED_ENDINGS = ("answered", "answered_elsewhere", "forwarded")
THREE_MINUTES = 180_000


def law(facts: Facts) -> tuple[Action, Reason]:
    """Action and reason for an event that may be told to a phone."""
    kind = _kind(facts)
    if _too_old(facts, kind):
        return Action.SUPPRESS, Reason.EXPIRED
    if kind in ("call.missed", "call.incoming") and (known := _not_missed(facts, kind)):
        return Action.SUPPRESS, known
    if _push_switched_off(facts, kind):
        return Action.SUPPRESS, Reason.PUSH_DISABLED
    if kind == "call.incoming" and facts.presence.status == "do_not_disturb":
        return Action.SUPPRESS, Reason.DO_NOT_DISTURB
    if kind in ("call.missed", "call.incoming") and _stage(facts) == "none" and not _bypassed(facts):
        return Action.SUPPRESS, Reason.MOBILE_NOT_IN_RING_STRATEGY
    if kind == "call.incoming" and _waits_for_the_second_stage(facts):
        return Action.DEFER, Reason.RING_SECONDLY
    if not any(_takes(device, kind) for device in facts.devices):
        return Action.SUPPRESS, Reason.NO_DEVICE
    return Action.FORWARD, Reason.ALLOWED


def _not_missed(facts: Facts, kind: str) -> Reason | None:
    """Rules 2 to 5."""
    if _answered_here(facts):
        return Reason.ANSWERED
    if kind == "call.incoming" and facts.call is not None and facts.call.ended:
        return Reason.ENDED
    if _answered_by_another(facts):
        return Reason.ANSWERED_ELSEWHERE
    if _never_rang(facts):
        return Reason.FORWARDED
    if kind == "call.missed" and _has_voicemail(facts):
        return Reason.SUPERSEDED_BY_VOICEMAIL
    return None


def _waits_for_the_second_stage(facts: Facts) -> bool:
    return _stage(facts) == "second" and not (facts.event.call is not None and facts.event.call.ring_stage == 2)


def _kind(facts: Facts) -> str:
    disposition = facts.event.outcome.disposition
    if facts.event.kind is EventKind.CALL_ENDED and disposition in MISSED_ENDINGS:
        return "call.missed"
    return facts.event.kind.value


def _too_old(facts: Facts, kind: str) -> bool:
    stated = {str(key): seconds for key, seconds in facts.policy.max_age_seconds.items()}
    seconds = stated.get(kind, AGES.get(kind))
    if seconds is None:
        return False
    if kind == "call.incoming" and isinstance(facts.settings, StatusSettings):
        # The push could not be sent after the ring timeout (its deadline): the decision says so.
        seconds = min(seconds, facts.settings.ring_timeout_seconds)
    happened = facts.event.occurred_at if facts.event.occurred_at is not None else facts.now
    return facts.now - min(happened, facts.now) > seconds * 1000


def _answered_here(facts: Facts) -> bool:
    by = facts.event.outcome.answered_by
    here = facts.event.outcome.disposition == "answered" and by in (None, facts.event.extension)
    return here or (facts.call is not None and facts.call.answered_here)


def _answered_by_another(facts: Facts) -> bool:
    by = facts.event.outcome.answered_by
    other = by is not None and by != facts.event.extension
    said = facts.event.outcome.disposition == "answered_elsewhere" or other
    return said or (facts.call is not None and facts.call.answered_elsewhere)


def _via(facts: Facts) -> str:
    if facts.event.call is not None and facts.event.call.via is not None:
        return facts.event.call.via.value
    if facts.call is not None and facts.call.via is not None:
        return facts.call.via.value
    return Via.DIRECT.value


def _never_rang(facts: Facts) -> bool:
    if facts.event.outcome.disposition is Disposition.FORWARDED:
        return True
    if facts.call is not None and facts.call.forwarded:
        return True
    internal = facts.event.call is not None and facts.event.call.direction is Direction.INTERNAL
    forwarding = facts.settings.call_forwarding
    always = forwarding.internal.always if internal else forwarding.external.always
    return always.enabled and _via(facts) == "direct"


def _has_voicemail(facts: Facts) -> bool:
    one_is_enough = facts.policy.missed_with_voicemail is MissedWithVoicemail.VOICEMAIL_ONLY
    return one_is_enough and facts.call is not None and facts.call.voicemail


def _push_switched_off(facts: Facts, kind: str) -> bool:
    if kind == "call.incoming" and not facts.policy.wake_needs_accept_push:
        return False
    return not facts.settings.accept_push_notifications and not _bypassed(facts)


def _stage(facts: Facts) -> str:
    """`not asked`, `first`, `second` or `none`: where the mobile client rings."""
    if not isinstance(facts.settings, StatusSettings) or _via(facts) in ("ring_group", "queue"):
        return "not asked"
    if "mobile_client" in facts.settings.ring_strategy.ring_first:
        return "first"
    return "second" if "mobile_client" in facts.settings.ring_strategy.ring_secondly else "none"


def _only_digits(number: str) -> str:
    return "".join(sign for sign in number if sign in "0123456789")


def _bypassed(facts: Facts) -> bool:
    number = _only_digits(facts.event.caller.number)
    if not number:
        return False
    if facts.policy.bypass.vip and any(_only_digits(vip) == number for vip in facts.vip_callers):
        return True
    happened = min(facts.event.occurred_at if facts.event.occurred_at is not None else facts.now, facts.now)
    twice = any(
        _only_digits(earlier.number) == number
        and abs(happened - earlier.at) <= THREE_MINUTES
        and facts.event.call is not None
        and earlier.call_id != facts.event.call.id
        for earlier in facts.recent_calls
    )
    return facts.policy.bypass.repeat_caller and twice


def _takes(device: DeviceFacts, kind: str) -> bool:
    wanted = {
        "call.missed": PushKind.CALL_MISSED,
        "call.incoming": PushKind.CALL_INCOMING,
        "voicemail.new": PushKind.VOICEMAIL_NEW,
        "voicemail.mailbox": PushKind.BADGE,
    }[kind]
    if device.muted or device.state != "active" or wanted not in device.kinds:
        return False
    rings = kind == "call.incoming"
    if device.rings_only and not rings:
        return False
    return not (rings and device.provider == "apns" and not device.has_voip_token)
