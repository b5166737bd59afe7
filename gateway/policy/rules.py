"""When a phone is told: the rules, in order. The first that speaks decides; all are asked, so that every answer can
be explained.

| # | rule | asks | kinds |
|---|---|---|---|
| 1 | expired | older than its kind stays worth telling? | every kind with an age |
| 2 | answered | did a device of this extension answer? | missed, incoming |
| 2a | ended | is the call already over? | incoming |
| 3 | answered_elsewhere | did somebody else answer? | missed, incoming |
| 4 | forwarded | did the extension never ring? | missed, incoming |
| 5 | superseded_by_voicemail | did the caller leave a message? | missed |
| 6 | push_disabled | is Accept Push Notifications off? | missed, voicemail, mailbox (incoming by option) |
| 7 | do_not_disturb | is the status Do Not Disturb? | incoming |
| 8 | mobile_not_in_ring_strategy | is the mobile client in no ring stage? | missed, incoming |
| 9 | ring_secondly | is it only in the second stage? | incoming |
| 10 | no_device | does no device take this kind? | all |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.domain.decision import Action, Facts, Reason
from gateway.domain.event import Direction, Disposition, EventKind, Millis, Via
from gateway.domain.presence import Endpoint, RingStrategy, Status, StatusSettings, forwards_always
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import MissedWithVoicemail
from gateway.policy import call as calls
from gateway.policy.bypass import bypass

MISSED = EventKind.CALL_MISSED
INCOMING = EventKind.CALL_INCOMING
VOICEMAIL = EventKind.VOICEMAIL_NEW
MAILBOX = EventKind.VOICEMAIL_MAILBOX

PUSH_KIND = {
    MISSED: PushKind.CALL_MISSED,
    INCOMING: PushKind.CALL_INCOMING,
    VOICEMAIL: PushKind.VOICEMAIL_NEW,
    MAILBOX: PushKind.BADGE,
}
"""What a phone is told about each kind that has a notification; the other kinds only change state."""


@dataclass(frozen=True, slots=True)
class Speaks:
    """The rule's verdict."""

    detail: str
    action: Action = Action.SUPPRESS
    not_before: Millis | None = None


@dataclass(frozen=True, slots=True)
class Passes:
    """Asked, and nothing to say."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Does not apply here, and why."""

    detail: str


Word: TypeAlias = Speaks | Passes | NotAsked


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. Its name is the reason it gives."""

    reason: Reason
    kinds: frozenset[EventKind]
    ask: Callable[[Facts], Word]
    needless: Mapping[EventKind, str] = field(default_factory=dict)
    """Kinds for which it is worth saying why it is not asked."""

    def word(self, facts: Facts) -> Word:
        """What the rule says about these facts."""
        if facts.kind not in self.kinds:
            why = self.needless.get(facts.kind)
            return NotAsked(f"not asked for {facts.kind}: {why}" if why else f"not asked for {facts.kind}")
        return self.ask(facts)


def lifetime(facts: Facts) -> Millis | None:
    """How long after it happened the event is worth telling, in milliseconds; None: it has no age.

    A call rings no longer than the status's ring timeout.
    """
    seconds = facts.policy.max_age(facts.kind)
    if seconds is None:
        return None
    if facts.kind is INCOMING and isinstance(facts.settings, StatusSettings):
        seconds = min(seconds, facts.settings.ring_timeout_seconds)
    return seconds * 1000


def expired(facts: Facts) -> Word:
    """Rule 1. A time in the future counts as the time of receipt."""
    limit = lifetime(facts)
    if limit is None:
        return NotAsked(f"{facts.kind} has no age")
    age = facts.now - facts.happened_at
    said = f"{age / 1000:.0f} s old, worth telling for {limit / 1000:.0f} s"
    return Speaks(said) if age > limit else Passes(said)


def answered(facts: Facts) -> Word:
    """Rule 2."""
    if calls.answered_here(facts.event) or (facts.call is not None and facts.call.answered_here):
        return Speaks("a device of this extension answered the call")
    return Passes("no device of this extension answered")


def ended(facts: Facts) -> Word:
    """Rule 2a."""
    if facts.call is not None and facts.call.ended:
        return Speaks("the call is already over")
    return Passes("the call is not known to be over")


def answered_elsewhere(facts: Facts) -> Word:
    """Rule 3."""
    known = facts.call is not None and facts.call.answered_elsewhere
    if known or calls.answered_elsewhere(facts.event):
        who = facts.event.outcome.answered_by or (facts.call.answered_by if facts.call else None)
        return Speaks(f"answered by {who}" if who else "answered elsewhere")
    return Passes("nobody else is known to have answered")


def forwarded(facts: Facts) -> Word:
    """Rule 4: by the PBX's word, or because the status forwards always and the call came directly."""
    known = facts.call is not None and facts.call.forwarded
    if known or facts.event.outcome.disposition is Disposition.FORWARDED:
        return Speaks("the PBX says that the call was forwarded")
    direction = facts.event.call.direction if facts.event.call else Direction.INBOUND
    via = calls.via_of(facts)
    if not forwards_always(facts.settings, direction):
        return Passes(f"{_status(facts)} does not always forward {direction} calls")
    if via is not Via.DIRECT:
        return Passes(f"{_status(facts)} always forwards {direction} calls, but this one came via {via}")
    return Speaks(f"{_status(facts)} always forwards {direction} calls: the extension never rang")


def superseded_by_voicemail(facts: Facts) -> Word:
    """Rule 5. The disposition `voicemail` alone proves no message."""
    if facts.policy.missed_with_voicemail is MissedWithVoicemail.BOTH:
        return NotAsked("policy.missed_with_voicemail is both")
    if facts.call is not None and facts.call.voicemail:
        return Speaks("a voicemail of this call is known")
    return Passes("no voicemail of this call is known")


def push_disabled(facts: Facts) -> Word:
    """Rule 6: the switch Accept Push Notifications of the current status."""
    if facts.kind is INCOMING and not facts.policy.wake_needs_accept_push:
        return NotAsked("ringing belongs to the ring strategy (policy.wake_needs_accept_push is off)")
    if facts.settings.accept_push_notifications:
        return Passes(f"accept_push_notifications is on in {_status(facts)}")
    if why := bypass(facts):
        return Passes(f"accept_push_notifications is off in {_status(facts)}, but bypassed: {why}")
    return Speaks(f"accept_push_notifications is off in {_status(facts)}")


def do_not_disturb(facts: Facts) -> Word:
    """Rule 7."""
    if facts.presence.status == Status.DO_NOT_DISTURB:
        return Speaks("the status is do_not_disturb")
    return Passes(f"the status is {facts.presence.status}")


def mobile_not_in_ring_strategy(facts: Facts) -> Word:
    """Rule 8."""
    strategy = _strategy(facts)
    if isinstance(strategy, NotAsked):
        return strategy
    first = Endpoint.MOBILE_CLIENT in strategy.ring_first
    secondly = Endpoint.MOBILE_CLIENT in strategy.ring_secondly
    if first or secondly:
        return Passes(f"mobile_client is in {'ring_first' if first else 'ring_secondly'} of {_status(facts)}")
    if why := bypass(facts):
        return Passes(f"mobile_client is in neither ring stage of {_status(facts)}, but bypassed: {why}")
    return Speaks(f"mobile_client is in neither ring_first nor ring_secondly of {_status(facts)}")


def ring_secondly(facts: Facts) -> Word:
    """Rule 9: wait for the second stage, unless the event says that it began."""
    strategy = _strategy(facts)
    if isinstance(strategy, NotAsked):
        return strategy
    first = Endpoint.MOBILE_CLIENT in strategy.ring_first
    secondly = Endpoint.MOBILE_CLIENT in strategy.ring_secondly
    if first or not secondly:
        return Passes("mobile_client is not only in ring_secondly")
    if facts.event.call is not None and facts.event.call.ring_stage == 2:
        return Passes("mobile_client is in ring_secondly, and the second stage rings")
    seconds = _first_stage_seconds(facts)
    return Speaks(
        f"mobile_client is only in ring_secondly of {_status(facts)}: waits {seconds} s",
        action=Action.DEFER,
        not_before=facts.happened_at + seconds * 1000,
    )


def no_device(facts: Facts) -> Word:
    """Rule 10."""
    kind = PUSH_KIND[facts.kind]
    taking = [device.device_id for device in facts.devices if device.takes(kind)]
    if taking:
        return Passes(f"told: {', '.join(taking)}")
    if not facts.devices:
        return Speaks("no device is registered")
    return Speaks(f"none of {len(facts.devices)} registered devices takes {kind} (kinds, muted, state, voip_token)")


def _first_stage_seconds(facts: Facts) -> int:
    longest = facts.settings.ring_timeout_seconds if isinstance(facts.settings, StatusSettings) else 300
    return min(facts.policy.ring_first_seconds, longest)


def _status(facts: Facts) -> str:
    if facts.settings_of == facts.presence.status:
        return facts.settings_of
    return f"{facts.settings_of} (which stands for the undeclared status {facts.presence.status})"


def _strategy(facts: Facts) -> RingStrategy | NotAsked:
    via = calls.via_of(facts)
    if not isinstance(facts.settings, StatusSettings):
        return NotAsked("do_not_disturb has no ring strategy")
    if via in (Via.RING_GROUP, Via.QUEUE):
        return NotAsked(f"the call came via {via}: the PBX rings all endpoints")
    return facts.settings.ring_strategy


_ABOUT_CALLS = frozenset({MISSED, INCOMING})
_TELLING = frozenset(PUSH_KIND)
_NOTHING_RANG = {VOICEMAIL: "nothing rang", MAILBOX: "nothing rang"}

RULES: tuple[Rule, ...] = (
    Rule(Reason.EXPIRED, _TELLING, expired),
    Rule(Reason.ANSWERED, _ABOUT_CALLS, answered),
    Rule(Reason.ENDED, frozenset({INCOMING}), ended),
    Rule(Reason.ANSWERED_ELSEWHERE, _ABOUT_CALLS, answered_elsewhere),
    Rule(Reason.FORWARDED, _ABOUT_CALLS, forwarded),
    Rule(Reason.SUPERSEDED_BY_VOICEMAIL, frozenset({MISSED}), superseded_by_voicemail),
    Rule(Reason.PUSH_DISABLED, _TELLING, push_disabled),
    Rule(Reason.DO_NOT_DISTURB, frozenset({INCOMING}), do_not_disturb),
    Rule(Reason.MOBILE_NOT_IN_RING_STRATEGY, _ABOUT_CALLS, mobile_not_in_ring_strategy, _NOTHING_RANG),
    Rule(Reason.RING_SECONDLY, frozenset({INCOMING}), ring_secondly, _NOTHING_RANG),
    Rule(Reason.NO_DEVICE, _TELLING, no_device),
)
