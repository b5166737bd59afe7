"""When an app was last in the foreground."""

from dataclasses import replace

from gateway.store import Store
from tests.support.store import EXTENSION, TENANT, a_device


async def test_a_heartbeat_says_when_the_app_was_in_the_foreground(store: Store) -> None:
    device = a_device()
    await store.devices.register(device)
    rev = (await store.extensions.load(TENANT, EXTENSION)).rev

    assert await store.devices.heartbeat(TENANT, EXTENSION, device.device_id, 7)
    assert await store.devices.get(TENANT, EXTENSION, device.device_id) == replace(device, foreground_at=7)
    assert (await store.extensions.load(TENANT, EXTENSION)).rev == rev
    assert await store.devices.heartbeat(TENANT, EXTENSION, device.device_id, None)
    assert await store.devices.get(TENANT, EXTENSION, device.device_id) == device


async def test_a_heartbeat_brings_no_deleted_device_back(store: Store) -> None:
    assert not await store.devices.heartbeat(TENANT, EXTENSION, "gone", 7)
    assert await store.devices.get(TENANT, EXTENSION, "gone") is None
