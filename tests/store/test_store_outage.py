"""The store goes and comes back: callers are told at once, and nothing has to be restarted."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.domain.effects import Effects
from gateway.domain.errors import ConfigurationError, StoreUnavailable
from gateway.domain.push import PushState
from gateway.store import Store, Stored, open_store
from tests.support.servers import Server, running_server, server_kinds
from tests.support.store import (
    ALL_LANES,
    EXTENSION,
    TENANT,
    TestClock,
    a_push,
    a_record,
    new_event_id,
    settings,
    settle,
    store_pushes,
    take_one,
    until,
)


@pytest.fixture(params=server_kinds())
def frail_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running_server(request.param) as server:
        yield server


@pytest.fixture
async def frail_store(frail_server: Server, clock: TestClock) -> AsyncIterator[Store]:
    async with open_store(settings(frail_server.url), clock=clock) as opened:
        yield opened


async def test_an_outage_is_told_at_once_and_passes_by_itself(
    frail_server: Server, frail_store: Store, clock: TestClock
) -> None:
    store = frail_store
    push = a_push(new_event_id(clock()))
    await store_pushes(store, push)
    frail_server.kill()
    async with asyncio.timeout(1):
        for call in (
            lambda: store.extensions.load(TENANT, EXTENSION),
            lambda: store.queue.take("w", lanes=ALL_LANES, count=1, block_ms=1000),
            store.queue.depth,
            lambda: store.journal.get(TENANT, push.event_id),
        ):
            with pytest.raises(StoreUnavailable):
                await call()
        assert not (await store.health()).ok
    frail_server.start()
    assert (await store.health()).ok
    assert (await take_one(store)).push_id == push.push_id


async def test_a_server_that_dies_while_workers_wait_lets_them_go(frail_server: Server, frail_store: Store) -> None:
    waiting = asyncio.create_task(frail_store.queue.take("w", lanes=ALL_LANES, count=1, block_ms=1000))
    await asyncio.sleep(0.1)
    frail_server.kill()
    async with asyncio.timeout(0.5):
        with pytest.raises(StoreUnavailable):
            await waiting


async def test_a_server_that_hangs_is_taken_for_gone(frail_server: Server, frail_store: Store) -> None:
    frail_server.process.send_signal(signal.SIGSTOP)
    health = asyncio.create_task(frail_store.health())
    async with asyncio.timeout(8):
        with pytest.raises(StoreUnavailable):
            await frail_store.extensions.load(TENANT, EXTENSION)
    assert not (await health).ok
    frail_server.process.send_signal(signal.SIGCONT)

    async def well() -> bool:
        return (await frail_store.health()).ok

    await until(well)


async def test_everybody_in_a_broken_batch_is_told(frail_server: Server, frail_store: Store) -> None:
    calls = [asyncio.create_task(frail_store.extensions.load(TENANT, str(n))) for n in range(600)]
    await asyncio.sleep(0)
    frail_server.kill()
    async with asyncio.timeout(2):
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(result, StoreUnavailable) for result in results)
    assert not any(isinstance(result, Exception) and not isinstance(result, StoreUnavailable) for result in results)


@pytest.mark.parametrize(
    "trouble", [("maxmemory", "1"), ("min-replicas-to-write", "3")], ids=["memory full", "no replica"]
)
async def test_a_server_that_refuses_writes_stores_nothing(
    frail_server: Server, frail_store: Store, clock: TestClock, trouble: tuple[str, str]
) -> None:
    state = await frail_store.extensions.load(TENANT, EXTENSION)
    push = a_push(new_event_id(clock()))
    record = a_record(push.event_id, pushes=(push,))
    with frail_server.client() as client:
        before = frail_server.names()
        client.config_set(*trouble)
        with pytest.raises(StoreUnavailable):
            await frail_store.extensions.accept(state, record, Effects(pushes=(push,)))
        assert not (await frail_store.health()).ok
        client.config_set(trouble[0], 0)
    assert [name for name in frail_server.names() if not name.endswith(":probe")] == before
    assert await frail_store.extensions.accept(state, record, Effects(pushes=(push,))) == Stored()


async def test_a_full_store_empties_itself(frail_server: Server, frail_store: Store, clock: TestClock) -> None:
    pushes = [a_push(new_event_id(clock())) for _ in range(2)]
    for push in pushes:
        await store_pushes(frail_store, push)
    with frail_server.client() as client:
        client.config_set("maxmemory", 1)
        leases = await frail_store.queue.take("w", lanes=ALL_LANES, count=10, block_ms=0)
        settled, claimed = await asyncio.gather(
            settle(frail_store, leases[0], PushState.ACCEPTED),
            frail_store.deliveries.claim("hq", "msg_1", "d", ()),
            return_exceptions=True,
        )
        assert settled is True
        assert isinstance(claimed, StoreUnavailable)
        assert await settle(frail_store, leases[1], PushState.DEFERRED, due=clock())
        assert await frail_store.queue.move_due(clock()) == 1


async def test_a_replica_is_no_store(frail_server: Server, clock: TestClock) -> None:
    with frail_server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StoreUnavailable):
        async with open_store(settings(frail_server.url), clock=clock, patience_seconds=0.2):
            pass


async def test_a_store_that_is_not_there_is_waited_for(clock: TestClock, frail_server: Server) -> None:
    frail_server.kill()

    async def open_it() -> bool:
        async with open_store(settings(frail_server.url), clock=clock) as store:
            return (await store.health()).ok

    opening = asyncio.create_task(open_it())
    await asyncio.sleep(0.3)
    await asyncio.to_thread(frail_server.start)
    assert await opening


async def test_a_store_that_never_comes_is_given_up(clock: TestClock) -> None:
    async with asyncio.timeout(3):
        with pytest.raises(StoreUnavailable):
            async with open_store(settings("redis://127.0.0.1:1"), clock=clock, patience_seconds=0.3):
                pass


async def test_scripts_are_learned_again_after_a_restart(server: Server, store: Store) -> None:
    with server.client() as client:
        client.script_flush()
    states = await asyncio.gather(*(store.extensions.load(TENANT, str(n)) for n in range(50)))
    assert len(states) == 50


async def test_health_tells_what_the_server_is(server: Server, store: Store) -> None:
    health = await store.health()
    assert (health.ok, health.detail, health.fsync, health.notes) == (True, "ok", "everysec", ())
    assert health.server.startswith("Valkey 9" if server.kind == "valkey" else "Redis 7")
    assert health.used_memory > 100_000
    assert 0 < health.latency_ms < 1000


async def test_health_tells_what_weakens_the_promises(frail_server: Server, frail_store: Store) -> None:
    with frail_server.client() as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")
    health = await frail_store.health()
    assert (health.ok, health.fsync, len(health.notes)) == (True, "no", 2)


async def test_another_number_of_shards_is_refused(server: Server, store: Store, clock: TestClock) -> None:
    assert (await store.health()).ok
    with pytest.raises(ConfigurationError, match="made with 1 shard"):
        async with open_store(settings(server.url, shards=4), clock=clock):
            pass


async def test_a_store_of_another_format_is_refused(server: Server, clock: TestClock) -> None:
    with server.client() as client:
        client.hset("pg:layout", mapping={"shards": 1, "format": 99})
    with pytest.raises(ConfigurationError, match="format 99"):
        async with open_store(settings(server.url), clock=clock):
            pass


async def test_a_caller_that_gives_up_disturbs_nobody(store: Store) -> None:
    calls = [asyncio.create_task(store.extensions.load(TENANT, str(n))) for n in range(100)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert not any(isinstance(result, BaseException) for result in results[1::2])


async def test_a_worker_that_stops_waiting_loses_no_push(store: Store, clock: TestClock) -> None:
    waiting = asyncio.create_task(store.queue.take("gone", lanes=ALL_LANES, count=1, block_ms=1000))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    push = a_push(new_event_id(clock()))
    await store_pushes(store, push)

    async def found() -> bool:
        leases = await store.queue.take("w", lanes=ALL_LANES, count=1, block_ms=0)
        leases += await store.queue.reclaim("w", min_idle_ms=0, count=3)
        return [lease.push_id for lease in leases] == [push.push_id]

    await until(found)
