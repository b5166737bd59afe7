"""Operations: is it alive, is it ready, how is it, and the metrics."""

from aiohttp import web

from gateway import __version__
from gateway.pipeline.pbx import Connector
from gateway.pipeline.services import Services
from gateway.providers import Sender
from gateway.web.checks import StoreReading, checks_of, worst
from gateway.web.keys import SERVICES, STORE_GAUGE, USER_TOKENS
from gateway.web.models_ops import (
    ConnectorAnswer,
    HealthAnswer,
    HealthStatus,
    LaneAnswer,
    LiveAnswer,
    ReadyAnswer,
    SenderAnswer,
    StoreAnswer,
)
from gateway.web.responses import answer

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def get_livez(request: web.Request) -> web.Response:
    """`GET /livez`: 200 while the process lives."""
    return answer(LiveAnswer())


async def get_readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: 503 when the gateway cannot do its job."""
    reading = await request.app[STORE_GAUGE].read()
    checks = checks_of(request.app[SERVICES], reading, request.app[USER_TOKENS])
    status = worst(checks)
    return answer(ReadyAnswer(status=status, checks=checks), 503 if status is HealthStatus.DOWN else 200)


async def get_health(request: web.Request) -> web.Response:
    """`GET /health`: the same in full."""
    services: Services = request.app[SERVICES]
    reading = await request.app[STORE_GAUGE].read()
    checks = checks_of(services, reading, request.app[USER_TOKENS])
    status = worst(checks)
    now = services.clock()
    body = HealthAnswer(
        status=status,
        version=__version__,
        role=services.role,
        started_at=services.started_at,
        uptime_seconds=max(0, now - services.started_at) // 1000,
        checks=checks,
        store=_store(reading),
        queue={
            lane: LaneAnswer(depth=one.depth, oldest_seconds=None if one.oldest_ms is None else one.oldest_ms / 1000)
            for lane, one in reading.lanes.items()
        },
        dead_letters=reading.dead_letters,
        providers={app: _sender(sender) for app, sender in services.senders.items()},
        connectors={source: _connector(connector) for source, connector in services.connectors.items()},
    )
    return answer(body, 503 if status is HealthStatus.DOWN else 200)


async def get_metrics(request: web.Request) -> web.Response:
    """`GET /metrics`: Prometheus' text format."""
    return web.Response(body=request.app[SERVICES].metrics.render(), headers={"Content-Type": METRICS_TYPE})


def _store(reading: StoreReading) -> StoreAnswer | None:
    health = reading.health
    if not health.ok:
        return None
    return StoreAnswer(
        server=health.server,
        latency_ms=round(health.latency_ms, 3),
        used_memory_bytes=health.used_memory,
        fsync=health.fsync,
        notes=health.notes,
    )


def _sender(sender: Sender) -> SenderAnswer:
    health = sender.health()
    return SenderAnswer(
        provider=sender.app.provider,
        up=health.up,
        circuit=str(health.circuit),
        retry_at=health.retry_at,
        last_accepted_at=health.last_accepted_at,
        last_error=health.last_error,
        last_error_at=health.last_error_at,
        credential_expires_at=health.credential_expires_at,
    )


def _connector(connector: Connector) -> ConnectorAnswer:
    health = connector.health()
    return ConnectorAnswer(
        kind=health.kind,
        last_success_at=health.last_success_at,
        last_error=health.last_error,
        last_error_at=health.last_error_at,
        next_sync_at=health.next_sync_at,
    )
