"""What was given up stays until somebody replays or drops it."""

import asyncio

import pytest

from gateway.domain.push import Push, PushKind, PushState
from gateway.store import Store
from tests.support.servers import Server
from tests.support.store import (
    REFUSED,
    TestClock,
    a_push,
    new_event_id,
    settle,
    states,
    store_pushes,
    take_one,
    withdraw,
)


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
