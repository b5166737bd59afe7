"""What was decided about an event, from which facts, and why."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.device import DeviceState, Provider
from gateway.domain.event import EventKind, Millis, PbxEvent
from gateway.domain.extension import CallState, RecentCall, Unread
from gateway.domain.presence import AnySettings, Presence
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import TenantPolicy


class Action(StrEnum):
    """What becomes of an event."""

    FORWARD = "forward"
    """Pushes were queued."""
    SUPPRESS = "suppress"
    """No phone is told; the reason says why."""
    DEFER = "defer"
    """Pushes wait for the second ring stage."""
    NONE = "none"
    """The event only changed, or did not change, state."""


class Reason(StrEnum):
    """Why: a closed list, public in answers, metrics and `docs/reasons.md`."""

    ALLOWED = "allowed"
    """No rule spoke against it."""
    EXPIRED = "expired"
    """Older than `max_age_seconds` of its kind."""
    ANSWERED = "answered"
    """A device of this extension answered the call."""
    ENDED = "ended"
    """The call is already over."""
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    """Another member of the group or queue, or a pickup, answered."""
    FORWARDED = "forwarded"
    """The call was forwarded before the extension rang."""
    SUPERSEDED_BY_VOICEMAIL = "superseded_by_voicemail"
    """The caller left a message: its notification stands for the missed call too."""
    PUSH_DISABLED = "push_disabled"
    """Accept Push Notifications is off in the current status."""
    DO_NOT_DISTURB = "do_not_disturb"
    """The extension does not ring in Do Not Disturb."""
    MOBILE_NOT_IN_RING_STRATEGY = "mobile_not_in_ring_strategy"
    """The mobile client is in neither stage of the current status's ring strategy."""
    NO_DEVICE = "no_device"
    """No active device takes this kind."""
    RING_SECONDLY = "ring_secondly"
    """The mobile client rings in the second stage."""
    STATE_CHANGED = "state_changed"
    """The event changed what is known; it has no notification of its own."""
    STATE_UNCHANGED = "state_unchanged"
    """The event told nothing new."""


class Verdict(StrEnum):
    """What one rule said."""

    PASSED = "passed"
    """Asked, and did not speak."""
    DECIDED = "decided"
    """The first that spoke."""
    NOT_APPLICABLE = "not_applicable"
    """Not asked, and why."""
    WOULD_DECIDE = "would_decide"
    """Would have spoken, had no earlier rule decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One rule's word in an explanation."""

    rule: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPush:
    """A push as the decision names it."""

    device_id: str
    push_id: str
    not_before: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict with its reason, its trace and the pushes it plans."""

    action: Action
    reason: Reason
    trace: tuple[TraceStep, ...] = ()
    pushes: tuple[PlannedPush, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What a decision needs to know of a device: no token."""

    device_id: str
    app: str
    provider: Provider
    kinds: frozenset[PushKind]
    muted: bool
    state: DeviceState
    has_voip_token: bool
    """And it is not retired."""
    rings_only: bool = False
    """Registered with a VoIP token alone: it can be rung and shown nothing."""

    def takes(self, kind: PushKind) -> bool:
        """Whether this device is told this kind (POLICY rule 10)."""
        if self.muted or self.state is not DeviceState.ACTIVE:
            return False
        if self.rings_only and kind is not PushKind.CALL_INCOMING:
            return False
        if kind is PushKind.CALL_INCOMING and self.provider is Provider.APNS and not self.has_voip_token:
            return False
        return kind not in _ASKED_FOR or kind in self.kinds


_ASKED_FOR = frozenset({PushKind.CALL_INCOMING, PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW, PushKind.BADGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision was made from. Recorded with it; `policy.decide` gives the same decision again."""

    event_id: str
    tenant: str
    event: PbxEvent
    now: Millis
    """Time of receipt."""
    presence: Presence
    settings_of: str
    """The status whose settings apply; differs from `presence.status` for an undeclared one."""
    settings: AnySettings
    call: CallState | None
    unread: Unread
    devices: tuple[DeviceFacts, ...]
    policy: TenantPolicy
    vip_callers: tuple[str, ...] = ()
    recent_calls: tuple[RecentCall, ...] = ()
    source: str = ""
    """Name of the source, or `api:<key name>`: who sets a presence."""

    @property
    def happened_at(self) -> Millis:
        """When it happened; a time in the future counts as the time of receipt."""
        occurred = self.event.occurred_at
        return self.now if occurred is None else min(occurred, self.now)

    @property
    def kind(self) -> EventKind:
        """The kind by which the event is decided."""
        return self.event.policy_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An accepted event as the journal keeps it."""

    event_id: str
    tenant: str
    source: str
    """Name of the source, or `api:<key name>`."""
    received_at: Millis
    facts: Facts
    decision: Decision
