"""The only place that knows every class: from settings to running services, and down again in order."""

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from types import MappingProxyType

import structlog
from aiohttp import web

from gateway import __version__
from gateway.connectors.opening import open_connectors
from gateway.connectors.runner import AgentRunner
from gateway.connectors.synchroniser import synchronisers
from gateway.domain.errors import CannotServe
from gateway.domain.event import Clock, Millis
from gateway.pipeline.agent_switch import AgentSwitch
from gateway.pipeline.capacity import Capacity
from gateway.pipeline.delivery import Delivery
from gateway.pipeline.diagnosis import Diagnosis
from gateway.pipeline.ending import end
from gateway.pipeline.ids import ulid
from gateway.pipeline.inbox import InboxService
from gateway.pipeline.intake import Intake
from gateway.pipeline.pbx import Connector
from gateway.pipeline.presence import PresenceService
from gateway.pipeline.services import Role, Services
from gateway.pipeline.turns import Turns
from gateway.pipeline.watch import watch
from gateway.providers import Sender, open_senders
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.telemetry.metrics import Metrics
from gateway.web.app import create_app
from gateway.web.connections import Door
from gateway.web.outgoing import Outgoing
from gateway.worker.loop import Worker

logger = structlog.get_logger(__name__)

_DICE = secrets.SystemRandom()


def clock() -> Millis:
    """The one clock: milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def new_id(at: Millis) -> str:
    """A new event id."""
    return ulid(at, secrets.token_bytes)


@asynccontextmanager
async def open_services(settings: Settings, role: Role = Role.ALL) -> AsyncIterator[Services]:
    """Everything a process needs, opened in order and closed in reverse.

    Raises `ConfigurationError` for unusable credentials and `StoreUnavailable` for a store that does not answer.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store, clock=clock))
        senders = await stack.enter_async_context(open_senders(settings, clock=clock))
        connectors: Mapping[str, Connector] = {}
        if role is not Role.API:
            opening = open_connectors(settings, Outgoing(settings.server), clock=clock)
            connectors = await stack.enter_async_context(opening)
        yield assemble(settings, store, senders, connectors, role=role)


def assemble(
    settings: Settings,
    store: Store,
    senders: Mapping[str, Sender],
    connectors: Mapping[str, Connector] = MappingProxyType({}),
    *,
    role: Role = Role.ALL,
    clock: Clock = clock,
    dice: Callable[[], float] = _DICE.random,
) -> Services:
    """The running parts around an open store and open senders."""
    metrics = Metrics()
    turns = Turns()
    capacity = Capacity(limits=settings.store)
    retention = settings.store.journal_retention_hours * 3_600_000
    delivery = Delivery(settings=settings, store=store, senders=senders, metrics=metrics, clock=clock, dice=dice)
    return Services(
        settings=settings,
        role=role,
        store=store,
        senders=senders,
        intake=Intake(
            store=store,
            turns=turns,
            capacity=capacity,
            metrics=metrics,
            new_id=new_id,
            clock=clock,
            inbox_retention=retention,
        ),
        presence=PresenceService(store=store, turns=turns, clock=clock),
        inbox=InboxService(store=store, turns=turns, clock=clock, new_id=new_id, retention=retention),
        delivery=delivery,
        diagnosis=Diagnosis(delivery=delivery, new_id=new_id),
        capacity=capacity,
        metrics=metrics,
        clock=clock,
        started_at=clock(),
        connectors=connectors,
    )


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, as long as the block lasts."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def serve(
    settings: Settings,
    role: Role = Role.ALL,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Run until `stop` is set (None: until SIGTERM or SIGINT); then take nothing new, finish what was begun, return.

    `on_ready` gets the base URL once requests are answered. Raises `CannotServe` when the address cannot be had, or
    when the worker ended by itself; `ConfigurationError` and `StoreUnavailable` as `open_services`.
    """
    with nullcontext(stop) if stop is not None else stop_on_signals() as asked:
        async with open_services(settings, role) as services, _watched(services):
            await run(services, asked, on_ready)
        logger.info("stopped")


async def run(services: Services, stop: asyncio.Event, on_ready: Callable[[str], None] | None = None) -> None:
    """Put open services to work until `stop` is set, and finish what they began."""
    settings, role = services.settings, services.role
    runner = web.AppRunner(
        create_app(services), access_log=None, shutdown_timeout=settings.server.drain_seconds, handle_signals=False
    )
    await runner.setup()
    worker_stop = asyncio.Event()
    worker: asyncio.Task[None] | None = None
    try:
        url = await _listen(runner, settings)
        if role is not Role.API:
            worker = asyncio.create_task(_work(services, worker_stop), name="worker")
        logger.info("serving", url=url, role=role, version=__version__)
        if on_ready is not None:
            on_ready(url)
        await _until(stop, worker)
        logger.info("draining", seconds=settings.server.drain_seconds)
    finally:
        worker_stop.set()
        await _end(runner, worker)
    _require_sound(worker)


@asynccontextmanager
async def _watched(services: Services) -> AsyncIterator[None]:
    task = asyncio.create_task(watch(services), name="watch")
    try:
        yield
    finally:
        await end([task])


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    host, port = settings.server.host, settings.server.port
    try:
        await Door(runner, settings.server).start()
    except OSError as error:
        # asyncio words it at length; a name that is not known has a negative number
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise CannotServe(f"cannot listen on {host}:{port}: {why or error}") from error
    return _url(runner)


async def _work(services: Services, stop: asyncio.Event) -> None:
    """Pushes, agent actions and synchronisation, side by side; none goes on without the others. Raises what ended one
    of them."""
    consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    switch = AgentSwitch(store=services.store, connectors=services.connectors, clock=services.clock, dice=_DICE.random)
    agents = AgentRunner(switch, holder=consumer)
    tasks = [
        asyncio.create_task(Worker(services, consumer=consumer).run(stop)),
        asyncio.create_task(agents.run(stop, drain_seconds=services.settings.server.drain_seconds)),
        *(asyncio.create_task(one.run(stop)) for one in synchronisers(services, holder=consumer)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        endings = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [ending for ending in endings if isinstance(ending, BaseException)]
    if failures:
        raise RuntimeError(str(failures[0]) or type(failures[0]).__name__) from failures[0]


async def _until(stop: asyncio.Event, worker: asyncio.Task[None] | None) -> None:
    """Until asked to stop, or until the worker has ended by itself."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *([worker] if worker else [])], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _end(runner: web.AppRunner, worker: asyncio.Task[None] | None) -> None:
    """No new connection from now on; then requests and pushes in flight are finished, side by side within the one
    drain limit. However either of them ends, the other comes to its end too."""
    for site in list(runner.sites):
        await site.stop()
    endings = await asyncio.gather(runner.cleanup(), *([worker] if worker else []), return_exceptions=True)
    if isinstance(endings[0], Exception):
        logger.error("the HTTP side did not end in order", exc_info=endings[0])


def _require_sound(worker: asyncio.Task[None] | None) -> None:
    if worker is not None and (error := worker.exception()) is not None:
        logger.error("the worker has ended", exc_info=error)
        raise CannotServe(f"the worker has ended: {error}") from error


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    return f"http://{shown}:{port}" if ":" not in shown else f"http://[{shown}]:{port}"
