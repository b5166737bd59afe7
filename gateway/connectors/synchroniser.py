"""Synchronises each source beside the worker: on start, at its interval, and soon after a change on either side."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import structlog

from gateway.connectors.outgoing import NoAnswer
from gateway.connectors.yeastar import YeastarConnector
from gateway.connectors.yeastar_client import PbxRefuses
from gateway.connectors.yeastar_sync import YeastarSync
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Clock, Millis
from gateway.pipeline.services import Services
from gateway.store import Rereading, Store

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
RETRY_SECONDS = 60
"""After trouble, if the interval is not shorter."""
TURN_MS = 120_000
"""How long one process stays the one that synchronises a source without saying so again."""


class Synchroniser:
    """One source, synchronised by one of all processes at a time."""

    def __init__(self, sync: YeastarSync, store: Store, *, holder: str, clock: Clock) -> None:
        self._sync = sync
        self._store = store
        self._holder = holder
        self._clock = clock
        self._due: Millis = 0
        self._waiting: list[Rereading] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. A reading under way is left then: the next process begins with a whole one."""
        turns = asyncio.create_task(self._turns())
        try:
            await stop.wait()
        finally:
            turns.cancel()
            await asyncio.gather(turns, return_exceptions=True)

    async def _turns(self) -> None:
        while True:
            try:
                await self.turn()
            except StoreUnavailable as error:
                logger.warning("not synchronised: the store does not answer", source=self._sync.source, why=str(error))
            except Exception:  # who synchronises outlives whatever one turn meets
                logger.exception("not synchronised", source=self._sync.source)
                self._due = self._clock() + RETRY_SECONDS * 1000
            await asyncio.sleep(LOOK_SECONDS)

    async def turn(self) -> None:
        """Read what is due, if it is this process's turn. Raises `StoreUnavailable`."""
        source, record = self._sync.source, self._sync.connector.record
        if not await self._store.synchronised.claim(source, self._holder, milliseconds=TURN_MS):
            record.next_sync_at = None
            return
        self._waiting += await self._store.synchronised.asked(source)
        whole = self._clock() >= self._due
        if not whole and not self._waiting:
            return
        renewing = asyncio.create_task(self._renew())
        try:
            await self._sync.read(self._waiting, whole=whole)
        except (NoAnswer, PbxRefuses) as error:
            self._failed(str(error))
        else:
            self._waiting.clear()
            record.succeeded()
            if whole:
                self._due = self._clock() + self._sync.settings.sync_interval_seconds * 1000
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        record.next_sync_at = self._due

    def _failed(self, why: str) -> None:
        """What was asked for is read by the whole reading that follows."""
        seconds = min(RETRY_SECONDS, self._sync.settings.sync_interval_seconds)
        self._due = self._clock() + seconds * 1000
        self._sync.connector.record.failed(why)
        logger.warning("not synchronised: the PBX is in trouble", source=self._sync.source, why=why)

    async def _renew(self) -> None:
        """A whole reading of a large PBX takes its time."""
        while True:
            await asyncio.sleep(TURN_MS / 3000)
            with suppress(StoreUnavailable):
                await self._store.synchronised.claim(self._sync.source, self._holder, milliseconds=TURN_MS)


def synchronisers(services: Services, *, holder: str) -> Iterator[Synchroniser]:
    """One for each source that is to be synchronised."""
    for tenant in services.settings.tenants:
        for source in tenant.sources:
            connector = services.connectors.get(source.name)
            settings = source.connector
            if settings is None or settings.sync == "off" or not isinstance(connector, YeastarConnector):
                continue
            sync = YeastarSync(
                connector,
                tenant=tenant,
                source=source.name,
                settings=settings,
                store=services.store,
                intake=services.intake,
                clock=services.clock,
            )
            yield Synchroniser(sync, services.store, holder=holder, clock=services.clock)
