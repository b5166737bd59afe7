"""The running parts, as the web and the worker get them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.event import Millis
from gateway.pipeline.capacity import Capacity
from gateway.pipeline.delivery import Delivery
from gateway.pipeline.diagnosis import Diagnosis
from gateway.pipeline.inbox import InboxService
from gateway.pipeline.intake import Intake
from gateway.pipeline.pbx import Connector
from gateway.pipeline.presence import PresenceService
from gateway.providers import Sender
from gateway.settings import Settings
from gateway.store import Store
from gateway.telemetry.metrics import Metrics


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


STILL_AFTER: Millis = 15_000
"""A turn of the worker that has not come to its end so long after it was to begin does not move."""


@dataclass(slots=True)
class WorkerHealth:
    """Whether the queue moves in this process: each kind of turn, when its present one was to begin, and what stopped
    the last."""

    turns: dict[str, Millis] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def alive(self, turn: str, now: Millis, *, rests: Millis = 0) -> None:
        """A turn came to its end; the next begins after its rest."""
        self.turns[turn] = now + rests
        self.failures.pop(turn, None)

    def failed(self, turn: str, why: str) -> None:
        """A turn failed; it is tried again."""
        self.failures[turn] = why

    def trouble(self, now: Millis) -> str | None:
        """What does not move; None: all does."""
        for turn, why in self.failures.items():
            return f"{turn.strip('_')}: {why}"
        for turn, at in self.turns.items():
            if now - at > STILL_AFTER:
                return f"{turn.strip('_')}: no turn for {(now - at) // 1000} s"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a request or a worker may need; made by `bootstrap`, and nowhere else."""

    settings: Settings
    role: Role
    store: Store
    senders: Mapping[str, Sender]
    intake: Intake
    presence: PresenceService
    inbox: InboxService
    delivery: Delivery
    diagnosis: Diagnosis
    capacity: Capacity
    metrics: Metrics
    clock: Callable[[], Millis]
    started_at: Millis
    worker: WorkerHealth = field(default_factory=WorkerHealth)
    connectors: Mapping[str, Connector] = field(default_factory=dict)
    """By source; none in a process that only answers requests."""
