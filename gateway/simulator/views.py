"""What the simulator lets others see: phones, pushes, counts. Shared by the control API and its client.

Times are milliseconds since the epoch, UTC. Tokens are shown in full: they belong to no real phone.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.domain.device import Environment, Provider


class PhoneState(StrEnum):
    """How a provider answers for a token."""

    OK = "ok"
    BAD = "bad"
    """APNs 400 BadDeviceToken; FCM 400 INVALID_ARGUMENT."""
    UNREGISTERED = "unregistered"
    """APNs 410 Unregistered with `timestamp`; FCM 404 UNREGISTERED."""
    EXPIRED = "expired"
    """APNs 410 ExpiredToken with `timestamp`; FCM 404 UNREGISTERED."""
    WRONG_TOPIC = "wrong_topic"
    """APNs 400 DeviceTokenNotForTopic."""
    THROTTLED = "throttled"
    """APNs 429 TooManyRequests; FCM 429 QUOTA_EXCEEDED with Retry-After."""
    SENDER_MISMATCH = "sender_mismatch"
    """FCM 403 SENDER_ID_MISMATCH."""
    OFFLINE = "offline"
    """Pushes are accepted and stored as far as the provider stores; they arrive when the phone is `ok` again."""


class Fate(StrEnum):
    """What became of a push."""

    SHOWN = "shown"
    """A notification the user sees (it may have replaced another)."""
    RANG = "rang"
    """The app was woken to ring."""
    SILENT = "silent"
    """Nothing visible: badge only, background or data."""
    STORED = "stored"
    """The phone was offline when it came; what became of it later is seen on the phone."""
    EXPIRED = "expired"
    """It was too late when it arrived at the phone."""
    DROPPED = "dropped"
    """The phone was offline and the provider does not store it."""
    VALIDATED = "validated"
    """FCM `validate_only`."""
    REFUSED = "refused"
    """The provider refused it, or a fault swallowed it: no phone has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNotification:
    """One entry of a phone's notification list, after replacement by collapse id or tag."""

    title: str
    body: str
    sound: bool
    """False: quiet (no sound, passive, or a quiet channel)."""
    badge: int | None
    """The badge that came with it; None: it brought none."""
    thread: str
    """APNs thread-id; Android channel id."""
    kind: str
    """`pbx.kind` (FCM: `data.kind`)."""
    collapse: str
    """apns-collapse-id, or Android tag; empty: replaces nothing."""
    push_id: str
    at: int
    replaced: int
    """How many earlier notifications this one replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """One wake-up for an incoming call."""

    push_id: str
    call_id: str
    caller_number: str
    caller_name: str
    kind: str
    expires_at: int | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPush:
    """One push as it came over the wire."""

    seq: int
    """Counts all pushes of the simulator from 1; the cursor of `GET /pushes`."""
    provider: Provider
    environment: Environment
    token: str
    """Device token or Firebase installation id; empty: the request named none."""
    topic: str
    push_id: str
    """apns-id (given or made up), or `data.push_id`."""
    at: int
    status: int
    """HTTP status answered; 0: a fault let it without an answer."""
    reason: str
    """APNs reason or FCM error code; empty: accepted."""
    fate: Fate
    headers: dict[str, str]
    payload: Any
    """The decoded JSON body; None when it was not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One device token (or installation id) and what its owner sees."""

    token: str
    provider: Provider
    environment: Environment
    state: PhoneState
    topic: str
    """Full topic that the token belongs to (`.voip` included); empty: not known yet, the next push decides."""
    since: int | None
    """Since when the token is dead (`timestamp` of a 410)."""
    badge: int | None
    shown: tuple[ShownNotification, ...]
    """Oldest first."""
    rings: tuple[Ring, ...]
    received: tuple[ReceivedPush, ...]
    """The newest 200 pushes addressed to it, oldest first, refused ones too; repeats as often as they came."""
    received_count: int
    """Pushes that the provider accepted for it, repeats included."""
    stored: int
    """Undelivered pushes held for it while it is offline."""
    deleted_messages: int
    """How often Android's `onDeletedMessages` would have been called."""

    @property
    def last(self) -> ShownNotification | None:
        """The newest notification on the screen."""
        return self.shown[-1] if self.shown else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPage:
    """A part of the recorded pushes, oldest first."""

    items: tuple[ReceivedPush, ...]
    next: int
    """Give it as `after` to read on."""
    lost: int
    """Pushes after `after` that had already left the ring buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCount:
    """How often one answer was given."""

    provider: str
    """`apns`, `fcm` or `oauth`."""
    status: int
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Connections of one listener."""

    listener: str
    """`apns`, `apns_sandbox` or `fcm`."""
    open: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts since the start or the last reset."""

    pushes: int
    """Push requests, answered or not."""
    accepted: int
    answers: tuple[AnswerCount, ...]
    connections: tuple[Connections, ...]
    violations: dict[str, int] = field(default_factory=dict)
    """What clients did against HTTP/2 or the announced limits: `streams_over_limit`, `flow_control`, ..."""
    cancelled_streams: int = 0
    """RST_STREAM received."""
    max_open_streams: int = 0
    """The most streams that were open at once on one connection."""
    oauth_tokens: int = 0
    """Access tokens handed out."""

    def count(self, provider: str, *, status: int | None = None, reason: str | None = None) -> int:
        """Answers of a provider, of one status and reason where given."""
        return sum(
            answer.count
            for answer in self.answers
            if answer.provider == provider and status in {None, answer.status} and reason in {None, answer.reason}
        )
