"""Errors become `application/problem+json` (RFC 9457) here and nowhere else. No internals, no secrets, no traces."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

import structlog
from aiohttp import web

from gateway.domain.errors import (
    BadProof,
    Conflict,
    GatewayError,
    InvalidInput,
    MalformedInput,
    NotAllowed,
    NotFound,
    Problem,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
)
from gateway.web.models import ProblemAnswer, ProblemPlace

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of trouble: its HTTP status, its public name and its title."""

    status: int
    name: str
    title: str
    detail: str = ""
    """Fixed text of the answer; empty: the error's own."""


KINDS: dict[type[GatewayError], ProblemKind] = {
    MalformedInput: ProblemKind(400, "malformed-input", "The input cannot be read"),
    InvalidInput: ProblemKind(422, "invalid-input", "The input is invalid"),
    BadProof: ProblemKind(401, "no-proof", "Proof of identity required", "The proof of identity is missing or wrong."),
    NotAllowed: ProblemKind(403, "not-allowed", "Not allowed", "The proof given does not allow this."),
    NotFound: ProblemKind(404, "not-found", "Not found"),
    Conflict: ProblemKind(409, "conflict", "Not possible in the present state"),
    TooLarge: ProblemKind(413, "too-large", "Too large"),
    TooManyRequests: ProblemKind(
        429, "too-many-requests", "Too many requests", "Nothing was done. Please repeat after Retry-After seconds."
    ),
    StoreUnavailable: ProblemKind(
        503, "store-unavailable", "The store is not available", "Nothing is promised to be stored. Please repeat."
    ),
}
"""401 and 403 say the same whether or not the tenant, source or extension exists."""

INTERNAL = ProblemKind(500, "internal-error", "Internal error", "The gateway failed. The log has the request id.")


def problem_answer(error: Exception) -> ProblemAnswer:
    """The public face of an error; whatever is not a `GatewayError` is an internal error."""
    kind = KINDS.get(type(error), INTERNAL) if isinstance(error, GatewayError) else INTERNAL
    places = error.problems if isinstance(error, MalformedInput | InvalidInput) else ()
    return ProblemAnswer(
        type=f"urn:pbx-push-gateway:problem:{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=kind.detail or str(error) or kind.title,
        errors=_places(places) if places else None,
    )


def _places(problems: tuple[Problem, ...]) -> tuple[ProblemPlace, ...]:
    return tuple(ProblemPlace(loc=problem.loc, msg=problem.msg) for problem in problems)


def problem_response(error: Exception) -> web.Response:
    """The answer to a request that ended in `error`."""
    body = problem_answer(error)
    response = web.Response(body=body.json_bytes(), status=body.status, content_type=CONTENT_TYPE)
    if isinstance(error, StoreUnavailable | TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, BadProof):
        response.headers["WWW-Authenticate"] = 'Bearer realm="pbx-push-gateway"'
    return response


def _from_aiohttp(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals: 404 and 405 of the router, 413 of the body limit, and the rest of its 4xx."""
    name = "too-large" if error.status == 413 else HTTPStatus(error.status).phrase.lower().replace(" ", "-")
    body = ProblemAnswer(
        type=f"urn:pbx-push-gateway:problem:{name}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=_DETAILS.get(error.status, HTTPStatus(error.status).description or HTTPStatus(error.status).phrase),
    )
    response = web.Response(body=body.json_bytes(), status=error.status, content_type=CONTENT_TYPE)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def unreadable_response() -> web.Response:
    """The answer to bytes that are no HTTP request, or one whose head is over the limit. Repeats nothing of them."""
    return _from_aiohttp(web.HTTPBadRequest())


_DETAILS = {
    400: "This is no HTTP request, or its head is too large (server.max_header_bytes).",
    404: "There is no such route.",
    405: "The route does not know this method.",
    413: "The body is over the limit (server.max_body_bytes).",
}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers every error with a problem document; what nobody foresaw is logged and answered 500."""
    try:
        return await handler(request)
    except GatewayError as error:
        response = problem_response(error)
        if response.status == INTERNAL.status:
            log.exception("request failed", path=_route_of(request))
        else:
            log.info("request refused", path=_route_of(request), status=response.status)
        return response
    except web.HTTPException as error:
        return error if error.status < 400 else _from_aiohttp(error)
    except web.RequestPayloadError:
        return problem_response(MalformedInput(Problem("body", "the transfer or content encoding is broken")))
    except Exception as error:
        log.exception("request failed", path=_route_of(request))
        return problem_response(error)


def _route_of(request: web.Request) -> str:
    """The route's pattern: a path itself could name an extension or a device."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown route"
