"""What a connector remembers of its luck, for `/health`."""

from gateway.domain.event import Clock, Millis
from gateway.pipeline.pbx import ConnectorHealth


class Record:
    """Last success, last error, next sync."""

    def __init__(self, kind: str, *, clock: Clock) -> None:
        self._kind = kind
        self._clock = clock
        self._success_at: Millis | None = None
        self._error: str | None = None
        self._error_at: Millis | None = None
        self.next_sync_at: Millis | None = None

    def succeeded(self) -> None:
        """The PBX answered as it should."""
        self._success_at = self._clock()

    def failed(self, why: str) -> None:
        """It did not; `why` names no secret."""
        self._error, self._error_at = why, self._clock()

    def health(self) -> ConnectorHealth:
        """All of it."""
        return ConnectorHealth(
            kind=self._kind,
            last_success_at=self._success_at,
            last_error=self._error,
            last_error_at=self._error_at,
            next_sync_at=self.next_sync_at,
        )
