"""What a run is asked for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.chaos.cast import Cast
from tests.chaos.disasters import Harshness


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run of the chaos suite."""

    directory: Path
    kills: int = 100
    seed: str = "1"
    store: Literal["embedded", "redis"] = "embedded"
    fsync: Literal["always", "everysec"] = "always"
    events_per_second: float = 40.0
    lease_seconds: float = 3.0
    patience_seconds: float = 120.0
    """A PBX repeats an event for so long."""
    quiet_seconds: float = 900.0
    """How long the end waits for the queue to empty itself; retries wait for up to ten minutes."""
    cast: Cast = field(default_factory=Cast)
    harshness: Harshness = field(default_factory=Harshness)
