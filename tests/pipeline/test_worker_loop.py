"""The worker: ringing first, nothing twice, nothing lost, and never a busy loop."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import EventKind, Millis
from gateway.domain.outcome import Accepted, Outcome, Refused, TryLater
from gateway.domain.push import Lane, PushKind, PushState
from gateway.pipeline.services import STILL_AFTER, WorkerHealth
from gateway.store import Lease, Store, open_store
from gateway.store.queue import Queue
from gateway.worker.slots import Slots
from tests.support.pipeline import Pipeline, a_pipeline, settings_in, working
from tests.support.servers import Server
from tests.support.store import ALL_LANES, TestClock, a_push, new_event_id, store_pushes, until

LANES = [f"pg:{{0}}:q:{lane}" for lane in Lane]


def pending(server: Server) -> int:
    """Leases that somebody holds, or that nobody knows of."""
    with server.client() as client:
        return sum(int(client.xpending(lane, "workers")["pending"]) for lane in LANES)


def aged(server: Server, lane: Lane, *leases: Lease) -> None:
    """Let leases look as if nobody had renewed them for an hour."""
    with server.client() as client:
        ids: Any = [lease.entry_id for lease in leases]
        client.xclaim(f"pg:{{0}}:q:{lane}", "workers", "dead", 0, ids, idle=3_600_000, justid=True)


async def queue_many(pipeline: Pipeline, count: int, kind: PushKind = PushKind.CALL_MISSED) -> None:
    """Pushes straight into the queue, 200 an event."""
    event_id = ""
    for number in range(0, count, 200):
        event_id = new_event_id(pipeline.clock())
        pushes = (
            a_push(event_id, "iphone", kind=kind, badge=None, collapse_id=f"{kind}-{number}-{index}")
            for index in range(min(200, count - number))
        )
        await store_pushes(pipeline.store, *pushes)


async def all_settled(pipeline: Pipeline) -> None:
    """Until no lane holds anything."""

    async def settled() -> bool:
        return await pipeline.waiting() == 0

    await until(settled)


async def test_ringing_passes_ten_thousand_alerts_and_badges(
    pipeline: Pipeline, tmp_path: Path, server: Server
) -> None:
    settings = settings_in(tmp_path, server.url, concurrency=40)
    few = a_pipeline(settings, pipeline.store, pipeline.clock)
    await few.register()
    await queue_many(few, 9_000)
    await queue_many(few, 1_000, PushKind.BADGE)
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
    await queue_many(few, 100)
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
    await queue_many(few, 50, PushKind.BADGE)
    await queue_many(few, 50)
    async with working(few.worker()):
        await all_settled(few)
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
        await queue_many(few, 40)
        async with working(few.worker()):
            await all_settled(few)
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
            await all_settled(pipeline)
        assert len(pipeline.ios.phones) == 32
        assert pipeline.ios.most_in_flight == 1


async def test_a_stop_finishes_what_is_on_its_way_and_takes_no_more(pipeline: Pipeline, server: Server) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    pipeline.ios.gate.clear()
    async with working(pipeline.worker()) as stop:
        await pipeline.ios.began.wait()
        stop.set()
        await asyncio.sleep(0.6)
        late = await pipeline.accept()
        pipeline.ios.gate.set()
    assert await pipeline.push_state(receipt) is PushState.ACCEPTED
    assert await pipeline.push_state(late) is PushState.QUEUED
    assert pending(server) == 0
    with server.client() as client:
        assert [client.xinfo_consumers(lane, "workers") for lane in LANES] == [[], [], []]


async def test_what_does_not_finish_within_the_drain_limit_is_repeated_by_another_worker(
    pipeline: Pipeline, tmp_path: Path, server: Server
) -> None:
    settings = settings_in(tmp_path, server.url, lease_seconds=0.5)
    hasty = settings.model_copy(update={"server": settings.server.model_copy(update={"drain_seconds": 0.1})})
    first = a_pipeline(hasty, pipeline.store, pipeline.clock)
    await first.register()
    receipt = await first.accept()
    first.ios.gate.clear()
    began = time.monotonic()
    async with working(first.worker("first")):
        await first.ios.began.wait()
    assert time.monotonic() - began < 2
    assert pending(server) == 1
    second = a_pipeline(settings, pipeline.store, pipeline.clock)
    async with working(second.worker("second")):
        await all_settled(second)
    assert [sent.push.push_id for sent in first.ios.sent] == [sent.push.push_id for sent in second.ios.sent]
    assert await pipeline.push_state(receipt) is PushState.ACCEPTED


async def test_a_worker_that_was_cut_off_loses_nothing(pipeline: Pipeline, tmp_path: Path, server: Server) -> None:
    settings = settings_in(tmp_path, server.url, lease_seconds=0.5)
    first = a_pipeline(settings, pipeline.store, pipeline.clock)
    await first.register()
    for _ in range(20):
        await first.accept()
    first.ios.gate.clear()
    cut = asyncio.create_task(first.worker("first").run(asyncio.Event()))
    await first.ios.began.wait()
    cut.cancel()
    await asyncio.sleep(0)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)
    assert cut.cancelled()
    assert first.ios.in_flight == 0
    second = a_pipeline(settings, pipeline.store, pipeline.clock)
    async with working(second.worker("second")):
        await all_settled(second)
    assert len(second.ios.phones["iphone"].received) == 20


async def test_a_stop_at_the_moment_of_taking_leaves_no_lease_that_nobody_holds(
    pipeline: Pipeline, server: Server
) -> None:
    await pipeline.register()
    for round_ in range(6):
        async with working(pipeline.worker(f"worker-{round_}")) as stop:
            await asyncio.sleep(0.004 * round_)
            accepted = [asyncio.create_task(pipeline.accept()) for _ in range(3)]
            await asyncio.sleep(0.0015 * round_)
            stop.set()
            await asyncio.gather(*accepted)
        assert pending(server) == 0


async def test_a_lease_whose_handing_out_was_never_heard_of_is_taken_up_by_the_same_worker(
    pipeline: Pipeline, server: Server
) -> None:
    await pipeline.register()
    await pipeline.accept()
    lost = await pipeline.store.queue.take("worker", lanes=ALL_LANES, count=10, block_ms=0)
    aged(server, Lane.ALERT, *lost)
    async with working(pipeline.worker("worker")):
        await all_settled(pipeline)
    assert len(pipeline.ios.sent) == 1


async def test_hundreds_of_leases_of_a_dead_worker_are_taken_over_without_a_rest(
    pipeline: Pipeline, server: Server
) -> None:
    await pipeline.register()
    await queue_many(pipeline, 400)
    lost = await pipeline.store.queue.take("dead", lanes=ALL_LANES, count=1200, block_ms=0)
    assert len(lost) == 400
    aged(server, Lane.ALERT, *lost)
    async with working(pipeline.worker()):
        await all_settled(pipeline)
    assert len({sent.push.push_id for sent in pipeline.ios.sent}) == len(pipeline.ios.sent) == 400


async def test_a_push_that_takes_longer_than_its_lease_is_sent_once(
    pipeline: Pipeline, tmp_path: Path, server: Server
) -> None:
    settings = settings_in(tmp_path, server.url, lease_seconds=0.6)
    one, other = (a_pipeline(settings, pipeline.store, pipeline.clock) for _ in range(2))
    await one.register()
    receipt = await one.accept()
    for each in (one, other):
        each.ios.gate.clear()
    async with working(one.worker("one")) as stop, working(other.worker("other")):
        await asyncio.wait(
            [asyncio.create_task(each.ios.began.wait()) for each in (one, other)], return_when=asyncio.FIRST_COMPLETED
        )
        await asyncio.sleep(0.9)
        stop.set()  # renewed while it drains, too
        await asyncio.sleep(0.9)
        for each in (one, other):
            each.ios.gate.set()
        await all_settled(one)
    assert len(one.ios.sent) + len(other.ios.sent) == 1
    assert len((await pipeline.push(receipt)).attempts) == 1


async def test_an_outage_pauses_the_queue_and_is_told_until_it_moves_again(pipeline: Pipeline, server: Server) -> None:
    await pipeline.register()
    health = pipeline.services.worker
    async with working(pipeline.worker()):
        await pipeline.accept()
        await all_settled(pipeline)
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
        await all_settled(pipeline)
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


class Failing(Queue):
    """A queue whose next move fails, once, by whatever it is given."""

    failure: BaseException | None = None

    async def move_due(self, now: Millis, limit: int = 200) -> int:
        """Fail once."""
        if (failure := self.failure) is not None:
            self.failure = None
            raise failure
        return await super().move_due(now, limit)


def with_failing_queue(pipeline: Pipeline, failure: BaseException) -> Pipeline:
    queue = pipeline.store.queue
    failing = Failing(queue._access, queue._devices, queue._reader)
    failing.failure = failure
    store: Store = replace(pipeline.store, queue=failing)
    return a_pipeline(pipeline.services.settings, store, pipeline.clock)


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


async def test_an_idle_worker_asks_the_store_a_few_dozen_times_a_second(pipeline: Pipeline, server: Server) -> None:
    def asked() -> int:
        with server.client() as client:
            info: Any = client.info("stats")
            return int(info["total_commands_processed"])

    async with working(pipeline.worker()):
        await asyncio.sleep(0.3)
        before, cpu = asked(), time.process_time()
        await asyncio.sleep(1)
        assert asked() - before < 60
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
