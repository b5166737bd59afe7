"""Takes, sends, renews, reclaims, moves what is due. Stop means: take no more, finish what was taken, then go."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from gateway.domain.errors import StoreUnavailable
from gateway.domain.push import Lane
from gateway.pipeline.services import Services
from gateway.store import Lease

logger = structlog.get_logger(__name__)

BLOCK_MS = 500
MOVE_SECONDS = 0.1
MOVE_LIMIT = 500
PAUSE_SECONDS = 0.5
"""How long a turn rests after the store failed it."""
RING_SHARE = 4
"""A quarter of the concurrency is kept for ringing, so that it never waits behind mail."""


class Worker:
    """One process's share of the queue."""

    def __init__(self, services: Services, *, consumer: str) -> None:
        self._services = services
        self._queue = services.store.queue
        self._consumer = consumer
        self._ring = _Slots(max(1, services.settings.worker.concurrency // RING_SHARE))
        self._mail = _Slots(services.settings.worker.concurrency)
        self._flying: dict[asyncio.Task[None], Lease] = {}
        self._lease_ms = round(services.settings.worker.lease_seconds * 1000)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain: what was taken is finished, within `server.drain_seconds`; what is
        left then is cancelled, stays leased in the store and is repeated by whoever reclaims it."""
        turns = (self._take_ring, self._take_mail, self._move_due, self._reclaim, self._renew)
        tasks = [asyncio.create_task(self._steadily(turn), name=turn.__name__) for turn in turns]
        try:
            await stop.wait()
        finally:
            await self._cancel(tasks)
            await self._drain()

    async def _steadily(self, turn: Callable[[], Awaitable[None]]) -> None:
        """Repeat one kind of work; an outage of the store pauses it and does not end it."""
        health = self._services.worker
        while True:
            try:
                await turn()
                health.alive(turn.__name__, self._services.clock())
            except StoreUnavailable as error:
                health.failed(turn.__name__, str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:  # the loop outlives whatever one turn meets; readiness tells it
                health.failed(turn.__name__, type(error).__name__)
                logger.exception("a turn of the worker failed", turn=turn.__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _take_ring(self) -> None:
        count = await self._ring.free()
        self._start(await self._take((Lane.RING,), count, BLOCK_MS), self._ring)

    async def _take_mail(self) -> None:
        """Alerts first; badges only when no alert waits."""
        count = await self._mail.free()
        leases = await self._take((Lane.ALERT,), count, 0)
        if not leases:
            leases = await self._take((Lane.BADGE,), count, 0)
        if not leases:
            leases = await self._take((Lane.ALERT, Lane.BADGE), 1, BLOCK_MS)
        self._start(leases, self._mail)

    async def _take(self, lanes: tuple[Lane, ...], count: int, block_ms: int) -> list[Lease]:
        return await self._queue.take(self._consumer, lanes=lanes, count=count, block_ms=block_ms)

    async def _move_due(self) -> None:
        moved = await self._queue.move_due(self._services.clock(), MOVE_LIMIT)
        if moved < MOVE_LIMIT:
            await asyncio.sleep(MOVE_SECONDS)

    async def _reclaim(self) -> None:
        leases = await self._queue.reclaim(self._consumer, min_idle_ms=self._lease_ms, count=100)
        mine = set(self._flying.values())
        for lease in leases:
            if lease not in mine:
                logger.info("lease reclaimed", push_id=lease.push_id)
                self._start([lease], self._ring if lease.lane is Lane.RING else self._mail)
        await asyncio.sleep(self._lease_ms / 2000)

    async def _renew(self) -> None:
        await asyncio.sleep(self._lease_ms / 3000)
        if self._flying:
            await self._queue.renew(self._consumer, list(self._flying.values()))

    def _start(self, leases: Iterable[Lease], slots: "_Slots") -> None:
        for lease in leases:
            slots.take()
            task = asyncio.create_task(self._deliver(lease))
            self._flying[task] = lease
            task.add_done_callback(partial(self._landed, slots))

    def _landed(self, slots: "_Slots", task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        slots.give()

    async def _deliver(self, lease: Lease) -> None:
        try:
            await self._services.delivery.deliver(lease)
        except StoreUnavailable as error:
            logger.warning("push not settled: its lease will be reclaimed", push_id=lease.push_id, why=str(error))
        except Exception:  # one push's failure touches no other; its lease ends by itself
            logger.exception("push not settled", push_id=lease.push_id)

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self) -> None:
        if self._flying:
            await asyncio.wait(list(self._flying), timeout=self._services.settings.server.drain_seconds)
        left = list(self._flying)
        if left:
            logger.warning("drain limit reached: the rest is repeated by whoever reclaims it", left=len(left))
        await self._cancel(left)
        try:
            await self._queue.forget_consumer(self._consumer)
        except StoreUnavailable as error:
            logger.warning("consumer not removed", why=str(error))


class _Slots:
    """How many pushes may be in flight."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._any = asyncio.Event()
        self._any.set()

    async def free(self) -> int:
        """How many are free; waits until at least one is."""
        await self._any.wait()
        return self._free

    def take(self) -> None:
        self._free -= 1
        if self._free <= 0:
            self._any.clear()

    def give(self) -> None:
        self._free += 1
        if self._free > 0:
            self._any.set()
