"""What a provider's answer means. A closed union: whoever takes an `Outcome` matches every member."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.event import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the push."""

    provider_id: str = ""
    """`apns-id`, or FCM's message name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGone:
    """The token is dead by the provider's proof (APNs 410, FCM UNREGISTERED): retire it."""

    reason: str
    since: Millis | None = None
    """When the provider last saw it dead; a registration newer than this stays (APNs `timestamp`). None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """Malformed, or of the other environment (APNs BadDeviceToken): try the other environment once, then retire."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """A passing trouble with this push or this device: repeat it later."""

    reason: str
    after_seconds: float | None = None
    """The provider's Retry-After; None: it gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTrouble:
    """Trouble that every push of this app would meet (credentials, quota, storm): keep the pushes, open the circuit."""

    reason: str
    after_seconds: float | None = None
    """The provider's Retry-After; None: it gave none."""
    configuration: bool = True
    """True: a person has to mend it (credentials); False: it passes by itself (quota, outage)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The provider will never take this push: dead letter."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The provider surely did not process it (no connection, refused stream): safe to repeat."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Sent, and no usable answer: repeated only under the same push id and collapse id."""

    reason: str


Outcome: TypeAlias = Accepted | TokenGone | TokenRefused | TryLater | AppTrouble | Refused | NotSent | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An outcome with what was seen on the wire, for the journal."""

    outcome: Outcome
    status: int | None = None
    """HTTP status; None when no answer came."""
    milliseconds: int = 0
    """From handing the request to the wire until the answer."""
