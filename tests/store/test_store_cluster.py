"""A Redis Cluster of three nodes, and a Sentinel: where redis-server is installed."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.errors import StoreUnavailable
from gateway.domain.extension import ExtensionState, InboxItem, InboxKind
from gateway.domain.push import Push, PushState
from gateway.domain.settlement import DeviceChange
from gateway.store import Store, open_store
from tests.support.servers import RunningCluster, free_port, running_cluster, running_server, server_kinds
from tests.support.store import (
    ALL_LANES,
    TENANT,
    TestClock,
    a_device,
    a_push,
    a_record,
    new_event_id,
    settings,
    settle,
    store_event,
    store_pushes,
    take_all,
    until,
)

ONLY_WITH_REDIS = [kind for kind in server_kinds() if kind == "redis"]


@pytest.fixture(params=ONLY_WITH_REDIS)
def running(request: pytest.FixtureRequest) -> Iterator[RunningCluster]:
    assert request.param == "redis"
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(running: RunningCluster) -> str:
    return running.url


async def everything(store: Store, clock: TestClock, extension: str) -> Push:
    """One of each step that touches several keys."""
    device = a_device(extension=extension)
    await store.devices.register(device)
    push = a_push(new_event_id(clock()), extension=extension)
    item = InboxItem(event_id=push.event_id, kind=InboxKind.CALL_MISSED, occurred_at=1)
    record = a_record(push.event_id, extension=extension, identity=f"hq/{extension}", pushes=(push,))
    await store_event(store, Effects(pushes=(push,), inbox_add=item), record)
    return push


async def test_a_cluster_does_everything_that_one_server_does(cluster: str, clock: TestClock) -> None:
    async with asyncio.timeout(15), open_store(settings(cluster), clock=clock) as store:
        extensions = [str(number) for number in range(1000, 1030)]
        pushes = await asyncio.gather(*(everything(store, clock, extension) for extension in extensions))
        leases = await take_all(store)
        assert {lease.push_id for lease in leases} == {push.push_id for push in pushes}
        assert len({lease.shard for lease in leases}) > 8

        loaded = [await store.queue.load(lease) for lease in leases]
        assert all(item is not None and item.device is not None for item in loaded)
        assert len(await store.queue.renew("worker", leases)) == 30
        change = DeviceChange(registered_at=a_device().registered_at, last_accepted_at=9)
        await asyncio.gather(*(settle(store, lease, PushState.ACCEPTED, device=change) for lease in leases[:10]))
        await asyncio.gather(*(settle(store, lease, PushState.DEFERRED, due=1) for lease in leases[10:20]))
        await asyncio.gather(*(settle(store, lease, PushState.DEAD) for lease in leases[20:]))
        assert await store.queue.move_due(clock()) == 10
        assert await store.dead_letters.count() == 10
        (first, *_) = await store.dead_letters.list(limit=1)
        assert await store.dead_letters.replay(first.push.push_id, clock())
        assert sum(depth.depth for depth in (await store.queue.depth()).values()) == 11
        assert len(await store.queue.reclaim("other", min_idle_ms=0, count=1000)) == 0

        page = await store.journal.list(TENANT, limit=20)
        assert len(page.items) == 20
        assert page.next is not None
        assert len((await store.journal.list(TENANT, limit=20, after=page.next)).items) == 10
        withdrawal = Withdrawal(push_id=pushes[0].push_id)
        await store_event(
            store, Effects(withdrawals=(withdrawal,)), a_record(new_event_id(clock()), call_id="2", extension="1000")
        )
        erased = await store.extensions.erase(TENANT, "1000")
        assert (erased["devices"], erased["inbox"], erased["events"], erased["pushes"]) == (1, 1, 2, 1)
        health = await store.health()
        assert (health.ok, health.server[:7], health.fsync) == (True, "Redis 7", "no")


async def test_a_cluster_is_waited_for_while_nothing_is_queued(cluster: str, clock: TestClock) -> None:
    async with open_store(settings(cluster), clock=clock) as store:
        waiting = asyncio.create_task(take_all_soon(store))
        await asyncio.sleep(0.1)
        push = a_push(new_event_id(clock()))
        await store_pushes(store, push)
        assert await waiting == [push.push_id]


async def test_a_shard_whose_node_is_gone_is_unavailable_and_the_others_are_not(
    running: RunningCluster, clock: TestClock
) -> None:
    async with open_store(settings(running.url), clock=clock) as store:
        running.processes[0].kill()
        running.processes[0].wait()
        async with asyncio.timeout(10):
            loads = [store.extensions.load(TENANT, str(number)) for number in range(40)]
            results = await asyncio.gather(*loads, return_exceptions=True)
        assert any(isinstance(result, StoreUnavailable) for result in results)
        assert any(isinstance(result, ExtensionState) for result in results)
        assert all(isinstance(result, StoreUnavailable | ExtensionState) for result in results)
        assert not (await store.health()).ok


async def take_all_soon(store: Store) -> list[str]:
    leases = await store.queue.take("w", lanes=ALL_LANES, count=100, block_ms=1000)
    return [lease.push_id for lease in leases]


@pytest.fixture(params=ONLY_WITH_REDIS)
def sentinel(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Sentinel that watches one server."""
    assert request.param == "redis"
    program = shutil.which("redis-server")
    assert program is not None
    with running_server("redis", port=(primary := free_port())), tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder) / "sentinel.conf"
        config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor pbx 127.0.0.1 {primary} 1\n")
        process = subprocess.Popen([program, config, "--sentinel"], stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            yield f"redis+sentinel://127.0.0.1:{port}/pbx"
        finally:
            process.kill()
            process.wait()


async def test_a_sentinel_tells_where_the_server_is(sentinel: str, clock: TestClock) -> None:
    async with open_store(settings(sentinel), clock=clock) as store:
        push = a_push(new_event_id(clock()))
        await store_pushes(store, push)

        async def taken() -> bool:
            return await take_all_soon(store) == [push.push_id]

        await until(taken)
        assert (await store.health()).ok
