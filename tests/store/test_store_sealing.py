"""Tokens at rest: nobody who reads the store has them, and keys are replaced without a phone noticing."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.device import DeviceState, Token
from gateway.domain.errors import ConfigurationError
from gateway.settings import StoreSettings, TokenKey
from gateway.store import Sealed, open_store, seal_tokens
from gateway.store.seals import CannotOpen, Seals
from tests.support.servers import Server, running_cluster
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_device,
    a_push,
    new_event_id,
    settings,
    store_pushes,
    take_one,
)

OLD = {"id": "2025", "key": base64.b64encode(secrets.token_bytes(32)).decode()}
NEW = {"id": "2026", "key": base64.b64encode(secrets.token_bytes(32)).decode()}
IMPOSTOR = {**OLD, "key": NEW["key"]}


def with_keys(server: Server, *keys: dict[str, str], **more: Any) -> StoreSettings:
    return StoreSettings.model_validate({"url": server.url, "token_keys": keys, **more})


def everything(server: Server) -> bytes:
    """All that the store holds, as its file has it."""
    with server.client() as client:
        return b"".join(bytes(client.dump(key) or b"") + key for key in client.keys("*"))


def seals(*keys: dict[str, str]) -> Seals:
    return Seals([TokenKey.model_validate(key) for key in keys])


PLACE = ("acme", "1001", "iphone", "token")


def test_a_sealed_token_opens_with_its_key_in_its_place_only() -> None:
    sealed = seals(OLD).seal("the-token", PLACE).encode()

    assert b"the-token" not in sealed
    assert sealed.startswith(b"sealed 2025 ")
    assert seals(NEW, OLD).open(sealed, PLACE) == "the-token"
    for other in (seals(NEW), seals(IMPOSTOR), seals()):
        with pytest.raises(CannotOpen):
            other.open(sealed, PLACE)
    for part in range(4):
        place = (*PLACE[:part], "other", *PLACE[part + 1 :])
        with pytest.raises(CannotOpen):
            seals(OLD).open(sealed, place)
    with pytest.raises(CannotOpen):
        seals(OLD).open(sealed, ("acme1001", "", "iphone", "token"))


def broken(sealed: bytes) -> Iterator[bytes]:
    yield sealed[:-4]
    yield sealed[:-4] + b"AAAA"
    yield sealed[:20]
    yield b"sealed 2025 "
    yield b"sealed 2025"
    yield b"sealed "
    yield b"sealed 2025 \xc3\xbc"


def test_what_was_changed_in_the_store_does_not_open() -> None:
    for stored in broken(seals(OLD).seal("the-token", PLACE).encode()):
        with pytest.raises(CannotOpen):
            seals(OLD).open(stored, PLACE)


def test_the_same_token_never_looks_the_same() -> None:
    assert len({seals(OLD).seal("the-token", PLACE) for _ in range(10)}) == 10


def test_a_token_from_before_there_was_a_key_is_read_as_it_is() -> None:
    assert seals(OLD).open(b"plain-token", PLACE) == "plain-token"
    assert seals().seal("plain-token", PLACE) == "plain-token"


async def test_a_store_with_a_key_holds_no_token_and_gives_it_at_the_moment_of_sending(
    server: Server, clock: TestClock
) -> None:
    device = a_device(token=Token("canary-alert-token"), voip_token=Token("canary-voip-token"))
    async with open_store(with_keys(server, OLD), clock=clock) as store:
        await store.devices.register(device)
        await store_pushes(store, a_push(new_event_id(clock())))
        assert b"canary" not in everything(server)

        loaded = await store.queue.load(await take_one(store))
        assert loaded is not None
        assert loaded.device == device
        assert (await store.extensions.load(TENANT, EXTENSION)).devices == (device,)
        assert await store.devices.list(TENANT, EXTENSION) == (device,)
        moved = replace(device, device_id="other")
        assert (await store.devices.register(moved)).moved_from == (TENANT, EXTENSION, device.device_id)
        assert b"canary" not in everything(server)


async def test_keys_are_replaced_and_the_old_one_is_needed_until_all_is_sealed_anew(
    server: Server, clock: TestClock
) -> None:
    before, under_old, under_new = (a_device(name) for name in ("before", "old", "new"))
    async with open_store(settings(server.url), clock=clock) as store:
        await store.devices.register(before)
    async with open_store(with_keys(server, OLD), clock=clock) as store:
        await store.devices.register(under_old)
    async with open_store(with_keys(server, NEW, OLD), clock=clock) as store:
        await store.devices.register(under_new)
        assert set(await store.devices.list(TENANT, EXTENSION)) == {before, under_old, under_new}

    for lacking in ((), (OLD,), (NEW,), (NEW, IMPOSTOR)):
        with pytest.raises(
            ConfigurationError, match=r"store\.token_keys: tokens in the store are sealed with other keys"
        ):
            async with open_store(with_keys(server, *lacking), clock=clock):
                pass

    assert await seal_tokens(with_keys(server, NEW, OLD), clock=clock) == Sealed(anew=4, already=2)
    assert await seal_tokens(with_keys(server, NEW, OLD), clock=clock) == Sealed(already=6)
    async with open_store(with_keys(server, NEW), clock=clock) as store:
        assert set(await store.devices.list(TENANT, EXTENSION)) == {before, under_old, under_new}
    assert before.token.reveal().encode() not in everything(server)


async def test_a_token_that_no_key_opens_has_its_app_register_again(server: Server, clock: TestClock) -> None:
    device = a_device()
    key = f"pg:{{0}}:d:{TENANT}:{EXTENSION}:{device.device_id}"
    async with open_store(with_keys(server, OLD), clock=clock) as store:
        await store.devices.register(device)
        await store_pushes(store, a_push(new_event_id(clock())))
        with server.client() as client:
            client.hset(key, "token", seals(OLD).seal("a token of somebody else", ("acme", "1002", "x", "token")))

        found = await store.devices.get(TENANT, EXTENSION, device.device_id)
        loaded = await store.queue.load(await take_one(store))

        assert found is not None
        assert (found.state, found.last_error) == (DeviceState.NEEDS_REREGISTER, "TokenUnreadable")
        assert (found.token.reveal(), found.voip_token) == ("", None)
        assert loaded is not None
        assert loaded.device == found
        await store.devices.register(device)
        assert await store.devices.get(TENANT, EXTENSION, device.device_id) == device
        with server.client() as client:
            client.hset(key, "token", "sealed 2025 AAAA")
    assert await seal_tokens(with_keys(server, NEW, OLD), clock=clock) == Sealed(anew=1, unreadable=1)


async def test_without_a_key_nothing_is_sealed(server: Server, clock: TestClock) -> None:
    async with open_store(settings(server.url), clock=clock) as store:
        await store.devices.register(a_device(token=Token("canary-alert-token")))
    assert await seal_tokens(settings(server.url), clock=clock) == Sealed()
    assert b"canary-alert-token" in everything(server)


async def test_every_node_of_a_cluster_is_sealed(clock: TestClock) -> None:
    with running_cluster() as cluster:
        async with open_store(settings(cluster.url), clock=clock) as store:
            for number in range(20):
                await store.devices.register(a_device(voip_token=None, extension=str(number)))
        keyed = StoreSettings.model_validate({"url": cluster.url, "token_keys": (NEW,)})
        assert await seal_tokens(keyed, clock=clock) == Sealed(anew=20)
        async with open_store(keyed, clock=clock) as store:
            (device,) = await store.devices.list(TENANT, "7")
            assert device.state is DeviceState.ACTIVE
