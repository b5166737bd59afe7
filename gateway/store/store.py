"""The store as one object, and how it is opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import RedisCluster

from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Clock
from gateway.settings import StoreSettings
from gateway.store.access import Access
from gateway.store.agent_actions import AgentActions
from gateway.store.batch import Batch
from gateway.store.bell import AskingBell, Bell, BlockingBell
from gateway.store.connection import Clients, Target, open_clients, target_of
from gateway.store.dead_letters import DeadLetters
from gateway.store.deliveries import Deliveries
from gateway.store.devices import Devices
from gateway.store.embedded import EmbeddedServer
from gateway.store.exchange import Cluster, Exchange, SingleServer
from gateway.store.extensions import Extensions
from gateway.store.health import Health
from gateway.store.inbox import Inbox
from gateway.store.journal import Journal
from gateway.store.keys import Layout
from gateway.store.queue import Queue
from gateway.store.results import StoreHealth
from gateway.store.sealing import Sealed, require_keys, seal_all
from gateway.store.seals import Seals
from gateway.store.setup import require_layout
from gateway.store.synchronised import Synchronised

HOUR_MS = 3_600_000
CLUSTER_SHARDS = 16
PATIENCE_SECONDS = 10.0
"""How long opening waits for a server that is not there yet, or loads its data."""


@dataclass(frozen=True, slots=True)
class Store:
    """All that is kept. Every method of every room raises `StoreUnavailable` when the server cannot be reached or
    cannot write; it comes back by itself."""

    extensions: Extensions
    devices: Devices
    inbox: Inbox
    journal: Journal
    queue: Queue
    dead_letters: DeadLetters
    deliveries: Deliveries
    agent_actions: AgentActions
    synchronised: Synchronised
    _health: Health

    async def health(self) -> StoreHealth:
        """Whether the store can be written now, found out by writing. Never raises."""
        return await self._health.check()


@asynccontextmanager
async def open_store(
    settings: StoreSettings, *, clock: Clock, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[Store]:
    """The store of these settings; an embedded server is started and, by its last user, stopped.

    Raises `ConfigurationError` when it can never work (bad URL, unusable directory, other number of shards than it was
    made with, a key of its tokens lacking), `StoreUnavailable` when it does not answer within `patience_seconds`.
    """
    async with _opened(settings, clock, patience_seconds) as (access, clients):
        yield _rooms(access, clients)


async def seal_tokens(settings: StoreSettings, *, clock: Clock, patience_seconds: float = PATIENCE_SECONDS) -> Sealed:
    """Bring every token in the store under the first of its keys. Raises as `open_store`."""
    async with _opened(settings, clock, patience_seconds) as (access, clients):
        return await seal_all(access, clients.commands)


@asynccontextmanager
async def _opened(
    settings: StoreSettings, clock: Clock, patience_seconds: float
) -> AsyncIterator[tuple[Access, Clients]]:
    async with AsyncExitStack() as stack:
        target = await _target(settings, stack)
        clients = await stack.enter_async_context(open_clients(target))
        batch = Batch(_exchange(clients, settings.wait_replicas))
        stack.push_async_callback(batch.close)
        shards = settings.shards or (CLUSTER_SHARDS if target.kind == "cluster" else 1)
        retention, seals = settings.journal_retention_hours * HOUR_MS, Seals(settings.token_keys)
        access = Access(batch, Layout(shards), clock, retention, seals)
        await _patiently(access, patience_seconds)
        yield access, clients


async def _target(settings: StoreSettings, stack: AsyncExitStack) -> Target:
    directory = settings.embedded_directory
    if directory is None:
        return target_of(settings.url)
    server = EmbeddedServer(Path(directory), fsync=settings.fsync)
    await stack.enter_async_context(server.running())
    return Target(kind="unix", path=str(server.socket))


async def _patiently(access: Access, seconds: float) -> None:
    """The first contact: which layout the store has."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            await require_layout(access.commands, access.layout)
            await require_keys(access.commands, access.seals)
            return
        except StoreUnavailable:
            if loop.time() > end:
                raise
        await asyncio.sleep(0.1)


def _exchange(clients: Clients, wait_replicas: int) -> Exchange:
    client = clients.commands
    if isinstance(client, RedisCluster):
        return Cluster(client)
    return SingleServer(client, wait_replicas=wait_replicas)


def _rooms(access: Access, clients: Clients) -> Store:
    bell: Bell = AskingBell() if clients.blocking is None else BlockingBell(clients.blocking)
    devices = Devices(access)
    return Store(
        extensions=Extensions(access),
        devices=devices,
        inbox=Inbox(access),
        journal=Journal(access),
        queue=Queue(access, devices, bell),
        dead_letters=DeadLetters(access),
        deliveries=Deliveries(access),
        agent_actions=AgentActions(access),
        synchronised=Synchronised(access),
        _health=Health(clients.commands, access),
    )
