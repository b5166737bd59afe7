"""One notification for one device."""

import hashlib
import uuid
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.event import Caller, Millis


class PushKind(StrEnum):
    """What the phone is told. The value is `pbx.kind` in the payload."""

    CALL_INCOMING = "call.incoming"
    """Ring: VoIP push on iOS, high-priority data on Android."""
    CALL_MISSED = "call.missed"
    """Visible: "Missed call"."""
    VOICEMAIL_NEW = "voicemail.new"
    """Visible: "New voicemail"."""
    BADGE = "badge"
    """The app icon's number only."""
    CALL_WITHDRAWN = "call.withdrawn"
    """Replaces a missed call that turned out to be answered: "Call answered", without sound."""
    TEST = "test"
    """Visible: asked for by `POST .../test` or `push-gateway send-test`."""


class Lane(StrEnum):
    """Queues by urgency: ringing never waits behind mail, mail never behind badges."""

    RING = "ring"
    ALERT = "alert"
    BADGE = "badge"


LANE_OF_KIND = {
    PushKind.CALL_INCOMING: Lane.RING,
    PushKind.CALL_MISSED: Lane.ALERT,
    PushKind.VOICEMAIL_NEW: Lane.ALERT,
    PushKind.CALL_WITHDRAWN: Lane.ALERT,
    PushKind.TEST: Lane.ALERT,
    PushKind.BADGE: Lane.BADGE,
}


class PushState(StrEnum):
    """How far a push is."""

    QUEUED = "queued"
    """In the queue, or being sent."""
    DEFERRED = "deferred"
    """Waits for its time: the second ring stage, or the next attempt."""
    PENDING = "pending"
    """Replaces another push once, and only if, that one is accepted."""
    ACCEPTED = "accepted"
    """The provider took it."""
    WITHDRAWN = "withdrawn"
    """Became untrue before it was sent."""
    EXPIRED = "expired"
    """Its deadline passed before it could be sent."""
    TOKEN_GONE = "token_gone"  # noqa: S105 - a state, not a secret
    """The device's token was retired, or the device has moved or was deleted."""
    DEAD = "dead"
    """Given up: among the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One notification for one device. Refers to its device; the token is read at the moment of sending."""

    push_id: str
    """Canonical lower-case UUID derived from event and device (`derive_push_id`); `apns-id` on every attempt."""
    event_id: str
    tenant: str
    extension: str
    device_id: str
    kind: PushKind
    collapse_id: str
    """At most 64 bytes: `apns-collapse-id`, FCM `tag`; the same for every push about one call."""
    occurred_at: Millis
    deadline: Millis
    """Never sent after this."""
    not_before: Millis | None = None
    """Not sent before this; None: at once."""
    badge: int | None = None
    quiet: bool = False
    """No sound, passive: the status is one of `policy.quiet_statuses`, or it only replaces another notification."""
    call_id: str | None = None
    caller: Caller = Caller()
    voicemail_message_id: str | None = None
    voicemail_seconds: int | None = None
    answered_by: str | None = None
    """For `call.withdrawn`."""
    replaces: str | None = None
    """For `call.withdrawn`: the push id of the missed call that it replaces."""

    @property
    def lane(self) -> Lane:
        """The queue this push waits in."""
        return LANE_OF_KIND[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to send a push, for the journal."""

    at: Millis
    outcome: str
    """Class name of the outcome in snake case: `accepted`, `try_later`, ..."""
    status: int | None = None
    reason: str = ""
    milliseconds: int = 0

    @property
    def leaves_open(self) -> bool:
        """Whether a phone may have the push although nobody said so: no answer came, or one from a server that failed
        in the midst of it (500, 502, 504). A 503 is a refusal."""
        return self.outcome == "unknown" or self.status in _FAILED_ON_THE_WAY


_FAILED_ON_THE_WAY = frozenset({500, 502, 504})

_NAMESPACE = uuid.UUID("6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52")


def derive_push_id(event_id: str, device_id: str, kind: PushKind) -> str:
    """The push's id from what it is about, so that a repeat has the same id (DESIGN invariant 3)."""
    return str(uuid.uuid5(_NAMESPACE, f"{event_id}\n{device_id}\n{kind}"))


def derive_collapse_id(tenant: str, extension: str, about: str) -> str:
    """32 hex characters from tenant, extension and `about` (the call id, or a voicemail's message id).

    Within Apple's 64 bytes for `apns-collapse-id`; nothing of the call can be read from it.
    """
    digest = hashlib.sha256("\x1f".join((tenant, extension, about)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]
