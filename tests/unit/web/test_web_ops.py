"""Health, metrics, and what the outside sees when something is wrong inside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiohttp import web as http
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from gateway.domain.errors import GatewayError
from gateway.pipeline.services import STILL_AFTER, Role, Services
from gateway.web.app import create_app
from gateway.web.auth import Gate, gatekeeper
from gateway.web.checks import StoreGauge, checks_of
from gateway.web.problems import problems
from gateway.web.rates import Rates
from gateway.web.route import Route
from gateway.web.routes import ROUTES
from gateway.web.user_tokens import UserTokens
from tests.support.web import Clock, Web, event, new_extension, services_of, serving
from tests.support.web_fakes import Away, Keyless, Mute, Sound, Waiting, posing, store_that_is_away
from tests.support.web_settings import ADMIN_KEY, IOS
from tests.unit.web.test_web_access import name_of, path_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


NEEDING_THE_STORE = [
    route for route in ROUTES if route.path.startswith(("/v1", "/hooks")) and route.name != "patch_settings"
]


@asynccontextmanager
async def without_store(web: Web) -> AsyncIterator[Web]:
    clock = Clock()
    services, senders = services_of(web.services.settings, store_that_is_away(), clock)
    async with serving(services, senders, clock) as gone:
        yield gone


def example_for(route: Route) -> Any:
    """A request that would reach the store."""
    return {"all": True} if route.name == "post_seen" else route.example


@pytest.mark.parametrize("route", NEEDING_THE_STORE, ids=name_of)
async def test_while_the_store_is_away_the_answer_is_503_with_retry_after(web: Web, route: Route) -> None:
    async with without_store(web) as gone:
        values = {"source": "crm"} if route.name == "post_hook" else {}
        document = event("call.missed", "1001") if route.name in {"post_hook", "post_events"} else example_for(route)
        media = "application/cloudevents+json" if route.name in {"post_hook", "post_events"} else "application/json"
        reply = await gone.ask(
            route.method, path_of(route, **values), document, key=ADMIN_KEY, headers={"Content-Type": media}
        )

    assert (reply.status, reply.headers["Retry-After"]) == (503, "3")
    assert reply.body["type"] == "urn:pbx-push-gateway:problem:store-unavailable"
    assert b"server" not in reply.raw


async def test_a_batch_that_cannot_be_stored_at_all_is_503(web: Web) -> None:
    async with without_store(web) as gone:
        reply = await gone.post_event([event("call.missed", "1001"), {}])

    assert reply.status == 503


async def test_without_the_store_readiness_is_off_and_the_process_lives(web: Web) -> None:
    async with without_store(web) as gone:
        ready = await gone.ask("GET", "/readyz", key=None)
        health = await gone.ask("GET", "/health", key=ADMIN_KEY)
        live = await gone.ask("GET", "/livez", key=None)
        metrics = await gone.ask("GET", "/metrics", key=ADMIN_KEY)

    assert (ready.status, ready.body["status"]) == (503, "down")
    assert ready.body["checks"]["store"] == {"status": "down", "detail": "the server does not answer"}
    assert (health.status, health.body["dead_letters"], "store" in health.body) == (503, None, False)
    assert (live.status, live.body, metrics.status) == (200, {"status": "ok"}, 200)


async def test_everything_well_is_ok(web: Web) -> None:
    reply = await web.ask("GET", "/readyz", key=None)

    assert (reply.status, reply.body["status"]) == (200, "ok")
    assert set(reply.body["checks"]) == {"store", "queue", "providers", "user_tokens"}
    assert {check["status"] for check in reply.body["checks"].values()} == {"ok"}


async def test_health_shows_versions_uptime_store_queue_and_providers(web: Web) -> None:
    body = (await web.ask("GET", "/health", key=ADMIN_KEY)).body

    assert (body["status"], body["version"], body["role"]) == ("ok", "0.1.0", "api")
    assert body["uptime_seconds"] >= 0
    assert body["store"]["latency_ms"] > 0
    assert set(body["queue"]) == {"ring", "alert", "badge"}
    assert set(body["queue"]["alert"]) == {"depth", "oldest_seconds"}
    assert body["providers"][IOS] == {
        "provider": "apns",
        "up": True,
        "circuit": "closed",
        "retry_at": None,
        "last_accepted_at": None,
        "last_error": None,
        "last_error_at": None,
        "credential_expires_at": None,
    }


async def verdict(services: Services, senders: Any) -> tuple[int, str, dict[str, str]]:
    async with serving(services, senders, Clock()) as other:
        reply = await other.ask("GET", "/readyz", key=None)
    checks = {name: check["status"] for name, check in reply.body["checks"].items() if check["status"] != "ok"}
    return reply.status, reply.body["status"], checks


async def test_a_providers_trouble_is_degraded_and_names_no_app(web: Web) -> None:
    services, senders = services_of(web.services.settings, web.services.store, Clock())
    senders[IOS].up = False

    assert await verdict(services, senders) == (200, "degraded", {"providers": "degraded"})
    async with serving(services, senders, Clock()) as other:
        assert IOS.encode() not in (await other.ask("GET", "/readyz", key=None)).raw


async def test_an_expired_certificate_is_degraded_before_it_is_noticed(web: Web) -> None:
    services, senders = services_of(web.services.settings, web.services.store, Clock())
    senders[IOS].expires_at = 1

    assert await verdict(services, senders) == (200, "degraded", {"providers": "degraded"})


async def test_a_worker_that_does_not_move_is_down_and_an_api_does_not_care(web: Web) -> None:
    for role, expected in ((Role.API, (200, "ok", {})), (Role.ALL, (503, "down", {"queue": "down"}))):
        services, senders = services_of(web.services.settings, web.services.store, Clock(), role=role)
        services.worker.alive("take", services.clock() - STILL_AFTER - 1000)

        assert await verdict(services, senders) == expected


async def test_a_full_store_is_degraded(web: Web) -> None:
    services, senders = services_of(web.services.settings, web.services.store, Clock())
    services.capacity.queued = 10**9

    assert await verdict(services, senders) == (200, "degraded", {"queue": "degraded"})


async def test_a_push_that_nobody_takes_is_degraded(web: Web) -> None:
    store = replace(web.services.store, queue=posing(Waiting()), _health=posing(Sound()))
    services, senders = services_of(web.services.settings, store, Clock())

    assert await verdict(services, senders) == (200, "degraded", {"queue": "degraded"})


async def test_a_store_that_may_lose_what_it_promised_is_degraded(web: Web) -> None:
    store = replace(web.services.store, _health=posing(Sound("maxmemory-policy is allkeys-lru")))
    services, senders = services_of(web.services.settings, store, Clock())

    assert await verdict(services, senders) == (200, "degraded", {"store": "degraded"})


async def test_a_store_that_does_not_answer_in_time_is_down(web: Web) -> None:
    store = replace(web.services.store, _health=posing(Mute()))
    services, _ = services_of(web.services.settings, store, Clock())

    reading = await StoreGauge(services, patience_seconds=0.01).read()

    assert (reading.health.ok, reading.health.detail) == (False, "does not answer")


async def test_the_store_is_asked_at_most_every_second(web: Web) -> None:
    now = [1_000_000]
    services, _ = services_of(web.services.settings, store_that_is_away(), lambda: now[0])
    gauge = StoreGauge(services)

    first = await gauge.read()
    again = await gauge.read()
    now[0] += 1_000
    later = await gauge.read()

    assert again is first
    assert later is not first


async def test_apps_that_nobody_can_prove_are_degraded(web: Web) -> None:
    tokens = UserTokens(web.services.settings, clock=Clock())
    reading = await StoreGauge(web.services).read()
    posed: UserTokens = posing(Keyless())

    assert checks_of(web.services, reading, tokens).user_tokens.status == "ok"
    assert checks_of(web.services, reading, posed).user_tokens.status == "degraded"


async def test_metrics_are_prometheus_text(web: Web) -> None:
    await web.post_event(event("call.missed", new_extension()))

    reply = await web.ask("GET", "/metrics", key=ADMIN_KEY)

    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b'push_gateway_events_total{action="suppress",kind="call.missed"' in reply.raw


async def test_a_worker_serves_nothing_but_operations(web: Web) -> None:
    services, senders = services_of(web.services.settings, web.services.store, Clock(), role=Role.WORKER)
    async with serving(services, senders, Clock()) as worker:
        assert (await worker.ask("GET", "/livez", key=None)).status == 200
        assert (await worker.ask("GET", "/v1/tenants/acme/events")).status == 404
        assert set((await worker.ask("GET", "/openapi.json", key=None)).body["paths"]) == {
            route.path for route in ROUTES if route.section == "Operations"
        }


async def test_head_is_as_open_as_get_and_has_no_body(web: Web) -> None:
    assert (await web.ask("HEAD", "/livez", key=None)).status == 200
    assert (await web.ask("HEAD", "/livez", key=None)).raw == b""
    assert (await web.ask("HEAD", "/v1/tenants/acme/events", key=None)).status == 401


async def test_no_answer_names_the_software_or_is_kept_by_a_cache(web: Web) -> None:
    for path in ("/livez", "/v1/nothing", "/docs"):
        headers = (await web.ask("GET", path, key=None)).headers
        assert headers["Server"] == "pbx-push-gateway"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_a_route_without_a_rule_is_refused(web: Web) -> None:
    async def forgotten(request: http.Request) -> http.Response:
        return http.Response(text="secret")

    settings, clock = web.services.settings, Clock()
    gate = Gate(settings, UserTokens(settings, clock=clock), clock=clock)
    app = http.Application(middlewares=[problems, gatekeeper(gate, Rates(settings.server, clock=clock), {})])
    app.router.add_get("/forgotten", forgotten)
    async with TestClient(TestServer(app)) as client, client.get("/forgotten") as response:
        assert response.status == 403


class OddError(GatewayError):
    """An error that nobody has a status for."""


@pytest.mark.parametrize("error", [RuntimeError("the secret is s3cret"), OddError("s3cret")])
async def test_what_nobody_foresaw_is_500_without_internals_and_logged(error: Exception) -> None:
    async def broken(request: http.Request) -> http.Response:
        raise error

    app = http.Application(middlewares=[problems])
    app.router.add_get("/broken/{extension}", broken)
    with capture_logs() as logs:
        async with TestClient(TestServer(app)) as client, client.get("/broken/1001") as response:
            text = await response.text()

    assert response.status == 500
    assert "s3cret" not in text
    assert "Error" not in text
    assert [(line["log_level"], line["path"]) for line in logs] == [("error", "/broken/{extension}")]


async def test_log_lines_of_a_request_carry_its_id_and_its_caller(web: Web) -> None:
    bound: dict[str, Any] = {}

    class Listening(Away):
        def __getattr__(self, name: str) -> Any:
            bound.update(structlog.contextvars.get_contextvars())
            return super().__getattr__(name)

    store = replace(web.services.store, journal=posing(Listening()))
    services, senders = services_of(web.services.settings, store, Clock())
    async with serving(services, senders, Clock()) as listening:
        await listening.ask("GET", "/v1/tenants/acme/events", headers={"X-Request-Id": "req-1"})

    assert bound == {"request_id": "req-1", "caller": "api:all"}


async def test_every_registered_route_has_its_rule(web: Web) -> None:
    app = create_app(web.services)
    registered = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    written = {(route.method, route.path) for route in ROUTES}

    assert {(method, path) for method, path in registered if method != "HEAD"} == written
    assert {path for method, path in registered if method == "HEAD"} == {p for m, p in written if m == "GET"}
    assert len({route.name for route in ROUTES}) == len(ROUTES)
