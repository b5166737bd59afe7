"""A server of our own: it outlives its gateways, is shared, adopted, restarted and stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from gateway.domain.effects import Effects
from gateway.domain.errors import ConfigurationError
from gateway.domain.push import PushState
from gateway.store import Store, Stored, open_store
from gateway.store.embedded import MOST_SOCKET_BYTES, EmbeddedServer, socket_path
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_push,
    a_record,
    alive,
    new_event_id,
    settings,
    settle,
    store_event,
    store_pushes,
    take_all,
    until,
)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="emb") as folder:
        yield Path(folder) / "store"


@pytest.fixture
def open_directory(directory: Path) -> Path:
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def file_in_its_place(directory: Path) -> Path:
    directory.write_text("a file")
    return directory


@pytest.fixture
def broken_directory(directory: Path) -> Path:
    (directory / "appendonlydir").mkdir(parents=True)
    (directory / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    return directory


def open_to_others(path: Path) -> int:
    return path.stat().st_mode & 0o077


def pid_of(directory: Path) -> int:
    with Redis(unix_socket_path=str(socket_path(directory)), protocol=2) as client:
        return int(client.info("server")["process_id"])


def url(directory: Path) -> str:
    return f"embedded:{directory}"


async def healthy(store: Store) -> bool:
    return (await store.health()).ok


async def test_what_was_accepted_survives_the_server_being_killed(directory: Path, clock: TestClock) -> None:
    pushes = [a_push(new_event_id(clock())) for _ in range(50)]

    async def accept(store: Store, number: int) -> None:
        push = pushes[number]
        record = a_record(push.event_id, extension=str(number), call_id=push.event_id, pushes=(push,))
        state = await store.extensions.load(TENANT, str(number))
        assert await store.extensions.accept(state, record, Effects(pushes=(push,))) == Stored()

    async with open_store(settings(url(directory)), clock=clock) as store:
        assert (await store.health()).fsync == "always"
        await asyncio.gather(*(accept(store, number) for number in range(50)))
        os.kill(pid_of(directory), signal.SIGKILL)
        await until(lambda: healthy(store))
        leases = await take_all(store)
        assert {lease.push_id for lease in leases} == {push.push_id for push in pushes}
        assert await settle(store, leases[0], PushState.ACCEPTED)


async def test_the_last_to_leave_stops_the_server_and_everything_is_kept(directory: Path, clock: TestClock) -> None:
    push = a_push(new_event_id(clock()))
    async with open_store(settings(url(directory)), clock=clock) as store:
        pid = pid_of(directory)
        await store_pushes(store, push)
    assert not alive(pid)
    async with open_store(settings(url(directory)), clock=clock) as store:
        assert pid_of(directory) != pid
        assert [lease.push_id for lease in await take_all(store)] == [push.push_id]
    assert not alive(pid)


async def test_two_gateways_share_one_server_and_either_may_leave_first(directory: Path, clock: TestClock) -> None:
    used = settings(url(directory))
    for first_leaves in (True, False):
        one, two = open_store(used, clock=clock), open_store(used, clock=clock)
        stores = [await one.__aenter__(), await two.__aenter__()]
        pid = pid_of(directory)
        gone, stays = (one, two) if first_leaves else (two, one)
        await gone.__aexit__(None, None, None)
        assert alive(pid)
        assert (await stores[1 if first_leaves else 0].health()).ok
        await stays.__aexit__(None, None, None)
        assert not alive(pid)


async def test_gateways_that_start_at_once_start_one_server(directory: Path, clock: TestClock) -> None:
    used = settings(url(directory))
    opened = [open_store(used, clock=clock) for _ in range(5)]
    await asyncio.gather(*(store.__aenter__() for store in opened))
    assert len(servers_of(directory)) == 1
    await asyncio.gather(*(store.__aexit__(None, None, None) for store in opened))
    assert servers_of(directory) == []


def servers_of(directory: Path) -> list[str]:
    listed = subprocess.run(["ps", "-axww", "-o", "pid,stat,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(directory) in line and "valkey" in line and " Z" not in line]


GATEWAY = """
import asyncio, sys, time
from gateway.store import open_store
from tests.support.store import settings

async def main():
    async with open_store(settings(sys.argv[1]), clock=lambda: time.time_ns() // 1_000_000) as store:
        print((await store.health()).ok, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_server_of_a_killed_gateway_is_adopted_and_stopped(directory: Path, clock: TestClock) -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, url(directory), stdout=subprocess.PIPE
    )
    assert gateway.stdout is not None
    assert await gateway.stdout.readline() == b"True\n"
    pid = pid_of(directory)
    gateway.kill()
    await gateway.wait()
    assert alive(pid)
    async with open_store(settings(url(directory)), clock=clock) as store:
        assert pid_of(directory) == pid
        await store_event(store, Effects(), a_record(new_event_id(clock())))
    assert not alive(pid)


async def test_another_gateway_restarts_the_server_that_a_killed_one_left_dead(
    directory: Path, clock: TestClock
) -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, url(directory), stdout=subprocess.PIPE
    )
    assert gateway.stdout is not None
    await gateway.stdout.readline()
    async with open_store(settings(url(directory)), clock=clock) as store:
        pid = pid_of(directory)
        gateway.kill()
        await gateway.wait()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: healthy(store))
        assert pid_of(directory) != pid


async def test_ctrl_c_does_not_reach_the_server(directory: Path, clock: TestClock) -> None:
    async with open_store(settings(url(directory)), clock=clock):
        assert os.getsid(pid_of(directory)) != os.getsid(0)


async def test_the_directory_is_closed_to_others(open_directory: Path, clock: TestClock) -> None:
    async with open_store(settings(url(open_directory)), clock=clock):
        assert open_to_others(open_directory) == 0
        assert open_to_others(socket_path(open_directory)) == 0


async def test_a_path_too_long_for_a_socket_is_no_obstacle(directory: Path, clock: TestClock) -> None:
    deep = directory / ("deep" * 30) / 'with "quotes" and spaces'
    assert len(str(socket_path(deep))) <= MOST_SOCKET_BYTES
    async with open_store(settings(url(deep)), clock=clock) as store:
        assert (await store.health()).ok
        assert (deep / "appendonlydir").is_dir()
    assert not socket_path(deep).parent.exists()


async def test_a_store_still_loading_is_waited_for(directory: Path, clock: TestClock) -> None:
    async with open_store(settings(url(directory)), clock=clock):
        with Redis(unix_socket_path=str(socket_path(directory)), protocol=2) as client:
            for part in range(10):
                client.mset({f"filler:{part}:{n}": "x" * 100 for n in range(20_000)})
    async with open_store(settings(url(directory)), clock=clock) as store:
        assert (await store.health()).ok
        with Redis(unix_socket_path=str(socket_path(directory)), protocol=2) as client:
            assert client.dbsize() > 200_000


async def test_an_adopted_server_follows_the_configured_fsync(directory: Path, clock: TestClock) -> None:
    other = EmbeddedServer(directory, fsync="everysec")
    async with open_store(settings(url(directory)), clock=clock) as store, other.running():
        assert (await store.health()).fsync == "everysec"


async def test_an_unusable_directory_is_named(file_in_its_place: Path, clock: TestClock) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        async with open_store(settings(url(file_in_its_place)), clock=clock):
            pass


async def test_a_server_that_does_not_start_says_why(broken_directory: Path, clock: TestClock) -> None:
    with pytest.raises(ConfigurationError, match="does not start"):
        async with open_store(settings(url(broken_directory)), clock=clock):
            pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_server_that_is_killed_while_it_starts_is_started_again(
    directory: Path, clock: TestClock, number: signal.Signals
) -> None:
    async def killed() -> bool:
        found = servers_of(directory)
        for line in found:
            os.kill(int(line.split()[0]), number)
        return bool(found)

    async def opened() -> None:
        async with open_store(settings(url(directory)), clock=clock) as store:
            await until(lambda: healthy(store))

    opening = asyncio.create_task(opened())
    await until(killed)
    await opening


async def test_an_extension_is_the_same_after_a_restart(directory: Path, clock: TestClock) -> None:
    async with open_store(settings(url(directory)), clock=clock) as store:
        await store_event(store, Effects(), a_record(new_event_id(clock())))
        before = await store.extensions.load(TENANT, EXTENSION, "call-1")
    async with open_store(settings(url(directory)), clock=clock) as store:
        assert await store.extensions.load(TENANT, EXTENSION, "call-1") == before


def test_a_long_temporary_directory_is_no_obstacle_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("a" * 120)
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    assert len(os.fsencode(socket_path(long / "store"))) <= MOST_SOCKET_BYTES
