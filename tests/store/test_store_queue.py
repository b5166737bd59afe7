"""A push leaves the queue only in the step that records what came of it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.device import DeviceState, Environment, Token
from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.extension import CallPush, CallState
from gateway.domain.push import Attempt, Lane, Push, PushKind, PushState
from gateway.domain.settlement import DeviceChange, Settlement
from gateway.store import Lease, Store
from tests.support.store import (
    ALL_LANES,
    EXTENSION,
    TENANT,
    Server,
    TestClock,
    a_device,
    a_push,
    a_record,
    new_event_id,
    settle,
    store_event,
    store_pushes,
    take_all,
    take_one,
    until,
)

ACCEPTED = Attempt(at=1, outcome="accepted", status=200, milliseconds=12)
TRY_LATER = Attempt(at=2, outcome="try_later", status=503, reason="ServiceUnavailable")
UNANSWERED = Attempt(at=3, outcome="unknown")
REFUSED = Attempt(at=4, outcome="refused", status=400, reason="PayloadTooLarge")


@pytest.fixture
def push(clock: TestClock) -> Push:
    return a_push(new_event_id(clock()))


async def states(store: Store, event_id: str) -> dict[PushKind, PushState]:
    return {record.push.kind: record.state for record in await store.journal.pushes(TENANT, event_id)}


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
        assert client.xlen("pg:{0}:q:alert") == 0
        assert client.xpending("pg:{0}:q:alert", "workers")["pending"] == 0


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
        assert [consumer["name"] for consumer in client.xinfo_consumers("pg:{0}:q:alert", "workers")] == [b"alive"]


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


def withdrawn_push(push: Push) -> Push:
    return a_push(push.event_id, kind=PushKind.CALL_WITHDRAWN, replaces=push.push_id)


async def withdraw(store: Store, clock: TestClock, push: Push, then: Push | None) -> str:
    event_id = new_event_id(clock())
    record = a_record(event_id, call_id=f"call of {event_id}")
    effects = Effects(withdrawals=(Withdrawal(push_id=push.push_id, then=then),))
    await store_event(store, effects, record)
    return event_id


async def test_a_waiting_push_that_became_untrue_is_marked(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    then = withdrawn_push(push)
    answered = await withdraw(store, clock, push, then)
    lease = await take_one(store)
    loaded = await store.queue.load(lease)
    assert loaded is not None
    assert loaded.withdrawn
    assert await states(store, answered) == {PushKind.CALL_WITHDRAWN: PushState.PENDING}
    await settle(store, lease, PushState.WITHDRAWN)
    assert await take_all(store) == []
    assert await states(store, answered) == {PushKind.CALL_WITHDRAWN: PushState.WITHDRAWN}


async def test_what_was_accepted_in_spite_of_its_withdrawal_is_replaced(
    store: Store, clock: TestClock, push: Push
) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    then = withdrawn_push(push)
    await withdraw(store, clock, push, then)
    await settle(store, lease, PushState.ACCEPTED, attempt=ACCEPTED)
    loaded = await store.queue.load(await take_one(store))
    assert loaded is not None
    assert (loaded.push, loaded.state) == (then, PushState.QUEUED)


@pytest.mark.parametrize("state", [PushState.DEFERRED, PushState.DEAD, PushState.EXPIRED, PushState.TOKEN_GONE])
async def test_what_no_phone_has_is_not_replaced(store: Store, clock: TestClock, push: Push, state: PushState) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    await withdraw(store, clock, push, withdrawn_push(push))
    await settle(store, lease, state, attempt=TRY_LATER, due=clock())
    assert await store.queue.move_due(clock()) == 0
    assert await take_all(store) == []
    assert await store.dead_letters.count() == 0
    ended = PushState.WITHDRAWN if state in (PushState.DEFERRED, PushState.DEAD) else state
    assert (await states(store, push.event_id))[PushKind.CALL_MISSED] is ended


async def test_what_a_phone_may_have_is_replaced(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    then = withdrawn_push(push)
    await withdraw(store, clock, push, then)
    await settle(store, lease, PushState.DEFERRED, attempt=UNANSWERED, due=clock())
    assert (await take_one(store)).push_id == then.push_id


async def test_a_deferred_push_that_became_untrue_never_comes_back(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    await settle(store, await take_one(store), PushState.DEFERRED, attempt=TRY_LATER, due=clock())
    await withdraw(store, clock, push, withdrawn_push(push))
    assert await store.queue.move_due(clock() + 1) == 0
    assert await take_all(store) == []
    assert await states(store, push.event_id) == {PushKind.CALL_MISSED: PushState.WITHDRAWN}


async def test_a_deferred_push_that_a_phone_may_have_is_replaced(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    await settle(store, await take_one(store), PushState.DEFERRED, attempt=UNANSWERED, due=clock())
    then = withdrawn_push(push)
    await withdraw(store, clock, push, then)
    assert (await take_one(store)).push_id == then.push_id
    assert await store.queue.move_due(clock() + 1) == 0


@pytest.mark.parametrize("another", [True, False])
async def test_a_replacement_that_became_untrue_itself_gives_way(
    store: Store, clock: TestClock, push: Push, *, another: bool
) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    first, second = withdrawn_push(push), a_push(push.event_id, kind=PushKind.VOICEMAIL_NEW)
    await withdraw(store, clock, push, first)
    await withdraw(store, clock, first, second if another else None)
    await settle(store, lease, PushState.ACCEPTED)
    assert [found.push_id for found in await take_all(store)] == ([second.push_id] if another else [])


async def test_a_push_is_withdrawn_once(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    first = withdrawn_push(push)
    await withdraw(store, clock, push, first)
    await withdraw(store, clock, push, withdrawn_push(push))
    await settle(store, lease, PushState.ACCEPTED)
    assert (await take_one(store)).push_id == first.push_id


async def test_a_withdrawal_decided_on_an_outdated_reading_is_refused(
    store: Store, clock: TestClock, push: Push
) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    state = await store.extensions.load(TENANT, EXTENSION)
    await settle(store, lease, PushState.ACCEPTED)
    effects = Effects(withdrawals=(Withdrawal(push_id=push.push_id, then=withdrawn_push(push)),))
    record = a_record(new_event_id(clock()), call_id="other")
    assert str(await store.extensions.accept(state, record, effects)) == "Stale()"


@pytest.mark.parametrize(
    ("ending", "seen_as"),
    [
        (None, PushState.QUEUED),
        (Settlement(state=PushState.ACCEPTED), PushState.ACCEPTED),
        (Settlement(state=PushState.DEFERRED, due=1), PushState.DEFERRED),
        (Settlement(state=PushState.DEAD), PushState.DEAD),
    ],
)
async def test_a_decision_sees_how_far_the_pushes_of_its_call_are(
    store: Store, clock: TestClock, push: Push, ending: Settlement | None, seen_as: PushState
) -> None:
    noted = CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind)
    forgotten = replace(noted, push_id="gone")
    effects = Effects(pushes=(push,), call=CallState(call_id="call-1", pushes=(noted, forgotten)))
    await store_event(store, effects, a_record(push.event_id, pushes=(push,)))
    if ending is not None:
        await store.queue.settle(await take_one(store), ending)
    state = await store.extensions.load(TENANT, EXTENSION, "call-1")
    assert state.call is not None
    assert state.call.pushes == (replace(noted, state=seen_as),)


async def test_a_decision_sees_a_withdrawal_on_its_way(store: Store, clock: TestClock, push: Push) -> None:
    noted = CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind)
    effects = Effects(pushes=(push,), call=CallState(call_id="call-1", pushes=(noted,)))
    await store_event(store, effects, a_record(push.event_id, pushes=(push,)))
    await withdraw(store, clock, push, None)
    state = await store.extensions.load(TENANT, EXTENSION, "call-1")
    assert state.call is not None
    assert state.call.pushes == (replace(noted, state=PushState.WITHDRAWN),)


async def dead_letter(store: Store, push: Push) -> None:
    await store_pushes(store, push)
    assert await settle(store, await take_one(store), PushState.DEAD, attempt=REFUSED)


async def test_dead_letters_are_listed_the_last_first(store: Store, clock: TestClock) -> None:
    pushes = []
    for _ in range(5):
        pushes.append(a_push(new_event_id(clock())))
        await dead_letter(store, pushes[-1])
        clock.pass_seconds(1)
    newest_first = [push.push_id for push in reversed(pushes)]
    first = await store.dead_letters.list(limit=2)
    assert [record.push.push_id for record in first] == newest_first[:2]
    assert first[0].attempts == (REFUSED,)
    await store.dead_letters.drop(newest_first[1])
    rest = await store.dead_letters.list(after=newest_first[1], limit=10)
    assert [record.push.push_id for record in rest] == newest_first[2:]
    assert await store.dead_letters.list(after="unknown") == ()
    assert await store.dead_letters.count() == 4


async def test_a_dead_letter_does_not_expire(store: Store, server: Server, push: Push) -> None:
    await dead_letter(store, push)
    with server.client() as client:
        assert client.ttl(f"pg:{{0}}:p:{push.push_id}") == -1
        await store.dead_letters.drop(push.push_id)
        assert client.ttl(f"pg:{{0}}:p:{push.push_id}") > 0


async def test_a_replayed_dead_letter_is_queued_with_its_attempts_forgiven(
    store: Store, server: Server, clock: TestClock, push: Push
) -> None:
    await dead_letter(store, push)
    replays = (store.dead_letters.replay(push.push_id, clock()) for _ in range(5))
    assert sorted(await asyncio.gather(*replays)) == [False] * 4 + [True]
    assert await store.dead_letters.get(push.push_id) is None
    assert await store.dead_letters.count() == 0
    lease = await take_one(store)
    loaded = await store.queue.load(lease)
    assert loaded is not None
    assert (loaded.state, loaded.attempts) == (PushState.QUEUED, 0)
    with server.client() as client:
        assert client.ttl(f"pg:{{0}}:p:{push.push_id}") > 0


async def test_a_dead_letter_past_its_deadline_is_not_replayed(store: Store, push: Push) -> None:
    await dead_letter(store, push)
    assert not await store.dead_letters.replay(push.push_id, push.deadline + 1)
    assert await store.dead_letters.replay(push.push_id, push.deadline)


async def test_a_dead_letter_that_became_untrue_is_not_replayed(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    await withdraw(store, clock, push, None)
    await settle(store, lease, PushState.DEAD, attempt=REFUSED)
    assert await store.dead_letters.get(push.push_id) is None
    assert not await store.dead_letters.replay(push.push_id, clock())


async def test_a_dropped_dead_letter_stays_in_the_history(store: Store, clock: TestClock, push: Push) -> None:
    await dead_letter(store, push)
    assert await store.dead_letters.drop(push.push_id)
    assert not await store.dead_letters.drop(push.push_id)
    assert not await store.dead_letters.replay(push.push_id, clock())
    assert await store.dead_letters.get(push.push_id) is None
    assert await states(store, push.event_id) == {PushKind.CALL_MISSED: PushState.DEAD}


@pytest.mark.parametrize("push_id", ["unknown", "", "x" * 500])
async def test_what_is_no_dead_letter_is_neither_shown_nor_replayed_nor_dropped(
    store: Store, clock: TestClock, push_id: str
) -> None:
    assert await store.dead_letters.get(push_id) is None
    assert not await store.dead_letters.replay(push_id, clock())
    assert not await store.dead_letters.drop(push_id)


async def test_lanes_that_were_lost_come_back(store: Store, server: Server, push: Push) -> None:
    with server.client() as client:
        client.flushall()
    assert await take_all(store) == []
    await store_pushes(store, push)
    assert isinstance(await take_one(store), Lease)
