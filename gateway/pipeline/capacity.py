"""Whether there is room for more: refused early with 503, so that what was accepted is still served."""

from dataclasses import dataclass

from gateway.domain.errors import StoreUnavailable
from gateway.settings import StoreSettings


@dataclass(slots=True)
class Capacity:
    """The last measured fill of the store, against its limits."""

    limits: StoreSettings
    queued: int = 0
    used_memory: int = 0

    def require(self) -> None:
        """Raises `StoreUnavailable` while the queue or the memory is over its limit."""
        if (why := self.full()) is not None:
            raise StoreUnavailable(why, retry_after_seconds=5)

    def full(self) -> str | None:
        """What is full; None: there is room."""
        if self.queued >= self.limits.max_queue_depth:
            return "the queue is full"
        if self.limits.max_memory_bytes and self.used_memory >= self.limits.max_memory_bytes:
            return "the store's memory is full"
        return None
