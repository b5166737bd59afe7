"""What the store answers: closed sets of values, one line of meaning each."""

from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.domain.decision import EventRecord
from gateway.domain.device import Device
from gateway.domain.event import Millis
from gateway.domain.extension import Unread
from gateway.domain.push import Attempt, Lane, Push, PushState


@dataclass(frozen=True, slots=True)
class Stored:
    """Event, decision and pushes are in the store, on disk as the store's `fsync` says."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The event was accepted before; nothing was written."""

    event_id: str
    """The first acceptance."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The extension changed since it was read; nothing was written. Load, decide and accept again."""


Acceptance: TypeAlias = Stored | Duplicate | Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A device was written."""

    created: bool
    """False: it was registered before and is replaced."""
    moved_from: tuple[str, str, str] | None = None
    """Tenant, extension and device id that had one of its tokens. May be another tenant's: not to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One push taken from a lane. Whoever holds it settles it, once."""

    shard: int
    lane: Lane
    tenant: str
    entry_id: str
    push_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A leased push as it is right now."""

    push: Push
    state: PushState
    withdrawn: bool
    """It became untrue while it waited: settle it as `withdrawn`, do not send it."""
    attempts: int
    """Attempts that count for the backoff."""
    device: Device | None
    """None: deleted, or its token is another device's by now."""
    unread: Unread
    """What the badge counts now; a push may have been planned with an older number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A lease ended by this call."""

    unread: Unread | None
    """Of an accepted push: what the badge counts now. None: it was not accepted, nothing was ever counted, or another
    push follows it and brings the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDepth:
    """How full a lane is."""

    depth: int
    """Waiting or being sent; without those that wait for their time."""
    oldest_ms: int | None
    """Age of the oldest entry in milliseconds; None: the lane is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRecord:
    """A push with what became of it."""

    push: Push
    state: PushState
    attempts: tuple[Attempt, ...] = ()
    receipt_at: Millis | None = None
    """When the app confirmed that it showed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events, newest first."""

    items: tuple[EventRecord, ...]
    next: str | None = None
    """Cursor of the next page; None: this is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The first request under a delivery id, and whether this one is it."""

    first: bool
    digest: str
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An extension and one of its devices."""

    extension: str
    device_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A token that turned up somewhere else, as the tenant's audit list keeps it. Holds no token."""

    at: Millis
    origin: Place | None = None
    """None: it belonged to another tenant."""
    target: Place | None = None
    """None: it belongs to another tenant now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """Whether the store can be written right now."""

    ok: bool
    detail: str
    """For a person: what is wrong, or `ok`. Never holds a password."""
    latency_ms: float = 0.0
    """One write and its answer."""
    server: str = ""
    """Name and version of the server."""
    used_memory: int = 0
    """Bytes; of the fullest node in a cluster."""
    fsync: str = ""
    """`always`, `everysec` or `no`; empty: the server does not tell."""
    notes: tuple[str, ...] = field(default=())
    """Settings of the server that weaken a promise (eviction, no append-only file)."""
