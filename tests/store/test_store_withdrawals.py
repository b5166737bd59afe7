"""What became untrue is not sent any more; where a phone has it, it is replaced."""

from dataclasses import replace

import pytest

from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.extension import CallPush, CallState
from gateway.domain.push import Attempt, Push, PushKind, PushState
from gateway.domain.settlement import Settlement
from gateway.store import Store
from tests.support.store import (
    ACCEPTED,
    EXTENSION,
    TENANT,
    TRY_LATER,
    UNANSWERED,
    TestClock,
    a_push,
    a_record,
    new_event_id,
    settle,
    states,
    store_event,
    store_pushes,
    take_all,
    take_one,
    withdraw,
)


def withdrawn_push(push: Push) -> Push:
    return a_push(push.event_id, kind=PushKind.CALL_WITHDRAWN, replaces=push.push_id)


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


@pytest.mark.parametrize("attempt", [UNANSWERED, replace(TRY_LATER, status=500)])
async def test_a_deferred_push_that_a_phone_may_have_is_replaced(
    store: Store, clock: TestClock, push: Push, attempt: Attempt
) -> None:
    await store_pushes(store, push)
    await settle(store, await take_one(store), PushState.DEFERRED, attempt=attempt, due=clock())
    then = withdrawn_push(push)
    await withdraw(store, clock, push, then)
    assert (await take_one(store)).push_id == then.push_id
    assert await store.queue.move_due(clock() + 1) == 0


async def test_a_push_that_a_killed_worker_may_have_sent_is_replaced(
    store: Store, clock: TestClock, push: Push
) -> None:
    await store_pushes(store, push)
    await take_one(store, "killed between sending and settling")
    then = withdrawn_push(push)
    await withdraw(store, clock, push, then)
    (lease,) = await store.queue.reclaim("survivor", min_idle_ms=0, count=10)
    loaded = await store.queue.load(lease)
    assert loaded is not None
    assert loaded.withdrawn
    await settle(store, lease, PushState.WITHDRAWN)
    assert (await take_one(store)).push_id == then.push_id


async def test_a_renewed_lease_is_no_other_lease(store: Store, clock: TestClock, push: Push) -> None:
    await store_pushes(store, push)
    lease = await take_one(store)
    await withdraw(store, clock, push, withdrawn_push(push))
    assert await store.queue.renew("worker", [lease]) == (lease,)
    await settle(store, lease, PushState.WITHDRAWN)
    assert await take_all(store) == []


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
