"""An acceptance is one step: whole, once, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.domain.effects import Effects
from gateway.domain.event import EventKind, Via
from gateway.domain.extension import (
    CallPush,
    CallState,
    ExtensionState,
    InboxItem,
    InboxKind,
    RecentCall,
    Unread,
    UnseenItem,
)
from gateway.domain.presence import Presence, Profile, Status, StatusSettings
from gateway.domain.push import PushKind, PushState
from gateway.store import Duplicate, Stale, Store, Stored, open_store
from tests.support.servers import Server
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_device,
    a_push,
    a_record,
    new_event_id,
    settings,
    store_event,
    take_all,
)


async def test_an_extension_never_heard_of_has_defaults(store: Store) -> None:
    assert await store.extensions.load(TENANT, EXTENSION, "call-1") == ExtensionState(
        tenant=TENANT, extension=EXTENSION
    )


async def test_what_was_accepted_is_read_back_whole(store: Store, clock: TestClock) -> None:
    event_id = new_event_id(clock())
    push = a_push(event_id)
    effects = Effects(
        presence=Presence(status="away", since=clock(), set_by="pbx:hq"),
        call=CallState(
            call_id="call-1",
            via=Via.QUEUE,
            missed_event=event_id,
            pushes=(CallPush(push_id=push.push_id, device_id=push.device_id, kind=PushKind.CALL_MISSED),),
        ),
        unread=Unread(missed=(UnseenItem(event_id=event_id, at=clock()),), told=1),
        recent_calls=(RecentCall(number="+49151", at=clock()),),
        inbox_add=InboxItem(event_id=event_id, kind=InboxKind.CALL_MISSED, occurred_at=clock()),
        pushes=(push,),
    )
    record = a_record(event_id, pushes=(push,))
    before = await store_event(store, effects, record)

    state = await store.extensions.load(TENANT, EXTENSION, "call-1")
    assert state.rev > before.rev
    assert (state.presence, state.unread, state.recent_calls) == (
        effects.presence,
        effects.unread,
        effects.recent_calls,
    )
    assert state.call == effects.call
    assert await store.journal.get(TENANT, event_id) == record
    (kept,) = await store.journal.pushes(TENANT, event_id)
    assert (kept.push, kept.state, kept.attempts) == (push, PushState.QUEUED, ())
    assert await store.inbox.list(TENANT, EXTENSION, after=None, limit=10) == ((effects.inbox_add,), None)
    assert [lease.push_id for lease in await take_all(store)] == [push.push_id]


async def test_one_event_accepted_a_hundred_times_at_once_is_stored_once(server: Server, clock: TestClock) -> None:
    async with (
        open_store(settings(server.url), clock=clock) as one,
        open_store(settings(server.url), clock=clock) as two,
    ):

        async def accept(store: Store) -> object:
            event_id = new_event_id(clock())
            push = a_push(event_id)
            record = a_record(event_id, identity="hq/7", pushes=(push,))
            while True:
                state = await store.extensions.load(TENANT, EXTENSION, "call-1")
                result = await store.extensions.accept(state, record, Effects(pushes=(push,)))
                if result != Stale():
                    return event_id if result == Stored() else result

        results = await asyncio.gather(*(accept(store) for store in (one, two) for _ in range(50)))
        stored = [result for result in results if isinstance(result, str)]
        assert len(stored) == 1
        assert [result for result in results if result not in stored] == [Duplicate(stored[0])] * 99
        assert len(await take_all(one)) == 1
        assert len((await one.journal.list(TENANT)).items) == 1


@pytest.mark.parametrize(
    ("identity", "kind", "call_id", "duplicate"),
    [
        ("hq/1", EventKind.CALL_MISSED, "another call", True),
        ("hq/2", EventKind.CALL_MISSED, "call-1", True),
        (None, EventKind.CALL_MISSED, "call-1", True),
        ("hq/2", EventKind.CALL_ANSWERED, "call-1", False),
        ("hq/2", EventKind.CALL_MISSED, "another call", False),
        (None, EventKind.PRESENCE_CHANGED, "", False),
    ],
)
async def test_an_event_repeats_another_by_its_identity_or_by_its_fact(
    store: Store, clock: TestClock, identity: str | None, kind: EventKind, call_id: str, *, duplicate: bool
) -> None:
    first = new_event_id(clock())
    await store_event(store, Effects(), a_record(first, identity="hq/1"))
    state = await store.extensions.load(TENANT, EXTENSION)
    second = a_record(new_event_id(clock()), identity=identity, kind=kind, call_id=call_id)
    expected = Duplicate(first) if duplicate else Stored()
    assert await store.extensions.accept(state, second, Effects()) == expected


async def test_an_event_that_nothing_tells_from_another_is_still_stored_once_under_its_id(
    store: Store, clock: TestClock
) -> None:
    event_id = new_event_id(clock())
    record = a_record(event_id, kind=EventKind.PRESENCE_CHANGED)
    await store_event(store, Effects(), record)
    state = await store.extensions.load(TENANT, EXTENSION)
    assert await store.extensions.accept(state, record, Effects()) == Duplicate(event_id)


async def test_the_same_fact_of_another_tenant_or_extension_is_another_fact(store: Store, clock: TestClock) -> None:
    for tenant, extension in ((TENANT, EXTENSION), ("other", EXTENSION), (TENANT, "1002")):
        await store_event(store, Effects(), a_record(new_event_id(clock()), tenant=tenant, extension=extension))


async def test_an_identity_is_known_within_its_tenant_only(store: Store, clock: TestClock) -> None:
    for tenant in (TENANT, "other"):
        await store_event(store, Effects(), a_record(new_event_id(clock()), identity="hq/1", tenant=tenant))


async def test_a_duplicate_is_found_before_a_stale_reading(store: Store, clock: TestClock) -> None:
    state = await store.extensions.load(TENANT, EXTENSION)
    record = a_record(new_event_id(clock()), identity="hq/1")
    assert await store.extensions.accept(state, record, Effects()) == Stored()
    again = replace(record, event_id=new_event_id(clock()))
    assert await store.extensions.accept(state, again, Effects()) == Duplicate(record.event_id)


async def test_a_stale_acceptance_writes_nothing(store: Store, server: Server, clock: TestClock) -> None:
    state = await store.extensions.load(TENANT, EXTENSION)
    assert await store.extensions.save(state, presence=Presence(status="away"))
    before = server.names()
    event_id = new_event_id(clock())
    push = a_push(event_id)
    result = await store.extensions.accept(
        state, a_record(event_id, identity="hq/1", pushes=(push,)), Effects(pushes=(push,))
    )
    assert result == Stale()
    assert server.names() == before
    assert await take_all(store) == []


async def test_every_write_makes_older_readings_stale(store: Store, clock: TestClock) -> None:
    async def stale_after(write: Awaitable[object]) -> bool:
        state = await store.extensions.load(TENANT, EXTENSION)
        await write
        return not await store.extensions.save(state, presence=Presence(status="away"))

    device = a_device()
    assert await stale_after(store.devices.register(device))
    assert await stale_after(store.devices.register(device))
    assert await stale_after(store_event(store, Effects(), a_record(new_event_id(clock()))))
    assert await stale_after(store.devices.delete(TENANT, EXTENSION, device.device_id))
    assert not await stale_after(asyncio.sleep(0))


async def test_saved_parts_leave_the_others_alone(store: Store) -> None:
    settings_away = StatusSettings(ring_timeout_seconds=20)
    profile = Profile(mobile_number="+4915112345678", queues=("6400",))
    save = store.extensions.save
    parts: tuple[Callable[[ExtensionState], Awaitable[bool]], ...] = (
        lambda state: save(state, presence=Presence(status="away", since=5, set_by="app")),
        lambda state: save(state, settings=(Status.AWAY.value, settings_away)),
        lambda state: save(state, profile=profile),
        lambda state: save(state, settings=("training", StatusSettings(accept_push_notifications=False))),
    )
    for part in parts:
        state = await store.extensions.load(TENANT, EXTENSION)
        assert await part(state)
        assert not await part(state)
    state = await store.extensions.load(TENANT, EXTENSION)
    assert state.presence.status == "away"
    assert state.settings["away"] == settings_away
    assert state.settings["training"] == StatusSettings(accept_push_notifications=False)
    assert state.profile == profile


async def test_a_version_never_returns_after_erasing(store: Store, clock: TestClock) -> None:
    state = await store.extensions.load(TENANT, EXTENSION)
    await store.extensions.save(state, presence=Presence(status="away"))
    old = await store.extensions.load(TENANT, EXTENSION)
    await store.extensions.erase(TENANT, EXTENSION)
    clock.pass_seconds(1)
    await store.extensions.save(replace(state, rev=0), presence=Presence(status="away"))
    assert not await store.extensions.save(old, presence=Presence(status="off_work"))
