"""The worker: ringing first, nothing twice, nothing lost, and never a busy loop."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import EventKind
from gateway.domain.outcome import Accepted, Outcome, Refused, TryLater
from gateway.domain.push import PushKind
from gateway.pipeline.services import STILL_AFTER, WorkerHealth
from gateway.store import open_store
from gateway.worker.slots import Slots
from tests.support.pipeline import Pipeline, a_pipeline, settings_in, with_failing_queue, working
from tests.support.servers import Server
from tests.support.store import TestClock, until


def pending(server: Server) -> int:
    """Leases that somebody holds, or that nobody knows of."""
    with server.client() as client:
        return sum(int(client.xpending(stream, "workers")["pending"]) for stream in server.streams())


async def test_ringing_passes_ten_thousand_alerts_and_badges(
    pipeline: Pipeline, tmp_path: Path, server: Server
) -> None:
    settings = settings_in(tmp_path, server.url, concurrency=40)
    few = a_pipeline(settings, pipeline.store, pipeline.clock)
    await few.register()
    await few.queue_many(9_000)
    await few.queue_many(1_000, PushKind.BADGE)
    async with working(few.worker()):
        await few.ios.began.wait()
        before = len(few.ios.sent)
        await few.accept(EventKind.CALL_INCOMING, call_id="the-call")

        async def rung() -> bool:
            return any(sent.push.kind is PushKind.CALL_INCOMING for sent in few.ios.sent)

        await until(rung)
    order = [sent.push.kind for sent in few.ios.sent]
    assert order.index(PushKind.CALL_INCOMING) < before + 1000
    assert PushKind.BADGE not in order


async def test_ringing_does_not_wait_for_mail_that_hangs(pipeline: Pipeline, tmp_path: Path, server: Server) -> None:
    few = a_pipeline(settings_in(tmp_path, server.url, concurrency=8), pipeline.store, pipeline.clock)
    await few.register()
    await few.queue_many(100)
    few.ios.gate.clear()
    async with working(few.worker()):

        async def full() -> bool:
            return few.ios.in_flight == 6

        await until(full)
        await few.accept(EventKind.CALL_INCOMING, call_id="the-call")

        async def ringing() -> bool:
            return few.ios.in_flight == 7

        await until(ringing)
        assert few.ios.sent[-1].push.kind is PushKind.CALL_INCOMING
        few.ios.gate.set()


async def test_badges_wait_for_alerts(pipeline: Pipeline, tmp_path: Path, server: Server) -> None:
    few = a_pipeline(settings_in(tmp_path, server.url, concurrency=8), pipeline.store, pipeline.clock)
    await few.register()
    await few.queue_many(50, PushKind.BADGE)
    await few.queue_many(50)
    async with working(few.worker()):
        await few.settled()
    assert [sent.push.kind for sent in few.ios.sent] == [PushKind.CALL_MISSED] * 50 + [PushKind.BADGE] * 50


async def test_no_more_are_sent_at_once_than_the_concurrency_and_every_slot_comes_back(
    pipeline: Pipeline, tmp_path: Path, server: Server
) -> None:
    few = a_pipeline(settings_in(tmp_path, server.url, concurrency=8), pipeline.store, pipeline.clock)
    await few.register()
    outcomes: list[Outcome | Exception] = [
        Refused(reason="BadTopic"),
        TryLater(reason="Shutdown"),
        ValueError(),
        Accepted(),
    ]
    few.ios.script += outcomes
    for _ in range(2):
        await few.queue_many(40)
        async with working(few.worker()):
            await few.settled()
    assert len(few.ios.sent) == 80
    assert few.ios.most_in_flight <= 6


async def test_fewer_slots_than_shards_send_no_more_at_once_and_leave_no_shard_behind(
    tmp_path: Path, server: Server, clock: TestClock
) -> None:
    settings = settings_in(tmp_path, server.url, concurrency=2)
    sharded = settings.store.model_copy(update={"shards": 8})
    async with open_store(sharded, clock=clock) as store:
        pipeline = a_pipeline(settings, store, clock)
        for number in range(32):
            await pipeline.register(f"phone-{number}", str(number))
            await pipeline.accept(EventKind.CALL_MISSED, extension=str(number))
        async with working(pipeline.worker()):
            await pipeline.settled()
        assert len(pipeline.ios.phones) == 32
        assert pipeline.ios.most_in_flight == 1


async def test_an_outage_pauses_the_queue_and_is_told_until_it_moves_again(pipeline: Pipeline, server: Server) -> None:
    await pipeline.register()
    health = pipeline.services.worker
    async with working(pipeline.worker()):
        await pipeline.accept()
        await pipeline.settled()
        assert health.trouble(pipeline.clock()) is None
        server.kill()

        async def troubled() -> bool:
            return len(health.failures) >= 3

        await until(troubled)
        assert "store" in (health.trouble(pipeline.clock()) or "")
        server.start()

        async def sound() -> bool:
            return health.trouble(pipeline.clock()) is None

        await until(sound, seconds=5)
        await pipeline.accept()
        await pipeline.settled()
    assert len(pipeline.ios.sent) == 2


async def test_one_push_that_cannot_be_read_touches_no_other(pipeline: Pipeline, server: Server) -> None:
    await pipeline.register()
    broken = (await pipeline.push(await pipeline.accept())).push.push_id
    with server.client() as client:
        (key,) = client.keys(f"*{broken}")
        client.hset(key, "doc", "{")
    for _ in range(20):
        await pipeline.accept()
    async with working(pipeline.worker()):

        async def sent() -> bool:
            return len(pipeline.ios.sent) == 20 and await pipeline.waiting() == 1

        await until(sent)
    assert pending(server) == 1


@pytest.mark.parametrize("failure", [RuntimeError("surprise"), StoreUnavailable()], ids=["a surprise", "an outage"])
async def test_a_turn_that_fails_is_told_and_taken_up_again(pipeline: Pipeline, failure: Exception) -> None:
    failing = with_failing_queue(pipeline, failure)
    health = failing.services.worker
    async with working(failing.worker()):

        async def failed() -> bool:
            return "_move_due" in health.failures

        await until(failed)
        assert "move_due" in (health.trouble(failing.clock()) or "")

        async def again() -> bool:
            return not health.failures

        await until(again)


async def test_a_turn_that_ends_by_itself_ends_the_worker_with_an_error(pipeline: Pipeline) -> None:
    failing = with_failing_queue(pipeline, asyncio.CancelledError())
    with pytest.raises(RuntimeError, match="move_due has ended"):
        async with asyncio.timeout(10):
            await failing.worker().run(asyncio.Event())


async def test_an_idle_worker_rests(pipeline: Pipeline, server: Server) -> None:
    def asked() -> int:
        with server.client() as client:
            info: Any = client.info("stats")
            return int(info["total_commands_processed"])

    async with working(pipeline.worker()):
        await asyncio.sleep(0.3)
        before, cpu = asked(), time.process_time()
        await asyncio.sleep(1)
        assert asked() - before < 200  # what scripts ask within is counted too
        assert time.process_time() - cpu < 0.3


def test_a_turn_that_rests_does_not_stand_still() -> None:
    health = WorkerHealth()
    health.alive("_reclaim", 0, rests=300_000)
    assert health.trouble(300_000) is None
    assert health.trouble(300_000 + STILL_AFTER) is None
    assert health.trouble(300_001 + STILL_AFTER) == "reclaim: no turn for 15 s"


def test_a_failed_turn_is_sound_again_after_the_next() -> None:
    health = WorkerHealth()
    health.failed("_take_mail", "the store does not answer")
    assert health.trouble(0) == "take_mail: the store does not answer"
    health.alive("_take_mail", 5)
    assert health.trouble(5) is None


async def test_slots_wake_who_waits_as_soon_as_one_is_given_back() -> None:
    slots = Slots(2)
    assert await slots.free() == 2
    for _ in range(4):
        slots.take()
    waiting = asyncio.create_task(slots.free())
    for _ in range(2):
        slots.give()
        await asyncio.sleep(0)
        assert not waiting.done()
    slots.give()
    async with asyncio.timeout(1):
        assert await waiting == 1
