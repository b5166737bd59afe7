"""Who owns which token: the last registration, and nobody else."""

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.device import Device, DeviceState, Environment, Provider, TargetKind, Token
from gateway.domain.errors import Conflict
from gateway.domain.push import PushKind
from gateway.domain.settlement import DeviceChange
from gateway.store import Move, Place, Registered, Store
from gateway.store.devices import MOST_DEVICES
from tests.support.servers import Server
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_device,
)


def tokens(device: Device | None) -> tuple[str, str]:
    assert device is not None
    return device.token.reveal(), device.voip_token.reveal() if device.voip_token else ""


@pytest.mark.parametrize(
    "device",
    [
        a_device(),
        a_device(voip_token=None, name="", locale="", environment=Environment.SANDBOX),
        a_device("a:b/ü {x}|", extension="10:01 {0}", tenant="tenant|{1}:x"),
        a_device(provider=Provider.FCM, target=TargetKind.FID, voip_token=None, app_version="4.2.0"),
        a_device(kinds=frozenset({PushKind.CALL_MISSED}), muted=True),
        a_device(token=Token("both"), voip_token=Token("both")),
    ],
)
async def test_a_device_is_read_back_as_it_was_registered(store: Store, device: Device) -> None:
    assert await store.devices.register(device) == Registered(created=True)
    found = await store.devices.get(device.tenant, device.extension, device.device_id)
    assert found == device
    assert tokens(found) == tokens(device)
    assert await store.devices.list(device.tenant, device.extension) == (device,)
    state = await store.extensions.load(device.tenant, device.extension)
    assert state.devices == (device,)


async def test_registering_again_replaces_the_registration(store: Store) -> None:
    device = a_device()
    await store.devices.register(device)
    gone = DeviceChange(
        registered_at=device.registered_at,
        state=DeviceState.NEEDS_REREGISTER,
        last_accepted_at=5,
        last_error="Unregistered",
        tried_other_environment=True,
    )
    assert await store.devices.apply(device, gone)
    again = replace(device, name="Another name", muted=True, registered_at=device.registered_at + 1)
    assert await store.devices.register(again) == Registered(created=False)
    assert await store.devices.get(TENANT, EXTENSION, device.device_id) == replace(again, last_accepted_at=5)


async def test_an_error_is_cleared_by_an_empty_one(store: Store) -> None:
    device = a_device()
    await store.devices.register(device)
    for error, stored in (("BadDeviceToken", "BadDeviceToken"), ("", None)):
        await store.devices.apply(device, DeviceChange(registered_at=device.registered_at, last_error=error))
        found = await store.devices.get(TENANT, EXTENSION, device.device_id)
        assert found is not None
        assert found.last_error == stored


async def test_what_an_older_registration_taught_is_void(store: Store) -> None:
    device = a_device()
    await store.devices.register(device)
    for registered_at in (device.registered_at - 1, device.registered_at + 1):
        change = DeviceChange(registered_at=registered_at, state=DeviceState.NEEDS_REREGISTER)
        assert not await store.devices.apply(device, change)
    assert not await store.devices.apply(a_device("unknown"), DeviceChange(registered_at=1, last_error="x"))
    assert not await store.devices.apply(device, DeviceChange(registered_at=device.registered_at))
    assert await store.devices.list(TENANT, EXTENSION) == (device,)


async def test_a_deleted_device_leaves_nothing_but_the_extension(store: Store, server: Server) -> None:
    before = server.names()
    await store.devices.register(a_device())
    assert await store.devices.delete(TENANT, EXTENSION, "alice-iphone")
    assert not await store.devices.delete(TENANT, EXTENSION, "alice-iphone")
    assert [key for key in server.names() if key not in before] == [f"pg:{{0}}:x:{TENANT}:{EXTENSION}"]


async def test_a_new_token_releases_the_old_one(store: Store, server: Server) -> None:
    device = a_device()
    await store.devices.register(device)
    await store.devices.register(replace(device, token=Token("new"), voip_token=None))
    assert len([key for key in server.names() if key.startswith("pg:{0}:t:")]) == 1
    assert await store.devices.register(a_device("other", token=device.token)) == Registered(created=True)


@pytest.mark.parametrize("shared", ["token", "voip_token"])
@pytest.mark.parametrize(
    "target",
    [(TENANT, EXTENSION, "alice-ipad"), (TENANT, "1002", "alice-iphone"), ("other", "1001", "alice-iphone")],
)
async def test_a_token_moves_to_the_last_registration(
    store: Store, clock: TestClock, shared: str, target: tuple[str, str, str]
) -> None:
    tenant, extension, device_id = target
    old = a_device()
    await store.devices.register(old)
    new = a_device(device_id, tenant=tenant, extension=extension, **{shared: getattr(old, shared)})
    assert await store.devices.register(new) == Registered(created=True, moved_from=(TENANT, EXTENSION, "alice-iphone"))
    assert await store.devices.get(TENANT, EXTENSION, "alice-iphone") is None
    assert await store.devices.list(tenant, extension) == (new,)
    here, there = Place(extension=extension, device_id=device_id), Place(extension=EXTENSION, device_id="alice-iphone")
    if tenant == TENANT:
        assert await store.journal.moves(TENANT) == (Move(at=clock(), origin=there, target=here),)
    else:
        assert await store.journal.moves(TENANT) == (Move(at=clock(), origin=there, target=None),)
        assert await store.journal.moves(tenant) == (Move(at=clock(), origin=None, target=here),)


async def test_two_tokens_of_two_devices_move_at_once(store: Store) -> None:
    first, second = a_device("first"), a_device("second", extension="1002")
    await store.devices.register(first)
    await store.devices.register(second)
    await store.devices.register(a_device("third", token=first.token, voip_token=second.voip_token))
    assert [device.device_id for device in await store.devices.list(TENANT, EXTENSION)] == ["third"]
    assert await store.devices.list(TENANT, "1002") == ()
    assert len(await store.journal.moves(TENANT)) == 2


async def test_the_same_token_of_another_provider_is_another_token(store: Store) -> None:
    await store.devices.register(a_device(token=Token("t"), voip_token=None))
    android = a_device("android", provider=Provider.FCM, token=Token("t"), voip_token=None)
    assert await store.devices.register(android) == Registered(created=True)
    assert len(await store.devices.list(TENANT, EXTENSION)) == 2


async def test_a_token_that_many_claim_at_once_has_one_owner_in_the_end(store: Store) -> None:
    token = Token("wanted")
    devices = [a_device(extension=str(1000 + n), token=token, voip_token=None) for n in range(20)]
    await asyncio.gather(*(store.devices.register(device) for device in devices))
    found = [device for n in range(20) for device in await store.devices.list(TENANT, str(1000 + n))]
    assert len(found) == 1
    assert await store.devices.owns(found[0], token)


async def test_a_registration_that_an_interrupted_move_left_is_deleted_when_it_is_met(
    store: Store, server: Server
) -> None:
    device = a_device()
    await store.devices.register(device)
    with server.client() as client:
        entries = [name for name in server.names() if name.startswith("pg:{0}:t:")]
        for entry in entries:
            client.set(entry, b'["other","1","2"]')
    assert not await store.devices.owns(device, device.token)
    assert await store.devices.list(TENANT, EXTENSION) == ()
    with server.client() as client:
        assert [client.get(entry) for entry in entries] == [b'["other","1","2"]'] * 2


async def test_an_extension_has_twenty_devices_and_no_more(store: Store) -> None:
    results = await asyncio.gather(
        *(store.devices.register(a_device(f"d{n}")) for n in range(MOST_DEVICES + 5)), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 5
    devices = await store.devices.list(TENANT, EXTENSION)
    assert len(devices) == MOST_DEVICES
    assert await store.devices.register(replace(devices[0], name="x")) == Registered(created=False)


async def test_a_refused_registration_takes_no_token_away(store: Store) -> None:
    owner = a_device(extension="1002")
    await store.devices.register(owner)
    for n in range(MOST_DEVICES):
        await store.devices.register(a_device(f"d{n}"))
    with pytest.raises(Conflict):
        await store.devices.register(a_device("one more", token=owner.token))
    assert await store.devices.list(TENANT, "1002") == (owner,)
    assert await store.devices.owns(owner, owner.token)
