"""Processes that are killed and started again: one api, two workers, and their store."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
"""Much longer than the drain limit: who takes longer hangs."""


@dataclass(slots=True)
class GatewayProcess:
    """`push-gateway serve` in one role, on a port of its own; started again whenever it ends, until `stop`."""

    name: str
    role: str
    config: Path
    directory: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None
    crashes: list[str] = field(default_factory=list)
    starts: int = 0
    failed_starts: int = 0
    """It gave up before it was ready: the store was away for too long."""
    _down_seconds: float = 0.0
    _ready: bool = False
    _asked: bool = False
    """SIGTERM came while it was ready."""
    _running: asyncio.Event = field(default_factory=asyncio.Event)
    _keeper: asyncio.Task[None] | None = None
    _impatient: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it said, over all its lives."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Of its present life."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    def start(self) -> None:
        """Start it, and keep it running from now on."""
        self._keeper = asyncio.create_task(self._kept_running(), name=self.name)

    async def kill(self, *, graceful: bool, down_seconds: float) -> None:
        """SIGTERM or SIGKILL, as soon as it runs; one that still drains can be killed. Then it is down for a while."""
        await self._running.wait()
        process = self.process
        if process is None:
            raise RuntimeError("it runs, and has no process")
        self._down_seconds = down_seconds
        self._asked = graceful and self._ready and not self._asked  # who is asked twice may go at once
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM if graceful else signal.SIGKILL)
        if graceful:
            task = asyncio.create_task(self._ends_in_time(process))
            self._impatient.add(task)
            task.add_done_callback(self._impatient.discard)

    async def until_ready(self) -> None:
        """Wait until it serves."""
        end = time.monotonic() + READY_SECONDS
        while not self._ready:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} does not get ready; see {self.log}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, *self._impatient, return_exceptions=True)
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    async def _kept_running(self) -> None:
        while True:
            self._ready = self._asked = False
            process = self.process = await self._spawned()
            self.starts += 1
            self._running.set()
            watch = asyncio.create_task(self._watched())
            code = await process.wait()
            self._running.clear()
            watch.cancel()
            self._judge(code)
            await asyncio.sleep(self._down_seconds)
            self._down_seconds = 0.0

    async def _spawned(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "serve", "--config", str(self.config), "--role", self.role),
                cwd=ROOT,
                env={**os.environ, "PUSH_GATEWAY__SERVER__PORT": str(self.port)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def _watched(self) -> None:
        while not self._ready:
            self._ready = await _serves(self.port)
            await asyncio.sleep(0.05)

    def _judge(self, code: int) -> None:
        """An end that it should not have come to."""
        if code in (0, -signal.SIGKILL) or (code == -signal.SIGTERM and not self._asked):
            return
        if code == 1 and not self._ready:
            self.failed_starts += 1
            return
        self.crashes.append(f"{self.name} ended with {code}{' on SIGTERM' if self._asked else ''}")

    async def _ends_in_time(self, process: asyncio.subprocess.Process) -> None:
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.crashes.append(f"{self.name} does not end within {STOP_SECONDS:g} s of SIGTERM")
            process.kill()


async def _serves(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def unexpected_errors(log: Path) -> list[str]:
    """Lines of a log that tell of an exception: none is expected, whatever was killed."""
    with contextlib.suppress(FileNotFoundError), log.open(encoding="utf-8", errors="replace") as lines:
        return [f"{log.name}: {line.strip()[:1500]}" for line in lines if _tells_of_an_error(line)]
    return []


def _tells_of_an_error(line: str) -> bool:
    return '"level": "error"' in line or '"level":"error"' in line or line.startswith("Traceback")
