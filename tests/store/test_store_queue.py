"""A push leaves the queue only in the step that records what came of it."""

import asyncio
from dataclasses import replace

from gateway.domain.device import DeviceState, Environment, Token
from gateway.domain.push import Lane, Push, PushKind, PushState
from gateway.domain.settlement import DeviceChange
from gateway.store import Lease, Store
from tests.support.servers import Server
from tests.support.store import (
    ACCEPTED,
    ALL_LANES,
    EXTENSION,
    TENANT,
    TRY_LATER,
    TestClock,
    a_device,
    a_push,
    new_event_id,
    settle,
    states,
    store_pushes,
    take_all,
    take_one,
    until,
)


async def test_each_lane_gives_its_own_pushes(store: Store, clock: TestClock) -> None:
    kinds = {Lane.RING: PushKind.CALL_INCOMING, Lane.ALERT: PushKind.VOICEMAIL_NEW, Lane.BADGE: PushKind.BADGE}
    event_id = new_event_id(clock())
    pushes = {lane: a_push(event_id, kind=kind) for lane, kind in kinds.items()}
    await store_pushes(store, *pushes.values())
    for lane, push in pushes.items():
        (lease,) = await store.queue.take("w", lanes=(lane,), count=10, block_ms=0)
        assert (lease.lane, lease.push_id) == (lane, push.push_id)


async def test_a_push_is_leased_to_one_worker(store: Store, clock: TestClock) -> None:
    event_id = new_event_id(clock())
    await store_pushes(store, *(a_push(event_id) for _ in range(40)))
    takes = (store.queue.take(f"w{n}", lanes=(Lane.ALERT,), count=10, block_ms=0) for n in range(6))
    leases = [lease for found in await asyncio.gather(*takes) for lease in found]
    assert len(leases) == len({lease.push_id for lease in leases}) == 40


async def test_taking_waits_for_the_first_push(store: Store, push: Push) -> None:
    waiting = asyncio.create_task(store.queue.take("w", lanes=ALL_LANES, count=10, block_ms=1000))
    await asyncio.sleep(0.05)
    await store_pushes(store, push)
    async with asyncio.timeout(0.9):
        assert [lease.push_id for lease in await waiting] == [push.push_id]


async def test_taking_from_empty_lanes_ends_in_time(store: Store) -> None:
    async with asyncio.timeout(1):
        assert await store.queue.take("w", lanes=ALL_LANES, count=10, block_ms=50) == []


async def test_a_lease_loads_the_push_with_its_device(store: Store, push: Push) -> None:
    device = a_device()
    await store.devices.register(device)
    await store_pushes(store, push)
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert (loaded.push, loaded.state, loaded.withdrawn, loaded.attempts) == (push, PushState.QUEUED, False, 0)
    assert loaded.device == device
    assert loaded.device is not None
    assert loaded.device.token.reveal() == device.token.reveal()


async def test_a_push_is_settled_once(store: Store, server: Server, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    settlements = (settle(store, lease, PushState.ACCEPTED, attempt=ACCEPTED) for _ in range(10))
    assert sorted(await asyncio.gather(*settlements)) == [False] * 9 + [True]
    (record,) = await store.journal.pushes(TENANT, push.event_id)
    assert (record.state, record.attempts) == (PushState.ACCEPTED, (ACCEPTED,))
    with server.client() as client:
        assert client.xlen("pg:{0}:q:alert:s:acme") == 0
        assert client.xpending("pg:{0}:q:alert:s:acme", "workers")["pending"] == 0


async def test_settling_makes_older_readings_stale(store: Store, push: Push) -> None:
    await store_pushes(store, push)
    state = await store.extensions.load(TENANT, EXTENSION)
    await settle(store, await take_one(store), PushState.ACCEPTED)
    assert not await store.extensions.save(state, presence=state.presence)


async def test_a_deferred_push_comes_back_when_it_is_due(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    due = clock() + 5000
    assert await settle(store, await take_one(store), PushState.DEFERRED, attempt=TRY_LATER, due=due)
    assert await store.queue.move_due(due - 1) == 0
    assert await take_all(store) == []
    moved = await asyncio.gather(*(store.queue.move_due(due) for _ in range(5)))
    assert sorted(moved) == [0, 0, 0, 0, 1]
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert (loaded.state, loaded.attempts) == (PushState.QUEUED, 1)


async def test_attempts_of_an_open_circuit_do_not_count(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    for counts in (False, True, False):
        await settle(store, await take_one(store), PushState.DEFERRED, attempt=TRY_LATER, due=clock(), counts=counts)
        await store.queue.move_due(clock())
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert loaded.attempts == 1
    (record,) = await store.journal.pushes(TENANT, push.event_id)
    assert record.attempts == (TRY_LATER,) * 3


async def test_a_push_for_later_waits_for_its_time(store: Store, clock: TestClock, push: Push) -> None:
    later = replace(push, not_before=clock() + 15_000)
    await store_pushes(store, later)
    assert await states(store, push.event_id) == {PushKind.CALL_MISSED: PushState.DEFERRED}
    assert await take_all(store) == []
    assert await store.queue.move_due(clock() + 15_000) == 1
    assert (await take_one(store)).push_id == push.push_id


async def test_moving_is_bounded(store: Store, clock: TestClock) -> None:
    event_id = new_event_id(clock())
    await store_pushes(store, *(a_push(event_id, not_before=clock() + 1) for _ in range(30)))
    assert [await store.queue.move_due(clock() + 1, limit=20) for _ in range(3)] == [20, 10, 0]


async def test_the_lease_of_a_dead_worker_is_reclaimed(store: Store, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store, "dead")
    assert await store.queue.reclaim("alive", min_idle_ms=60_000, count=10) == []
    assert await store.queue.reclaim("alive", min_idle_ms=0, count=10) == [lease]
    assert await settle(store, lease, PushState.ACCEPTED)
    assert not await settle(store, lease, PushState.ACCEPTED)
    assert await store.queue.reclaim("alive", min_idle_ms=0, count=10) == []


async def test_many_leases_are_reclaimed_in_several_calls(store: Store, clock: TestClock) -> None:
    event_id = new_event_id(clock())
    await store_pushes(store, *(a_push(event_id) for _ in range(50)))
    await take_all(store, "dead")
    found: set[str] = set()
    while leases := await store.queue.reclaim("alive", min_idle_ms=0, count=30):
        found |= {lease.push_id for lease in leases}
        await asyncio.gather(*(settle(store, lease, PushState.ACCEPTED) for lease in leases))
    assert len(found) == 50


async def test_a_renewed_lease_is_not_reclaimed(store: Store, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store, "busy")
    await asyncio.sleep(0.3)
    assert await store.queue.renew("busy", [lease]) == (lease,)
    assert await store.queue.reclaim("other", min_idle_ms=250, count=10) == []


async def test_a_lost_lease_is_not_taken_back_by_renewing(store: Store, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store, "slow")
    assert await store.queue.reclaim("other", min_idle_ms=0, count=10) == [lease]
    assert await store.queue.renew("slow", [lease]) == ()
    assert await store.queue.renew("other", [lease]) == (lease,)
    await settle(store, lease, PushState.ACCEPTED)
    assert await store.queue.renew("other", [lease]) == ()


async def test_forgetting_a_worker_loses_none_of_its_leases(store: Store, server: Server, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store, "gone")
    await store.queue.forget_consumer("gone")
    assert await store.queue.reclaim("alive", min_idle_ms=0, count=10) == [lease]
    await store.queue.forget_consumer("gone")
    with server.client() as client:
        assert [consumer["name"] for consumer in client.xinfo_consumers("pg:{0}:q:alert:s:acme", "workers")] == [
            b"alive"
        ]


async def test_the_depth_of_a_lane_is_what_is_not_settled(store: Store, clock: TestClock) -> None:
    event_id = new_event_id(clock())
    await store_pushes(store, *(a_push(event_id) for _ in range(3)))
    leases = await store.queue.take("w", lanes=(Lane.ALERT,), count=2, block_ms=0)
    await settle(store, leases[0], PushState.ACCEPTED)

    async def aged() -> bool:
        return ((await store.queue.depth())[Lane.ALERT].oldest_ms or 0) > 0

    await until(aged)
    depth = await store.queue.depth()
    assert depth[Lane.ALERT].depth == 2
    assert (depth[Lane.RING].depth, depth[Lane.RING].oldest_ms) == (0, None)


async def test_an_outcome_teaches_about_the_device(store: Store, push: Push) -> None:
    device = a_device()
    await store.devices.register(device)
    await store_pushes(store, push)
    change = DeviceChange(
        registered_at=device.registered_at,
        last_accepted_at=7,
        last_error="BadDeviceToken",
        environment=Environment.SANDBOX,
        tried_other_environment=True,
    )
    await settle(store, await take_one(store), PushState.ACCEPTED, attempt=ACCEPTED, device=change)
    assert await store.devices.get(TENANT, EXTENSION, device.device_id) == replace(
        device,
        last_accepted_at=7,
        last_error="BadDeviceToken",
        environment=Environment.SANDBOX,
        tried_other_environment=True,
    )


async def test_an_outcome_for_an_older_registration_is_void(store: Store, push: Push) -> None:
    device = a_device()
    await store.devices.register(device)
    await store_pushes(store, push)
    lease = await take_one(store)
    again = replace(device, registered_at=device.registered_at + 1)
    await store.devices.register(again)
    gone = DeviceChange(registered_at=device.registered_at, state=DeviceState.NEEDS_REREGISTER)
    assert await settle(store, lease, PushState.TOKEN_GONE, device=gone)
    assert await store.devices.get(TENANT, EXTENSION, device.device_id) == again


async def test_a_push_finds_no_device_that_is_gone(store: Store, push: Push) -> None:
    await store.devices.register(a_device())
    await store_pushes(store, push)
    await store.devices.delete(TENANT, EXTENSION, push.device_id)
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert loaded.device is None


async def test_a_push_finds_no_device_whose_token_moved(store: Store, push: Push) -> None:
    device = a_device()
    await store.devices.register(device)
    await store_pushes(store, push)
    await store.devices.register(a_device("bobs", extension="1002", token=device.token, voip_token=Token("v2")))
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert loaded.device is None


async def test_lanes_that_were_lost_come_back(store: Store, server: Server, push: Push) -> None:
    with server.client() as client:
        client.flushall()
    assert await take_all(store) == []
    await store_pushes(store, push)
    assert isinstance(await take_one(store), Lease)
