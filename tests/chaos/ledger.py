"""What a run of the chaos suite wrote down, from every side: what the PBX sent, what the gateway's journal says, what
came over the wire, what phones show. Facts only; the accountant judges them.

Times are milliseconds since the epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.event import Millis


class Says(StrEnum):
    """What an event says about its call."""

    RINGS = "rings"
    MISSED = "missed"
    TAKEN = "taken"
    """Answered, here or elsewhere: it was no missed call."""
    VOICEMAIL = "voicemail"
    """The caller left a message: its notification stands for the missed call too."""
    NOTHING = "nothing"
    """It is about no call."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An extension of a tenant."""

    tenant: str
    extension: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """An event as the PBX sent it, as often as it took."""

    key: str
    """The sender's own name of the event."""
    place: Place
    says: Says
    call_id: str | None = None
    deadline: Millis | None = None
    """After which none of its notifications may be sent."""
    lasting: bool = True
    """What it causes is good for hours: it has no business to expire during a run."""
    posts: int = 1
    first_posted_at: Millis = 0
    acknowledged_at: Millis | None = None
    event_ids: tuple[str, ...] = ()
    """Every different event id that it was acknowledged with; empty: it never was."""

    @property
    def acknowledged(self) -> bool:
        """Whether the gateway took it."""
        return bool(self.event_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalAttempt:
    """One try to send a push, as the journal has it."""

    at: Millis
    """When its answer came, or was waited for no longer."""
    milliseconds: int
    """Since it was handed to the connection."""
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPush:
    """A push as the journal has it."""

    push_id: str
    device_id: str
    kind: str
    state: str
    attempts: tuple[JournalAttempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEvent:
    """An event as the journal has it."""

    event_id: str
    place: Place
    action: str
    reason: str
    decided: tuple[str, ...] = ()
    """Push ids that the decision named."""
    pushes: tuple[JournalPush, ...] = ()
    """Every push of the event, with those that replace others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePush:
    """One request for a push, as it reached the provider."""

    seq: int
    at: Millis
    token: str
    push_id: str
    kind: str
    place: Place
    call_id: str
    loud: bool
    """It makes itself heard; a quiet one only puts something in another's place."""
    status: int
    """0: it got no answer."""
    reason: str
    delivered: bool
    """The phone has it, whatever its sender was answered."""
    too_late: bool = False
    """It came to the phone after its own expiration, which Apple takes in whole seconds: the phone does not show it."""
    badge: int | None = None
    """The number that it puts on the app's icon."""
    expires_at: Millis | None = None
    """What the request itself says; None: it does not, or only in relation to its arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One notification on a phone's screen."""

    collapse: str
    kind: str
    push_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a phone shows at the end."""

    badge: int | None
    shown: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A token, and whose it was from when to when."""

    token: str
    place: Place
    device_id: str
    since: Millis
    """When the registration was posted: from then on it may be in force."""
    until: Millis | None = None
    """When another registration of the token was acknowledged; None: it still is this device's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxLine:
    """One item of an extension's inbox."""

    event_id: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One whole run."""

    posted: tuple[Posted, ...] = ()
    journal: Mapping[str, JournalEvent] = field(default_factory=dict)
    wire: tuple[WirePush, ...] = ()
    screens: Mapping[str, Screen] = field(default_factory=dict)
    """By token."""
    registrations: tuple[Registration, ...] = ()
    disturbed: frozenset[str] = frozenset()
    """Tokens of phones that were off, dead, throttled, moved or met refusals: what they show proves nothing."""
    badges: Mapping[Place, int] = field(default_factory=dict)
    """The badge as the API gives it, of extensions whose phones are told of everything."""
    inboxes: Mapping[Place, tuple[InboxLine, ...]] = field(default_factory=dict)
    """Newest first."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Pushes that still wait after quiet, by lane, and `later` for those that wait for their time."""
    dead_letters: tuple[str, ...] = ()
    scripted_refusals: frozenset[tuple[int, str]] = frozenset()
    """Answers (status, reason) that were scripted and are refusals for good."""
    repeats_allowed: int = 0
    """How many pushes may have reached a phone more than once, for the harm that was done."""
    crashes: tuple[str, ...] = ()
    """Unexpected errors in the logs of the processes, and exit codes that should have been 0."""
