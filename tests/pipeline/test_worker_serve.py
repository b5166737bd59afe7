"""A process begins, serves and ends in order; what cannot begin or go on says so."""

import asyncio
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.bootstrap import run, serve, stop_on_signals
from gateway.domain.errors import CannotServe
from gateway.pipeline.services import Role
from gateway.settings import Settings, load_settings
from tests.support.gateway import ROOT
from tests.support.pipeline import EXTENSION, Pipeline, with_failing_queue
from tests.support.servers import Server

KEY = secrets.token_hex(16)
MISSED = {
    "specversion": "1.0",
    "id": "1",
    "source": "/tests",
    "type": "call.missed",
    "subject": EXTENSION,
    "data": {"call": {"id": "c1"}},
}
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/cloudevents+json"}


def a_configuration(directory: Path, store_url: str, *, port: int = 0) -> Path:
    """Without apps: events come in and nobody is told."""
    file = directory / "gateway.toml"
    file.write_text(
        f"""
[server]
port = {port}
drain_seconds = 5
[store]
url = "{store_url}"
[[tenants]]
id = "acme"
apps = []
[[tenants.api_keys]]
name = "crm"
key = "{KEY}"
scopes = ["events", "read"]
"""
    )
    file.chmod(0o600)
    return file


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Settings:
    return load_settings(a_configuration(tmp_path, server.url), {})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@asynccontextmanager
async def serving(settings: Settings, role: Role = Role.ALL) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """`serve` in this process; its URL and its stop."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, role, stop=stop, on_ready=ready.set_result))
    either: list[asyncio.Future[Any]] = [ready, task]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield ready.result(), stop
    finally:
        stop.set()
        await task


async def post(session: aiohttp.ClientSession, url: str, **more: str) -> int:
    """The status of the answer to a missed call."""
    async with session.post(f"{url}/v1/tenants/acme/events", json={**MISSED, **more}, headers=HEADERS) as response:
        return response.status


@pytest.mark.parametrize("role", Role)
async def test_a_process_of_any_role_serves_until_it_is_asked_to_stop(
    settings: Settings, session: aiohttp.ClientSession, role: Role
) -> None:
    async with serving(settings, role) as (url, stop):
        async with session.get(f"{url}/readyz") as response:
            assert response.status == 200
        began = time.monotonic()
        stop.set()
    assert time.monotonic() - began < 3
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(f"{url}/livez")


async def test_a_request_on_its_way_gets_its_answer_while_nobody_new_is_let_in(
    settings: Settings, session: aiohttp.ClientSession, server: Server
) -> None:
    async with serving(settings) as (url, stop):
        assert await post(session, url) == 202
        server.process.send_signal(signal.SIGSTOP)
        on_its_way = asyncio.create_task(post(session, url, id="2"))
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.sleep(0.2)
        async with aiohttp.ClientSession() as other:
            with pytest.raises(aiohttp.ClientConnectorError):
                await other.get(f"{url}/livez")
        assert not on_its_way.done()
        server.process.send_signal(signal.SIGCONT)
        assert await on_its_way == 202


async def test_an_idle_connection_does_not_hold_up_the_end(settings: Settings, session: aiohttp.ClientSession) -> None:
    async with serving(settings) as (url, stop):
        async with session.get(f"{url}/livez") as response:
            assert response.status == 200
        began = time.monotonic()
        stop.set()
    assert time.monotonic() - began < 3


async def test_a_worker_that_dies_ends_the_process_with_an_error(pipeline: Pipeline) -> None:
    failing = with_failing_queue(pipeline, asyncio.CancelledError())
    url: list[str] = []
    with pytest.raises(CannotServe, match="move_due has ended"):
        async with asyncio.timeout(10):
            await run(failing.services, asyncio.Event(), url.append)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url[0]}/livez")
    assert (await pipeline.store.health()).ok


async def test_a_taken_port_is_said_and_no_worker_begins(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = settings.server.model_copy(update={"port": port})
        with pytest.raises(CannotServe, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await serve(settings.model_copy(update={"server": server}), stop=asyncio.Event())


async def test_an_address_that_is_not_ours_is_said(settings: Settings) -> None:
    server = settings.server.model_copy(update={"host": "name.invalid"})
    with pytest.raises(CannotServe, match=r"cannot listen on name\.invalid"):
        await serve(settings.model_copy(update={"server": server}), stop=asyncio.Event())


async def test_a_process_that_is_asked_to_stop_before_it_began_ends(settings: Settings) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(5):
        await serve(settings, stop=stop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_ask_to_stop_as_long_as_the_block_lasts(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        signal.raise_signal(number)
        async with asyncio.timeout(2):
            await stop.wait()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("command", ["serve --config {config}", "demo --port {port}"], ids=["serve", "demo"])
async def test_a_taken_port_is_one_line_and_exit_1_on_the_command_line(tmp_path: Path, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = a_configuration(tmp_path, f"embedded:{tmp_path / 'store'}", port=port)
        words = [word.format(config=config, port=port) for word in command.split()]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *words),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
    lines = [line for line in err.decode().splitlines() if not line.startswith(("{", "20"))]
    assert (process.returncode, lines) == (1, [f"cannot listen on 127.0.0.1:{port}: Address already in use"])
    assert b"Traceback" not in out + err
