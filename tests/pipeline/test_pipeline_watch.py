"""What operations ask for is looked at as long as the process lives, whatever is met."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import EventKind
from gateway.domain.outcome import Refused
from gateway.pipeline.ending import end
from gateway.pipeline.watch import look, watch
from gateway.providers import SenderHealth
from gateway.settings import AppSettings, Settings
from gateway.store import Store
from tests.support.pipeline import ANDROID, IOS, Pipeline, a_pipeline
from tests.support.scripted_sender import ScriptedSender
from tests.support.servers import Server
from tests.support.store import TestClock, until


@asynccontextmanager
async def watched(pipeline: Pipeline) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(watch(pipeline.services, interval_seconds=0.02))
    try:
        yield task
    finally:
        await end([task])


def gauges(pipeline: Pipeline) -> dict[str, float]:
    """Every line of the metrics that has a value."""
    lines = pipeline.services.metrics.render().decode().splitlines()
    pairs = (line.removeprefix("push_gateway_").rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_a_look_tells_the_queue_the_dead_letters_and_the_providers(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(Refused(reason="PayloadTooLarge"))
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await pipeline.accept()
    await pipeline.accept(EventKind.CALL_INCOMING)
    pipeline.ios.up = False
    await look(pipeline.services)
    told = gauges(pipeline)
    assert {lane: told[f'queue_depth{{lane="{lane}"}}'] for lane in ("ring", "alert", "badge")} == {
        "ring": 1,
        "alert": 1,
        "badge": 0,
    }
    assert told['queue_oldest_seconds{lane="alert"}'] >= 0
    assert told["dead_letters"] == 1
    assert told[f'provider_up{{app="{IOS}",provider="apns"}}'] == 0
    assert told[f'provider_up{{app="{ANDROID}",provider="fcm"}}'] == 1


async def test_intake_learns_here_that_there_is_no_more_room_and_that_there_is_again(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock
) -> None:
    tight = settings.model_copy(update={"store": settings.store.model_copy(update={"max_queue_depth": 2})})
    small = a_pipeline(tight, store, clock)
    await small.register()
    for _ in range(2):
        await small.accept()
    await look(small.services)
    with pytest.raises(StoreUnavailable, match="the queue is full"):
        await small.accept()
    await small.deliver_waiting()
    await look(small.services)
    await small.accept()


async def test_memory_over_its_limit_refuses_events(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock
) -> None:
    tight = settings.model_copy(update={"store": settings.store.model_copy(update={"max_memory_bytes": 1})})
    small = a_pipeline(tight, store, clock)
    await small.accept()
    await look(small.services)
    with pytest.raises(StoreUnavailable, match="memory is full"):
        await small.accept()


async def test_the_watch_outlives_an_outage_of_the_store(pipeline: Pipeline, server: Server) -> None:
    await pipeline.register()
    async with watched(pipeline) as task:
        server.kill()
        await asyncio.sleep(0.1)
        server.start()
        await pipeline.accept()
        await until(_told(pipeline, 'queue_depth{lane="alert"}', 1))
        assert not task.done()


async def test_the_watch_can_be_ended_at_any_moment(pipeline: Pipeline) -> None:
    for moment in range(100):
        task = asyncio.create_task(watch(pipeline.services, interval_seconds=0.001))
        await asyncio.sleep(moment * 0.000_1)
        async with asyncio.timeout(10):
            await end([task])
        assert task.done()


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    async def broken() -> None:
        raise ZeroDivisionError

    tasks = [asyncio.create_task(work()) for work in (deaf, deaf, broken)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(tasks)
    assert [task.cancelled() for task in tasks] == [True, True, False]


class Odd(ScriptedSender):
    """A sender with a mistake of ours in it."""

    mistakes = 3

    def health(self) -> SenderHealth:
        """Wrong at first."""
        if self.mistakes:
            self.mistakes -= 1
            raise ZeroDivisionError
        return super().health()


async def test_the_watch_outlives_what_it_did_not_expect(pipeline: Pipeline) -> None:
    app: AppSettings = pipeline.ios.app
    pipeline.senders[IOS] = Odd(app, pipeline.clock)
    async with watched(pipeline) as task:
        await until(_told(pipeline, f'provider_up{{app="{IOS}",provider="apns"}}', 1))
        assert not task.done()


def _told(pipeline: Pipeline, name: str, value: float) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return gauges(pipeline).get(name) == value

    return told
