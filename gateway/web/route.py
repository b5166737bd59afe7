"""One row of the route table: the router, the gate and the OpenAPI document are all made from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from aiohttp import web

from gateway.web.access import Access
from gateway.web.models import RequestModel

RouteHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = "application/json"


class Section(StrEnum):
    """Chapters of the document."""

    EVENTS = "Events"
    DEVICES = "Devices"
    PRESENCE = "Presence"
    DECISIONS = "Decisions and history"
    INBOX = "Inbox"
    ADMIN = "Dead letters"
    OPERATIONS = "Operations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of a route: what it means, and its body."""

    means: str
    model: Any = None
    """Type of the body; None: empty, or not JSON."""
    media: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route. `access` has no default: a route without a rule cannot be written down."""

    method: Literal["GET", "PUT", "POST", "PATCH", "DELETE"]
    path: str
    handler: RouteHandler
    access: Access
    section: Section
    summary: str
    answers: Mapping[int, Answer]
    """By status; problems are added from what the rest of the row says."""
    description: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Type of the request body by media type."""
    example: Any = None
    """A request body that works."""
    query: type[RequestModel] | None = None
    may_be_missing: bool = False
    """404 is possible."""
    may_conflict: bool = False
    """409 is possible."""

    @property
    def name(self) -> str:
        """The operation's id."""
        return str(getattr(self.handler, "__name__", self.path))


def ok(model: Any, means: str = "Done.") -> Mapping[int, Answer]:
    """200 with a body."""
    return {200: Answer(means=means, model=model)}


NOTHING: Mapping[int, Answer] = {204: Answer(means="Done.")}
"""Done, and nothing to say."""

TENANT = "/v1/tenants/{tenant}"
EXTENSION = f"{TENANT}/extensions/{{extension}}"
