"""How the simulator is started."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """Everything `python -m gateway.simulator` can be told. Port 0 takes a free port."""

    directory: Path
    host: str = "127.0.0.1"
    apns_port: int = 2197
    apns_sandbox_port: int | None = None
    """None: ten above `apns_port` (a free port when that is 0)."""
    fcm_port: int = 2198
    control_port: int = 2199
    strict_tokens: bool = False
    """Unknown tokens are refused; otherwise the first push to a well-formed token makes its phone."""
    topics: tuple[str, ...] = ()
    """Bundle ids that the provider keys may push to; others get TopicDisallowed. Empty: any."""
    over_limit: Literal["refuse", "goaway"] = "refuse"
    """A stream above the announced limit gets REFUSED_STREAM, or the connection GOAWAY."""
    history: int = 20_000
    """How many pushes are kept for `GET /pushes`."""
    access_token_seconds: int = 3599

    @property
    def sandbox_port(self) -> int:
        """The port to bind for the sandbox."""
        if self.apns_sandbox_port is not None:
            return self.apns_sandbox_port
        return self.apns_port + 10 if self.apns_port else 0
