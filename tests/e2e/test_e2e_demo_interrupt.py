"""Ctrl-C ends the demo at any moment: exit 0 within seconds, no process and no directory left behind."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.gateway import ROOT, eventually

SECONDS = 15.0


@dataclass(slots=True)
class Demo:
    """`push-gateway demo` in a process group, as a shell starts it, and a temporary directory of its own."""

    process: asyncio.subprocess.Process
    directory: Path
    printed: list[str] = field(default_factory=list)

    def left_behind(self) -> list[str]:
        """Processes and files that belong to this demo."""
        return [*_processes_about(str(self.directory)), *(str(path) for path in self.directory.iterdir())]

    async def interrupted(self, *, group: bool, number: signal.Signals = signal.SIGINT) -> int:
        """Its exit code after the signal, to it alone or, as a terminal does it, to its whole group."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        return await asyncio.wait_for(self.process.wait(), SECONDS)

    @property
    def text(self) -> str:
        return "".join(self.printed)


def _processes_about(word: str) -> list[str]:
    """Command lines that name `word`; a zombie has none."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if word in line]


@asynccontextmanager
async def a_demo(directory: Path, *arguments: str) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", "gateway", "demo", "--port", "0", *arguments),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    demo = Demo(process, directory)
    reading = asyncio.create_task(_read(demo))
    try:
        yield demo
        await reading
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        reading.cancel()


async def _read(demo: Demo) -> None:
    assert demo.process.stdout is not None
    async for line in demo.process.stdout:
        demo.printed.append(line.decode(errors="replace"))


def _simulator_begins(demo: Demo) -> bool:
    return bool(list(demo.directory.glob("push-gateway-demo-*/simulator")))


def _store_begins(demo: Demo) -> bool:
    return bool(list(demo.directory.glob("push-gateway-demo-*/store/*")))


def _plays(demo: Demo) -> bool:
    return any(file.stat().st_size > 2000 for file in demo.directory.glob("push-gateway-demo-*/store/appendonlydir/*"))


def _serves_on(demo: Demo) -> bool:
    return "keeps serving" in demo.text


TERMINAL, PROCESS = True, False
"""Whether the signal reaches the whole group, or the process alone."""


@pytest.mark.parametrize(
    ("moment", "group"),
    [(_simulator_begins, TERMINAL), (_store_begins, PROCESS), (_plays, TERMINAL), (_serves_on, TERMINAL)],
)
async def test_ctrl_c_ends_the_demo_and_leaves_nothing_behind(
    tmp_path: Path, moment: Callable[[Demo], bool], group: bool
) -> None:
    async with a_demo(tmp_path) as demo:
        await eventually(lambda: moment(demo), seconds=60)
        began = time.monotonic()
        code = await demo.interrupted(group=group)
        assert code == 0, demo.text
        assert time.monotonic() - began < SECONDS / 2
        await eventually(lambda: not demo.left_behind(), seconds=5)
    assert "Traceback" not in demo.text
    assert "never retrieved" not in demo.text


async def test_sigterm_does_the_same(tmp_path: Path) -> None:
    async with a_demo(tmp_path) as demo:
        await eventually(lambda: _serves_on(demo), seconds=60)
        assert await demo.interrupted(group=False, number=signal.SIGTERM) == 0
        await eventually(lambda: not demo.left_behind(), seconds=5)


async def test_a_verification_that_was_interrupted_has_verified_nothing(tmp_path: Path) -> None:
    async with a_demo(tmp_path, "--once") as demo:
        await eventually(lambda: _plays(demo), seconds=60)
        assert await demo.interrupted(group=False) == 1
        await eventually(lambda: not demo.left_behind(), seconds=5)
    assert "Interrupted." in demo.text
