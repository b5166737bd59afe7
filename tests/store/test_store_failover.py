"""A Sentinel puts the replica in the primary's place: where redis-server is installed."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from gateway.domain.effects import Effects
from gateway.domain.errors import StoreUnavailable
from gateway.settings import StoreSettings
from gateway.store import Duplicate, Store, Stored, open_store
from tests.support.servers import SentinelPair, running_sentinel_pair, server_kinds
from tests.support.store import TENANT, TestClock, a_push, a_record, new_event_id, settings, take_all, until

ONLY_WITH_REDIS = [kind for kind in server_kinds() if kind == "redis"]


@pytest.fixture(params=ONLY_WITH_REDIS)
def pair(request: pytest.FixtureRequest) -> Iterator[SentinelPair]:
    assert request.param == "redis"
    with running_sentinel_pair() as running:
        yield running


def waiting_for_replicas(url: str) -> StoreSettings:
    return settings(url).model_copy(update={"wait_replicas": 1})


async def accept(store: Store, clock: TestClock, number: int) -> str:
    """One event with a push, acknowledged when this returns; its push id."""
    extension = str(number)
    push = a_push(new_event_id(clock()), extension=extension)
    record = a_record(push.event_id, extension=extension, identity=extension, pushes=(push,))
    state = await store.extensions.load(TENANT, extension)
    assert await store.extensions.accept(state, record, Effects(pushes=(push,))) == Stored()
    return push.push_id


async def healthy(store: Store) -> bool:
    return (await store.health()).ok


async def test_what_replicas_acknowledged_survives_the_failover(pair: SentinelPair, clock: TestClock) -> None:
    async with open_store(waiting_for_replicas(pair.url), clock=clock) as store:
        pushes = await asyncio.gather(*(accept(store, clock, number) for number in range(100)))
        pair.primary.kill()
        async with open_store(settings(pair.url), clock=clock, patience_seconds=20) as again:
            await until(lambda: healthy(again))
            assert {lease.push_id for lease in await take_all(again)} == set(pushes)
            assert await accept(again, clock, 1000)
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await accept(store, clock, 1001)


async def test_an_event_without_its_acknowledgement_is_refused_and_its_repeat_is_a_duplicate(
    pair: SentinelPair, clock: TestClock
) -> None:
    async with open_store(waiting_for_replicas(pair.url), clock=clock) as store:
        assert await accept(store, clock, 1)
        push = a_push(new_event_id(clock()))
        record = a_record(push.event_id, identity="one", pushes=(push,))
        state = await store.extensions.load(TENANT, "1001")
        pair.replica.process.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreUnavailable, match="too few replicas"):
            await store.extensions.accept(state, record, Effects(pushes=(push,)))
        pair.replica.process.send_signal(signal.SIGCONT)
        await until(lambda: healthy(store))
        state = await store.extensions.load(TENANT, "1001")
        repeated = await store.extensions.accept(state, record, Effects(pushes=(push,)))
        assert repeated == Duplicate(push.event_id)
