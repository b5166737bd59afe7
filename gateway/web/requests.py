"""Reading a request: its body once, its JSON strictly, its path and query by models."""

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.domain.errors import InvalidInput, MalformedInput, NotFound, Problem
from gateway.domain.validation import problems_of
from gateway.ingress import strict_json
from gateway.ingress.fields import EXTENSION_PATTERN
from gateway.web.keys import CALLER, SERVICES

if TYPE_CHECKING:
    from gateway.settings import TenantSettings

M = TypeVar("M", bound=BaseModel)

EXTENSION = re.compile(EXTENSION_PATTERN)
EVENT_ID = re.compile(r"[0-9A-Za-z]{1,64}")
PUSH_ID = re.compile(r"[0-9a-f-]{36}")
DEVICE_ID = re.compile(r"[0-9A-Za-z._:-]{1,128}")


async def raw_body(request: web.Request) -> bytes:
    """The body's bytes, read once and kept. Over `server.max_body_bytes`: 413; slower than
    `server.read_timeout_seconds`: 400."""
    seconds = request.app[SERVICES].settings.server.read_timeout_seconds
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError as error:
        raise MalformedInput(Problem("body", f"did not arrive within {seconds:g} seconds")) from error


async def json_body(request: web.Request, model: type[M]) -> M:
    """The body as `model`. Raises `MalformedInput` for what is not JSON, `InvalidInput` naming each wrong field."""
    value = strict_json.loads(await raw_body(request))
    return validated(model, value)


def validated(model: type[M], value: object, *, prefix: str = "") -> M:
    """`value` as `model`. Raises `InvalidInput` with a place per problem, never with the value in it."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix=prefix)) from error


def query(request: web.Request, model: type[M]) -> M:
    """The query parameters as `model`."""
    return validated(model, dict(request.query), prefix="query")


def header_map(request: web.Request) -> dict[str, str]:
    """The headers with lower-case names, as the dialects read them."""
    return {name.lower(): value for name, value in request.headers.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """Which tenant and extension a request is about."""

    tenant: "TenantSettings"
    extension: str


def tenant_of(request: web.Request) -> "TenantSettings":
    """The tenant of the path. Only an admin can meet `NotFound` here: everyone else was refused before."""
    tenant = request.app[SERVICES].settings.tenant(request.match_info["tenant"])
    if tenant is None:
        raise NotFound("there is no such tenant")
    return tenant


def place_of(request: web.Request) -> Place:
    """Tenant and extension of the path. Raises `InvalidInput` when the extension cannot be one."""
    tenant = tenant_of(request)
    return Place(tenant, _matched(request, "extension", EXTENSION))


def device_id_of(request: web.Request) -> str:
    """The device id of the path: 1 to 128 of letters, digits, `.`, `_`, `:`, `-`."""
    return _matched(request, "device_id", DEVICE_ID)


def event_id_of(request: web.Request) -> str:
    """The event id of the path."""
    return _matched(request, "event_id", EVENT_ID)


def push_id_of(request: web.Request) -> str:
    """The push id of the path."""
    return _matched(request, "push_id", PUSH_ID)


def _matched(request: web.Request, name: str, pattern: re.Pattern[str]) -> str:
    value = request.match_info[name]
    if pattern.fullmatch(value) is None:
        raise InvalidInput(Problem(f"path {name}", f"should match {pattern.pattern}"))
    return value


def author_of(request: web.Request) -> str:
    """Who did it, for the record: `api:<key>`, `admin:<key>`, `app`, or a source's name."""
    return request[CALLER].author
