"""Whatever ends a worker, what it held is finished or repeated, and nothing is sent twice."""

import asyncio
import time
from pathlib import Path
from typing import Any

from gateway.domain.push import Lane, PushState
from gateway.store import Lease
from tests.support.pipeline import Pipeline, a_pipeline, settings_in, working
from tests.support.servers import Server
from tests.support.store import ALL_LANES


def pending(server: Server) -> int:
    """Leases that somebody holds, or that nobody knows of."""
    with server.client() as client:
        return sum(int(client.xpending(stream, "workers")["pending"]) for stream in server.streams())


def aged(server: Server, lane: Lane, *leases: Lease) -> None:
    """Let leases look as if nobody had renewed them for an hour."""
    with server.client() as client:
        ids: Any = [lease.entry_id for lease in leases]
        client.xclaim(f"pg:{{0}}:q:{lane}:s:acme", "workers", "dead", 0, ids, idle=3_600_000, justid=True)


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
        assert [client.xinfo_consumers(stream, "workers") for stream in server.streams()] == [[]]


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
        await second.settled()
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
        await second.settled()
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
        await pipeline.settled()
    assert len(pipeline.ios.sent) == 1


async def test_hundreds_of_leases_of_a_dead_worker_are_taken_over_without_a_rest(
    pipeline: Pipeline, server: Server
) -> None:
    await pipeline.register()
    await pipeline.queue_many(400)
    lost = await pipeline.store.queue.take("dead", lanes=ALL_LANES, count=1200, block_ms=0)
    assert len(lost) == 400
    aged(server, Lane.ALERT, *lost)
    async with working(pipeline.worker()):
        await pipeline.settled()
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
        await one.settled()
    assert len(one.ios.sent) + len(other.ios.sent) == 1
    assert len((await pipeline.push(receipt)).attempts) == 1
