"""What passes between a connection and the service behind it, whatever the HTTP version."""

from dataclasses import dataclass
from typing import Protocol

from gateway.domain.device import Environment
from gateway.simulator.faults import Answer
from gateway.simulator.frames import Response


@dataclass(slots=True)
class Request:
    """A request; its body is set when it is whole. Pseudo headers are not among `headers`."""

    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names; of a repeated header the last value."""
    repeated: tuple[str, ...]
    """Names of headers that came more than once."""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """What a fault can match on."""

    provider: str
    """`apns`, `fcm` or `oauth`."""
    environment: Environment
    path: str
    token: str
    topic: str


@dataclass(frozen=True, slots=True)
class Scripted:
    """A fault has taken this request: what its sender is told, if anything."""

    status: int
    """0: nothing."""
    reason: str
    deliver: bool
    """Process it all the same."""


class Session(Protocol):
    """The service as one connection sees it."""

    limit: int
    """How many streams may be open; may change with every request."""

    def handle(self, request: Request, scripted: Scripted | None = None) -> Response:
        """Check, deliver and record a request; a scripted one is only delivered if its script says so."""
        ...

    def addressed(self, request: Request) -> Addressed:
        """What faults match on."""
        ...

    def scripted_response(self, request: Request, answer: Answer) -> Response:
        """A scripted answer in this provider's words; `answer.status` is set."""
        ...
