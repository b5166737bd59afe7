"""What goes wrong with a store's disk and data is said, or mended; what was acknowledged is never lost silently."""

import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.domain.errors import ConfigurationError, StoreUnavailable
from gateway.domain.push import PushState
from gateway.store import Store, open_store
from tests.support.servers import Server, running_server, server_kinds
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_push,
    new_event_id,
    settings,
    settle,
    store_pushes,
    take_all,
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


async def queue(store: Store, clock: TestClock, count: int) -> list[str]:
    """So many events with a push each; the push ids."""
    pushes = [a_push(new_event_id(clock())) for _ in range(count)]
    for push in pushes:
        await store_pushes(store, push)
    return [push.push_id for push in pushes]


async def healthy(store: Store) -> bool:
    return (await store.health()).ok


async def test_a_torn_last_write_costs_nothing_but_itself(
    frail_server: Server, frail_store: Store, clock: TestClock
) -> None:
    pushes = await queue(frail_store, clock, 20)
    frail_server.write_out()
    frail_server.kill()
    file = frail_server.append_only_file
    file.write_bytes(file.read_bytes()[:-7])
    frail_server.start()
    assert [lease.push_id for lease in await take_all(frail_store)] == pushes[:-1]
    (last,) = await queue(frail_store, clock, 1)
    assert [lease.push_id for lease in await take_all(frail_store)] == [last]


async def test_a_torn_write_is_whole_or_not_at_all(frail_server: Server, frail_store: Store, clock: TestClock) -> None:
    await queue(frail_store, clock, 3)
    frail_server.write_out()
    frail_server.kill()
    written = frail_server.append_only_file.read_bytes()
    for cut in (100, 400, 700):
        frail_server.append_only_file.write_bytes(written[:-cut])
        frail_server.start()
        leases = await take_all(frail_store, f"worker-{cut}")
        found = [await frail_store.queue.load(lease) for lease in leases]
        events = (await frail_store.journal.list(TENANT)).items
        assert len(leases) == len(events)
        assert all(one is not None for one in found)
        frail_server.kill()
    frail_server.start()


async def test_data_damaged_in_the_middle_is_refused_and_not_left_out(tmp_path: Path, clock: TestClock) -> None:
    used = settings(f"embedded:{tmp_path / 'store'}")
    async with open_store(used, clock=clock) as store:
        await queue(store, clock, 20)
    (file,) = (tmp_path / "store" / "appendonlydir").glob("*.incr.aof")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + b"\0" * 64 + whole[len(whole) // 2 + 64 :])
    with pytest.raises(ConfigurationError, match=r"does not start: .*Bad file format"):
        async with open_store(used, clock=clock):
            pass
    assert len(file.read_bytes()) == len(whole)
    file.write_bytes(whole)
    async with open_store(used, clock=clock) as store:
        assert len(await take_all(store)) == 20


async def test_a_full_disk_is_told_and_passes(frail_server: Server, frail_store: Store, clock: TestClock) -> None:
    pushes = await queue(frail_store, clock, 5)
    pid, size = frail_server.process.pid, frail_server.append_only_file.stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 10_000, resource.RLIM_INFINITY))

    async def refused() -> bool:
        try:
            pushes.extend(await queue(frail_store, clock, 1))
        except StoreUnavailable:
            return True
        return False

    await until(refused)
    assert not await healthy(frail_store)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await until(lambda: healthy(frail_store))
    pushes += await queue(frail_store, clock, 1)
    assert {lease.push_id for lease in await take_all(frail_store)} >= set(pushes)
    frail_server.write_out()
    frail_server.kill()
    frail_server.start()
    assert len(await frail_store.queue.reclaim("other", min_idle_ms=0, count=1000)) >= len(pushes)


async def test_a_store_that_loads_for_long_is_told_and_waited_for(
    frail_server: Server, frail_store: Store, clock: TestClock
) -> None:
    await queue(frail_store, clock, 20)
    with frail_server.client() as client:
        client.mset({f"filler:{number}": "x" * 1000 for number in range(4000)})
        client.bgrewriteaof()

        async def written() -> bool:
            return not client.info("persistence")["aof_rewrite_in_progress"]

        await until(written)
    frail_server.write_out()
    frail_server.kill()
    frail_server.start("key-load-delay 500", "loading-process-events-interval-bytes 1024", patient=False)

    async def loading() -> bool:
        return (await frail_store.health()).detail == "the store is still loading its data"

    await until(loading)
    with pytest.raises(StoreUnavailable, match="loading"):
        await frail_store.extensions.load(TENANT, EXTENSION)
    await until(lambda: healthy(frail_store))
    assert len(await take_all(frail_store)) == 20


async def test_a_store_that_was_replaced_by_an_empty_one_works_at_once(
    frail_server: Server, frail_store: Store, clock: TestClock
) -> None:
    await queue(frail_store, clock, 3)
    await take_all(frail_store)
    with frail_server.client() as client:
        client.flushall()
        client.script_flush()
        assert await frail_store.queue.renew("worker", await take_all(frail_store)) == ()
        (push_id,) = await queue(frail_store, clock, 1)
        (lease,) = await take_all(frail_store)
        assert lease.push_id == push_id
        assert await settle(frail_store, lease, PushState.ACCEPTED)
        assert await healthy(frail_store)
        assert client.hget("pg:layout", "shards") == b"1"


async def test_leases_of_the_store_that_was_replaced_end(
    frail_server: Server, frail_store: Store, clock: TestClock
) -> None:
    await queue(frail_store, clock, 1)
    (lease,) = await take_all(frail_store)
    with frail_server.client() as client:
        client.flushall()
    assert await frail_store.queue.load(lease) is None
    assert not await settle(frail_store, lease, PushState.ACCEPTED)
    assert await frail_store.queue.renew("worker", [lease]) == ()
    assert await frail_store.queue.reclaim("other", min_idle_ms=0, count=10) == []


async def test_a_store_that_was_replaced_by_one_of_another_layout_is_down(
    frail_server: Server, frail_store: Store
) -> None:
    with frail_server.client() as client:
        client.flushall()
        client.hset("pg:layout", mapping={"shards": 4, "format": 2})
    health = await frail_store.health()
    assert (health.ok, health.detail) == (False, "the store was made with 4 shard(s) and cannot be used with 1")


async def test_a_store_without_the_replicas_asked_for_acknowledges_nothing(
    frail_server: Server, clock: TestClock
) -> None:
    async with open_store(settings(frail_server.url), clock=clock) as store:
        assert await healthy(store)
    used = settings(frail_server.url).model_copy(update={"wait_replicas": 1})
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        async with open_store(used, clock=clock, patience_seconds=0.1):
            pass
