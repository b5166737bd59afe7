"""Bodies about the gateway's own health."""

from enum import StrEnum

from pydantic import Field

from gateway.web.models import AnswerModel, Timestamp, is_none


class HealthStatus(StrEnum):
    """How well something can do its job."""

    OK = "ok"
    DEGRADED = "degraded"
    """Something is wrong, and nothing is lost: pushes are kept."""
    DOWN = "down"


class CheckAnswer(AnswerModel):
    """One check."""

    status: HealthStatus
    detail: str


class ChecksAnswer(AnswerModel):
    """What was checked."""

    store: CheckAnswer
    queue: CheckAnswer
    providers: CheckAnswer
    user_tokens: CheckAnswer


class ReadyAnswer(AnswerModel):
    """Whether the gateway can do its job."""

    status: HealthStatus
    checks: ChecksAnswer


class LiveAnswer(AnswerModel):
    """The process lives."""

    status: HealthStatus = HealthStatus.OK


class StoreAnswer(AnswerModel):
    """The store."""

    server: str
    latency_ms: float
    used_memory_bytes: int
    fsync: str
    notes: tuple[str, ...]


class LaneAnswer(AnswerModel):
    """One lane of the queue."""

    depth: int
    oldest_seconds: float | None = Field(description="Age of the oldest entry; null: the lane is empty.")


class SenderAnswer(AnswerModel):
    """One app's way to its provider."""

    provider: str
    up: bool
    circuit: str
    retry_at: Timestamp | None
    last_accepted_at: Timestamp | None
    last_error: str | None
    last_error_at: Timestamp | None
    credential_expires_at: Timestamp | None


class ConnectorAnswer(AnswerModel):
    """One source's way to its PBX."""

    kind: str
    last_success_at: Timestamp | None
    last_error: str | None
    last_error_at: Timestamp | None
    next_sync_at: Timestamp | None = Field(
        description="When presence settings are read next; null: they are not synchronised."
    )


class HealthAnswer(AnswerModel):
    """Everything that operations may want to see at one glance."""

    status: HealthStatus
    version: str
    role: str
    started_at: Timestamp
    uptime_seconds: int
    checks: ChecksAnswer
    store: StoreAnswer | None = Field(default=None, exclude_if=is_none, description="Absent while it cannot be asked.")
    queue: dict[str, LaneAnswer] = Field(description="By lane.")
    dead_letters: int | None = Field(description="Pushes that were given up; null while the store is away.")
    providers: dict[str, SenderAnswer] = Field(description="By app.")
    connectors: dict[str, ConnectorAnswer] = Field(
        description="By source. Of this process: one that only answers requests has none."
    )
