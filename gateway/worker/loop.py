"""Takes, sends, renews, reclaims, moves what is due. Stop means: take no more, finish what was taken, then go."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeAlias

import structlog

from gateway.domain.errors import StoreUnavailable
from gateway.domain.push import Lane
from gateway.pipeline.ending import end
from gateway.pipeline.services import Services
from gateway.store import Lease
from gateway.worker.slots import Slots

logger = structlog.get_logger(__name__)

Turn: TypeAlias = Callable[[], Awaitable[float]]
"""One round of one kind of work; the result is how many seconds to rest after it."""

BLOCK_MS = 500
MOVE_SECONDS = 0.1
MOVE_LIMIT = 500
RECLAIM_LIMIT = 100
PAUSE_SECONDS = 0.5
"""How long a turn rests after the store failed it."""
RING_SHARE = 4
"""A quarter of the concurrency is kept for ringing, so that it never waits behind mail."""


class Worker:
    """One process's share of the queue."""

    def __init__(self, services: Services, *, consumer: str) -> None:
        concurrency = services.settings.worker.concurrency
        self._services = services
        self._queue = services.store.queue
        self._consumer = consumer
        self._ring = Slots(max(1, concurrency // RING_SHARE))
        self._mail = Slots(max(1, concurrency - concurrency // RING_SHARE))
        self._taking: set[asyncio.Task[int]] = set()
        self._flying: dict[asyncio.Task[None], Lease] = {}
        self._lease_seconds = services.settings.worker.lease_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain: what was taken is finished, within `server.drain_seconds`; what is
        left then is cancelled, stays leased in the store and is repeated by whoever reclaims it.

        Raises `RuntimeError` when a kind of turn came to an end by itself: a queue that moves in part would go
        unnoticed.
        """
        turns = [self._task(turn) for turn in (self._take_ring, self._take_mail, self._move_due, self._reclaim)]
        renewing = self._task(self._renew)
        try:
            await _until(stop, [*turns, renewing])
        finally:
            try:
                await end(turns)
                await self._drain()
            finally:
                await end([renewing, *self._taking])
                await end(self._flying)
            await self._leave()

    def _task(self, turn: Turn) -> asyncio.Task[None]:
        self._services.worker.alive(turn.__name__, self._services.clock())
        return asyncio.create_task(self._steadily(turn), name=turn.__name__)

    async def _steadily(self, turn: Turn) -> None:
        """Repeat one kind of work; an outage of the store pauses it and does not end it."""
        health, name = self._services.worker, turn.__name__
        while True:
            try:
                rest = await turn()
            except StoreUnavailable as error:
                health.failed(name, str(error))
                rest = PAUSE_SECONDS
            except Exception as error:  # the loop outlives whatever one turn meets; readiness tells it
                health.failed(name, type(error).__name__)
                logger.exception("a turn of the worker failed", turn=name)
                rest = PAUSE_SECONDS
            else:
                health.alive(name, self._services.clock(), rests=round(rest * 1000))
            await asyncio.sleep(rest)

    async def _take_ring(self) -> float:
        await self._take((Lane.RING,), await self._ring.free(), BLOCK_MS)
        return 0

    async def _take_mail(self) -> float:
        """Alerts first; badges only when no alert waits."""
        count = await self._mail.free()
        if not await self._take((Lane.ALERT,), count, 0) and not await self._take((Lane.BADGE,), count, 0):
            await self._take((Lane.ALERT, Lane.BADGE), 1, BLOCK_MS)
        return 0

    async def _take(self, lanes: tuple[Lane, ...], count: int, block_ms: int) -> int:
        """Take pushes and begin to send them; returns how many."""
        return await self._begin(self._queue.take(self._consumer, lanes=lanes, count=count, block_ms=block_ms))

    async def _begin(self, handing_out: Coroutine[Any, Any, list[Lease]]) -> int:
        """Send what the store hands out; returns how many there were.

        This has a task of its own, that no stop interrupts: what the store has handed out by then would be leased to
        nobody, and lie until the lease ends.
        """
        task = asyncio.create_task(self._begun(handing_out))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)
        return await asyncio.shield(task)

    async def _begun(self, handing_out: Coroutine[Any, Any, list[Lease]]) -> int:
        leases = await handing_out
        self._start(leases)
        return len(leases)

    async def _move_due(self) -> float:
        moved = await self._queue.move_due(self._services.clock(), MOVE_LIMIT)
        return 0 if moved >= MOVE_LIMIT else MOVE_SECONDS

    async def _reclaim(self) -> float:
        """Take over what nobody has renewed: of workers that are gone, and of this one when an answer of the store was
        lost on its way. As long as there is more, without resting: a crash leaves hundreds."""
        taken = await self._begin(self._abandoned())
        if not taken:
            return self._lease_seconds / 2
        logger.info("leases reclaimed", count=taken)
        return 0 if self._mail.has_room and self._ring.has_room else PAUSE_SECONDS

    async def _abandoned(self) -> list[Lease]:
        idle = round(self._lease_seconds * 1000)
        leases = await self._queue.reclaim(self._consumer, min_idle_ms=idle, count=RECLAIM_LIMIT)
        mine = set(self._flying.values())
        return [lease for lease in leases if lease not in mine]

    async def _renew(self) -> float:
        if self._flying:
            await self._queue.renew(self._consumer, list(self._flying.values()))
        return self._lease_seconds / 3

    def _start(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            slots = self._ring if lease.lane is Lane.RING else self._mail
            slots.take()
            task = asyncio.create_task(self._deliver(lease, slots))
            self._flying[task] = lease
            task.add_done_callback(partial(self._landed, slots))

    def _landed(self, slots: Slots, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        slots.give()

    async def _deliver(self, lease: Lease, slots: Slots) -> None:
        async with slots.flight:
            try:
                await self._services.delivery.deliver(lease)
            except StoreUnavailable as error:
                logger.warning("push not settled: its lease will be reclaimed", push_id=lease.push_id, why=str(error))
            except Exception:  # one push's failure touches no other; its lease ends by itself
                logger.exception("push not settled", push_id=lease.push_id)

    async def _drain(self) -> None:
        """Finish what was taken; its leases are renewed meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._services.settings.server.drain_seconds
        while (busy := [*self._taking, *self._flying]) and (left := end - loop.time()) > 0:
            await asyncio.wait(busy, timeout=left)
        if self._flying:
            logger.warning("drain limit reached: others repeat the rest", left=len(self._flying))

    async def _leave(self) -> None:
        try:
            await self._queue.forget_consumer(self._consumer)
        except StoreUnavailable as error:
            logger.warning("consumer not removed", why=str(error))


async def _until(stop: asyncio.Event, turns: list[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([waiting, *turns], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in turns:
        if task in done:
            cause = None if task.cancelled() else task.exception()
            raise RuntimeError(f"{task.get_name().strip('_')} has ended") from cause
