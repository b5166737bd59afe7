"""How a push leaves the queue: always in one atomic step together with what came of it (DESIGN invariant 4)."""

from dataclasses import dataclass

from gateway.domain.device import DeviceState, Environment
from gateway.domain.event import Millis
from gateway.domain.push import Attempt, PushState


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChange:
    """What an outcome teaches about a device. Void when the device has registered again since `registered_at`.

    None leaves a field as it is.
    """

    registered_at: Millis
    last_accepted_at: Millis | None = None
    last_error: str | None = None
    """An empty string clears it."""
    state: DeviceState | None = None
    environment: Environment | None = None
    tried_other_environment: bool | None = None
    voip_state: DeviceState | None = None
    voip_environment: Environment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of a lease."""

    state: PushState
    """`accepted`, `withdrawn`, `expired`, `token_gone`, `dead`, or `deferred` with `due`."""
    attempt: Attempt | None = None
    """What was tried; None: nothing was sent."""
    due: Millis | None = None
    """When a deferred push comes back to the queue."""
    counts: bool = True
    """Whether the attempt counts for the backoff: not while a circuit is open."""
    device: DeviceChange | None = None
