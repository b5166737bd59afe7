"""The HTTP side as an aiohttp application, made from the route table."""

import re
import secrets
from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.domain.errors import TooLarge
from gateway.domain.event import Clock
from gateway.pipeline.services import Role, Services
from gateway.web.access import Access
from gateway.web.auth import Gate, gatekeeper
from gateway.web.checks import StoreGauge
from gateway.web.connections import Connection
from gateway.web.keys import DOCUMENT, RECEIVED_AT, SERVICES, STORE_GAUGE, USER_TOKENS
from gateway.web.openapi import openapi_document
from gateway.web.problems import Handler, problems
from gateway.web.rates import Rates
from gateway.web.route import Route, Section
from gateway.web.routes import ROUTES
from gateway.web.user_tokens import UserTokens

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def create_app(services: Services) -> web.Application:
    """The application, ready to be served. A pure worker serves only the operations' routes."""
    user_tokens = UserTokens(services.settings, clock=services.clock)
    rules: dict[web.AbstractRoute, Access] = {}
    gate = Gate(services.settings, user_tokens, clock=services.clock)
    rates = Rates(services.settings.server, clock=services.clock)
    limit = services.settings.server.max_body_bytes
    app = web.Application(
        middlewares=[identified(services.clock), problems, limited(limit), gatekeeper(gate, rates, rules)],
        client_max_size=limit,
    )
    app[SERVICES] = services
    app[USER_TOKENS] = user_tokens
    app[STORE_GAUGE] = StoreGauge(services)
    app[DOCUMENT] = _document(services.role)
    app.cleanup_ctx.append(_keeping_keys)
    rules.update(_register(app, served(services.role)))
    return app


def served(role: Role) -> Iterable[Route]:
    """The routes that a process of this role serves."""
    return (route for route in ROUTES if role is not Role.WORKER or route.section is Section.OPERATIONS)


@cache
def _document(role: Role) -> dict[str, Any]:
    return openapi_document(tuple(served(role)))


def _register(app: web.Application, routes: Iterable[Route]) -> dict[web.AbstractRoute, Access]:
    """The only place where routes are added, each with its rule; HEAD is as open as its GET."""
    rules: dict[web.AbstractRoute, Access] = {}
    for route in routes:
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            rules[app.router.add_route(method, route.path, route.handler)] = route.access
    return rules


async def _keeping_keys(app: web.Application) -> AsyncIterator[None]:
    async with app[USER_TOKENS].keeping_keys():
        yield


def identified(clock: Clock) -> Middleware:
    """Gives every request an id (the caller's, when it is sane), in every answer and in every log line."""

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        request[RECEIVED_AT] = clock()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = await at_work(request, handler)
        response.headers["X-Request-Id"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Server"] = "pbx-push-gateway"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return identify


async def at_work(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer; meanwhile the connection is not taken for an idle one."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.begin()
    try:
        return await handler(request)
    finally:
        connection.end()


def limited(max_body_bytes: int) -> Middleware:
    """Refuses a body that says of itself that it is too large before anything of it is read."""

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.content_length or 0) > max_body_bytes:
            raise TooLarge(f"the body is over the limit of {max_body_bytes} bytes")
        return await handler(request)

    return limit
