"""Tenants take turns in a lane: whoever queues much waits for what it queued, and nobody else does."""

import asyncio
from collections import Counter
from itertools import groupby

from gateway.domain.push import Lane, PushKind, PushState
from gateway.store import Lease, Store
from gateway.store.lua import COMMIT
from tests.support.servers import Server
from tests.support.store import TestClock, a_push, new_event_id, settle, store_pushes


async def queue(
    store: Store, clock: TestClock, tenant: str, count: int, *, kind: PushKind = PushKind.CALL_MISSED
) -> list[str]:
    """So many pushes of a tenant, for an extension of their own; their ids."""
    event_id = new_event_id(clock())
    pushes = [a_push(event_id, tenant=tenant, extension=event_id, kind=kind) for _ in range(count)]
    await store_pushes(store, *pushes)
    return [push.push_id for push in pushes]


async def take(store: Store, count: int, lane: Lane = Lane.ALERT) -> list[Lease]:
    return await store.queue.take("w", lanes=(lane,), count=count, block_ms=0)


def crowd(server: Server, lane: Lane, tenant: str, count: int) -> None:
    """So many entries of one tenant in one step. Nothing is behind them."""
    writes = [word for _ in range(1000) for word in (4, "@enter", f"pg:{{0}}:q:{lane}", tenant, "gone")]
    with server.client() as client:
        for _ in range(count // 1000):
            rev = client.hget("pg:{0}:x:none", "rev") or b"0"
            assert client.eval(COMMIT.source, 1, "pg:{0}:x:none", rev, 0, "", 0, *writes) == b"stored"


async def test_a_tenant_that_queues_little_does_not_wait_for_one_that_queues_much(
    store: Store, clock: TestClock
) -> None:
    await queue(store, clock, "loud", 300)
    quiet = await queue(store, clock, "quiet", 3)
    assert {lease.push_id for lease in await take(store, 6)} >= set(quiet)


async def test_tenants_with_much_to_send_are_served_alike(store: Store, clock: TestClock) -> None:
    for number, tenant in enumerate(("a", "b", "c")):
        await queue(store, clock, tenant, 100 * (number + 1))
    served = [lease.tenant for _ in range(10) for lease in await take(store, 9)]
    assert Counter(served) == {"a": 30, "b": 30, "c": 30}


async def test_one_at_a_time_tenants_are_served_in_turns(store: Store, clock: TestClock) -> None:
    tenants = [f"tenant-{number}" for number in range(20)]
    for tenant in tenants:
        await queue(store, clock, tenant, 5)
    order = [lease.tenant for _ in range(100) for lease in await take(store, 1)]
    assert [order[at : at + 20] for at in range(0, 100, 20)] == [tenants] * 5


async def test_pushes_of_one_tenant_stay_in_order(store: Store, clock: TestClock) -> None:
    first, second = await queue(store, clock, "a", 40), await queue(store, clock, "b", 40)
    taken = [lease for _ in range(30) for lease in await take(store, 7)]
    by_tenant = {name: [one.push_id for one in taken if one.tenant == name] for name in ("a", "b")}
    assert by_tenant == {"a": first, "b": second}


async def test_what_one_tenant_leaves_of_its_part_others_get(store: Store, clock: TestClock) -> None:
    await queue(store, clock, "loud", 100)
    for number in range(5):
        await queue(store, clock, f"quiet-{number}", 1)
    assert Counter(lease.tenant == "loud" for lease in await take(store, 60)) == {True: 55, False: 5}


async def test_whoever_keeps_queueing_starves_nobody(store: Store, clock: TestClock) -> None:
    await queue(store, clock, "loud", 20)
    quiet = set(await queue(store, clock, "quiet", 10))
    for takes in range(20):
        await queue(store, clock, "loud", 5)
        quiet -= {lease.push_id for lease in await take(store, 1)}
        assert len(quiet) <= 10 - takes // 2
    assert quiet == set()


async def test_a_missed_call_does_not_wait_for_100_000_badges(store: Store, server: Server, clock: TestClock) -> None:
    crowd(server, Lane.BADGE, "acme", 100_000)
    (missed,) = await queue(store, clock, "acme", 1)
    depth = await store.queue.depth()
    assert (depth[Lane.BADGE].depth, depth[Lane.ALERT].depth) == (100_000, 1)
    assert [lease.push_id for lease in await take(store, 1)] == [missed]


async def test_ringing_does_not_wait_for_alerts(store: Store, server: Server, clock: TestClock) -> None:
    crowd(server, Lane.ALERT, "acme", 10_000)
    (ringing,) = await queue(store, clock, "acme", 1, kind=PushKind.CALL_INCOMING)
    assert [lease.push_id for lease in await take(store, 1, Lane.RING)] == [ringing]


async def test_a_tenant_of_whom_all_was_taken_rings_again(store: Store, clock: TestClock) -> None:
    for _ in range(3):
        (push_id,) = await queue(store, clock, "a", 1)
        assert [lease.push_id for lease in await take(store, 1)] == [push_id]
        waiting = asyncio.create_task(store.queue.take("w", lanes=(Lane.ALERT,), count=1, block_ms=1000))
        await asyncio.sleep(0.05)
        (push_id,) = await queue(store, clock, "a", 1)
        async with asyncio.timeout(0.5):
            assert [lease.push_id for lease in await waiting] == [push_id]


async def test_every_waiting_worker_hears_the_bell(store: Store, clock: TestClock) -> None:
    workers = [
        asyncio.create_task(store.queue.take(f"w{n}", lanes=(Lane.ALERT,), count=1, block_ms=1000)) for n in range(5)
    ]
    await asyncio.sleep(0.05)
    wanted = set(await queue(store, clock, "a", 5))
    async with asyncio.timeout(0.6):
        assert {lease.push_id for found in await asyncio.gather(*workers) for lease in found} == wanted


async def test_nothing_of_an_empty_lane_stays_but_for_a_while(store: Store, server: Server, clock: TestClock) -> None:
    await queue(store, clock, "a", 3)
    for lease in [*await take(store, 2), *await take(store, 2)]:
        await settle(store, lease, PushState.ACCEPTED)
    assert await take(store, 1) == []
    with server.client() as client:
        kept = {name: client.ttl(name) for name in server.names() if ":q:" in name}
    assert set(kept) == {"pg:{0}:q:alert:s:a", "pg:{0}:q:alert:bell"}
    assert 500 < kept["pg:{0}:q:alert:s:a"] <= 600
    await queue(store, clock, "a", 1)
    with server.client() as client:
        assert client.ttl("pg:{0}:q:alert:s:a") == -1


EXPIRE = "if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end"
"""What the passing of ten minutes does."""


async def let_streams_go(server: Server, tenants: tuple[str, ...]) -> None:
    with server.client() as client:
        while True:
            for tenant in tenants:
                client.eval(EXPIRE, 1, f"pg:{{0}}:q:alert:s:{tenant}")
            await asyncio.sleep(0.001)


async def work(store: Store, consumer: str, settled: list[str], count: int) -> None:
    while len(settled) < count:
        for lease in await store.queue.take(consumer, lanes=(Lane.ALERT,), count=2, block_ms=20):
            assert await settle(store, lease, PushState.ACCEPTED)
            settled.append(lease.push_id)


async def test_no_push_is_lost_while_streams_come_and_go(store: Store, server: Server, clock: TestClock) -> None:
    tenants = ("a", "b", "c")
    settled: list[str] = []
    going = asyncio.create_task(let_streams_go(server, tenants))
    workers = [asyncio.create_task(work(store, f"w{number}", settled, 180)) for number in range(3)]
    async with asyncio.timeout(20):
        wanted = [push_id for _ in range(60) for tenant in tenants for push_id in await queue(store, clock, tenant, 1)]
        await asyncio.gather(*workers)
    going.cancel()
    assert sorted(settled) == sorted(wanted)
    assert (await store.queue.depth())[Lane.ALERT].depth == 0


async def test_a_thousand_tenants_are_reclaimed_renewed_and_counted(store: Store, clock: TestClock) -> None:
    tenants = [f"tenant-{number}" for number in range(1000)]
    await asyncio.gather(*(queue(store, clock, tenant, 1) for tenant in tenants))
    leases = await take(store, 2000)
    assert [name for name, _ in groupby(sorted(lease.tenant for lease in leases))] == sorted(tenants)
    assert (await store.queue.depth())[Lane.ALERT].depth == 1000
    assert len(await store.queue.renew("w", leases)) == 1000
    assert len(await store.queue.reclaim("other", min_idle_ms=0, count=6000)) == 1000
    await store.queue.forget_consumer("w")
    assert all(await asyncio.gather(*(settle(store, lease, PushState.ACCEPTED) for lease in leases)))
    assert (await store.queue.depth())[Lane.ALERT].depth == 0
