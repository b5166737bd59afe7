"""The store under chaos: embedded Valkey, which the gateways start and watch, or Debian's Redis, which we do."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from redis.asyncio import Redis

from gateway.store.embedded import socket_path
from gateway.store.keys import Layout
from tests.support.servers import binary, free_port
from tests.support.store import alive


class ChaosStore(Protocol):
    """A store that can be killed and frozen."""

    kills: int

    @property
    def url(self) -> str:
        """For the configuration."""
        ...

    def pid(self) -> int | None:
        """The server's process; None: there is none just now."""
        ...

    async def start(self) -> None:
        """Start it, and keep it running from now on, if nobody else does."""
        ...

    def stay_down(self, seconds: float) -> None:
        """Its next start comes so long after its end, if it is ours to start."""
        ...

    async def stop(self) -> None:
        """End it for good."""
        ...

    def client(self) -> Redis:
        """A connection of our own, to look at the queue."""
        ...


@dataclass(slots=True)
class EmbeddedStore:
    """Valkey on one directory, which the three gateway processes share; they start it again themselves."""

    directory: Path
    kills: int = 0

    @property
    def url(self) -> str:
        return f"embedded:{self.directory}"

    def pid(self) -> int | None:
        found = set(_servers(self.directory))  # the server, and the children that rewrite its file
        return next((pid for pid in found if _parent(pid) not in found), None)

    async def start(self) -> None:
        """The gateways do it."""

    def stay_down(self, seconds: float) -> None:
        """The gateways look after it five times a second."""

    async def stop(self) -> None:
        await _end(self.pid())

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(socket_path(self.directory.absolute())), protocol=2)


@dataclass(slots=True)
class RedisStore:
    """Debian's redis-server, with an append-only file."""

    directory: Path
    fsync: str
    kills: int = 0
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _down_seconds: float = 0.0
    _keeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = await self._spawned()
        self._keeper = asyncio.create_task(self._kept_running())

    def stay_down(self, seconds: float) -> None:
        self._down_seconds = seconds

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await _end(self.pid())

    async def _kept_running(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            if self.pid() is None:
                await asyncio.sleep(self._down_seconds)
                self._down_seconds = 0.0
                self._process = await self._spawned()

    async def _spawned(self) -> subprocess.Popen[bytes]:
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.directory,
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        with (self.directory / "server.log").open("ab") as log:
            return await asyncio.to_thread(_spawn, [str(binary("redis")), *words], log)

    def client(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, protocol=2)


def _spawn(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


async def signalled(store: ChaosStore, number: signal.Signals, *, seconds: float = 60) -> int:
    """Signal the server, as soon as there is one; its process id."""
    end = time.monotonic() + seconds
    while (pid := store.pid()) is None:
        if time.monotonic() > end:
            raise TimeoutError("no store is running")
        await asyncio.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    return pid


async def _end(pid: int | None) -> None:
    if pid is None:
        return
    for number in (signal.SIGCONT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    deadline = time.monotonic() + 20
    while alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.02)


async def waiting_for_their_time(store: ChaosStore) -> int:
    """How many pushes wait for their second ring stage or their next attempt."""
    client: Any = store.client()
    try:
        return int(await client.zcard(Layout(1).shards[0].later))
    finally:
        await client.aclose()


def _servers(directory: Path) -> Iterator[int]:
    names = (os.fsencode(directory.absolute()), os.fsencode(socket_path(directory.absolute())))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                if b"valkey" in line and any(name in line for name in names) and alive(int(entry.name)):
                    yield int(entry.name)


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None
