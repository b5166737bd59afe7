"""Beyond its limits the gateway says 503 early, keeps serving what it accepted, and comes back by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from gateway.store.embedded import socket_path
from tests.support.gateway import Answer, Gateway, eventually, open_gateway


@asynccontextmanager
async def with_worker(api: Gateway) -> AsyncIterator[None]:
    """A worker in a process of its own beside it."""
    worker = Gateway(api.directory, api.simulator, api.control, api.session, api.store_url)
    await worker.start("worker")
    try:
        yield
    finally:
        await worker.stop()


@asynccontextmanager
async def open_api(directory: Path) -> AsyncIterator[Gateway]:
    """A gateway that accepts and does not deliver."""
    async with open_gateway(directory, start=False) as gateway:
        await gateway.start("api")
        yield gateway


async def fill(gateway: Gateway, count: int) -> list[str]:
    """So many calls that are accepted; their push ids."""
    answers = [await gateway.call_ended(f"call-{number}") for number in range(count)]
    assert {answer.status for answer in answers} == {200}
    return [answer.body["decision"]["pushes"][0]["push_id"] for answer in answers]


async def refused(gateway: Gateway) -> Answer | None:
    answer = await gateway.call_ended("one too many")
    return answer if answer.status == 503 else None


async def accepted(gateway: Gateway) -> bool:
    return (await gateway.call_ended("after it")).status == 200


async def readiness(gateway: Gateway) -> tuple[int, str]:
    answer = await gateway.request("GET", "/readyz", key=None)
    return answer.status, str(answer.body["status"])


async def all_shown(gateway: Gateway, token: str, push_ids: list[str]) -> None:
    phone = await gateway.control.wait_for_phone(
        token, lambda phone: set(push_ids) <= {one.push_id for one in phone.shown}, seconds=25
    )
    ids = [one.push_id for one in phone.shown]
    assert len(ids) == len(set(ids))


async def test_a_full_queue_refuses_new_events_and_delivers_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSH_GATEWAY__STORE__MAX_QUEUE_DEPTH", "20")
    async with open_api(tmp_path) as gateway:
        token = await gateway.register_iphone()
        pushes = await fill(gateway, 20)
        answer = await eventually(lambda: refused(gateway))
        assert int(answer.headers["Retry-After"]) > 0
        assert await readiness(gateway) == (200, "degraded")
        async with with_worker(gateway):
            await all_shown(gateway, token, pushes)
            await eventually(lambda: accepted(gateway))
            assert await readiness(gateway) == (200, "ok")


async def test_a_full_memory_refuses_new_events_and_delivers_the_old_ones(tmp_path: Path) -> None:
    async with open_api(tmp_path) as gateway:
        token = await gateway.register_iphone()
        pushes = await fill(gateway, 20)
        with Redis(unix_socket_path=str(socket_path(tmp_path / "store")), protocol=2) as store:
            async with with_worker_begun(gateway, store):
                answer = await eventually(lambda: refused(gateway))
                assert int(answer.headers["Retry-After"]) > 0
                await eventually(lambda: readiness_is(gateway, (503, "down")))
                await all_shown(gateway, token, pushes)
                store.config_set("maxmemory", 0)
                await eventually(lambda: accepted(gateway))
                await eventually(lambda: readiness_is(gateway, (200, "ok")))


@asynccontextmanager
async def with_worker_begun(gateway: Gateway, store: Redis) -> AsyncIterator[None]:
    """A worker that begins just as the memory is full."""
    worker = Gateway(gateway.directory, gateway.simulator, gateway.control, gateway.session, gateway.store_url)
    await gateway.control.answer_with(503, "ServiceUnavailable", count=20)
    await worker.start("worker")
    store.config_set("maxmemory", 1)
    try:
        yield
    finally:
        await worker.stop()


async def readiness_is(gateway: Gateway, wanted: tuple[int, str]) -> bool:
    return await readiness(gateway) == wanted
