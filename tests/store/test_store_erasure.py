"""How an extension is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.domain.effects import Effects
from gateway.domain.extension import CallPush, CallState, ExtensionState, InboxItem, InboxKind, Unread
from gateway.domain.presence import Presence
from gateway.domain.push import PushState
from gateway.store import Store
from tests.support.servers import Server
from tests.support.store import (
    EXTENSION,
    TENANT,
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
)


def an_item(event_id: str) -> InboxItem:
    return InboxItem(event_id=event_id, kind=InboxKind.CALL_MISSED, occurred_at=1, call_id="call-1")


@dataclass(frozen=True)
class Busy:
    """An extension that has one of everything."""

    tenant: str
    extension: str

    async def fill(self, store: Store, clock: TestClock) -> None:
        where = {"tenant": self.tenant, "extension": self.extension}
        device = a_device(**where)
        await store.devices.register(device)
        await store.devices.register(replace(device, device_id="moved here"))
        for ending in (None, PushState.ACCEPTED, PushState.DEFERRED, PushState.DEAD):
            await self._event(store, clock, ending)
        state = await store.extensions.load(self.tenant, self.extension)
        loose = a_push(new_event_id(clock()), **where)
        assert await store.extensions.see(state, Unread(told=1), (), (loose,))
        state = await store.extensions.load(self.tenant, self.extension)
        assert await store.extensions.save(state, presence=Presence(status="away"))

    async def _event(self, store: Store, clock: TestClock, ending: PushState | None) -> None:
        event_id = new_event_id(clock())
        push = a_push(event_id, tenant=self.tenant, extension=self.extension)
        noted = CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind)
        record = replace(
            a_record(
                event_id,
                tenant=self.tenant,
                extension=self.extension,
                identity=f"hq/{event_id}",
                call_id=event_id,
                pushes=(push,),
            )
        )
        call = CallState(call_id=event_id, pushes=(noted,))
        await store_event(store, Effects(pushes=(push,), inbox_add=an_item(event_id), call=call), record)
        if ending is not None:
            (lease,) = [found for found in await take_all(store) if found.push_id == push.push_id]
            await settle(store, lease, ending, due=clock() + 1000)


async def test_erasing_leaves_nothing_of_the_extension_and_everything_of_the_others(
    sharded: Store, server: Server, clock: TestClock
) -> None:
    others = [Busy(TENANT, "1002"), Busy("other", EXTENSION)]
    for other in others:
        await other.fill(sharded, clock)
    before = dump(server)
    await Busy(TENANT, EXTENSION).fill(sharded, clock)
    erased = await sharded.extensions.erase(TENANT, EXTENSION)
    assert erased == {"presence": 1, "devices": 1, "inbox": 4, "events": 4, "pushes": 5, "moves": 1}
    for lease in [*await take_all(sharded), *await sharded.queue.reclaim("w", min_idle_ms=0, count=1000)]:
        await sharded.queue.load(lease)
    after = dump(server)
    lasting = {key for key in {*before, *after} if ":q:" not in key}
    assert [key for key in lasting if after.get(key) != before.get(key)] == []
    assert await sharded.extensions.load(TENANT, EXTENSION) == ExtensionState(tenant=TENANT, extension=EXTENSION)
    assert set((await sharded.extensions.erase(TENANT, EXTENSION)).values()) == {0}


def dump(server: Server) -> dict[str, object]:
    """Every key with its value."""
    with server.client() as client:
        readers: dict[bytes, Callable[[str], object]] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"set": client.smembers,
            b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
            b"list": lambda name: client.lrange(name, 0, -1),
            b"stream": client.xrange,
        }
        return {name: readers[client.type(name)](name) for name in server.names() if name != "pg:layout"}


async def test_an_erased_push_in_flight_ends_without_a_trace(store: Store, server: Server, clock: TestClock) -> None:
    for ending in (PushState.ACCEPTED, PushState.DEFERRED, PushState.DEAD):
        push = a_push(new_event_id(clock()))
        await store_pushes(store, push)
        lease = await take_one(store)
        await store.extensions.erase(TENANT, EXTENSION)
        assert await settle(store, lease, ending, due=clock())
        assert await store.queue.load(lease) is None
        assert [key for key in server.names() if ":q:" not in key] == ["pg:layout"]


async def test_no_token_and_no_number_is_in_a_key_or_a_lane(store: Store, server: Server, clock: TestClock) -> None:
    await Busy(TENANT, EXTENSION).fill(store, clock)
    with server.client() as client:
        lanes = [client.xrange(key) for key in server.names() if ":q:" in key and client.type(key) == b"stream"]
    for text in [*server.names(), str(lanes)]:
        assert not any(secret in text for secret in ("+4915112345678", "15112345678", "alert-", "voip-", "hq/"))
