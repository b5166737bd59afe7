"""The simulator as a process of its own, for tests and the demo."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from gateway.simulator.control_client import SimulatorControl

_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0
_SOURCE_ROOT = str(Path(__file__).resolve().parents[2])


class SimulatorFailed(RuntimeError):
    """The simulator did not start; the message holds what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorProcess:
    """A running simulator: where it listens, and the credentials that it believes."""

    pid: int
    directory: Path
    apns_url: str
    """Production; for `apps.apns.url`."""
    apns_sandbox_url: str
    """Sandbox; for `apps.apns.sandbox_url`."""
    fcm_url: str
    control_url: str
    ca_file: Path
    key_file: Path
    key_id: str
    spare_key_file: Path
    """A second valid provider key of the same team, for key rotation."""
    spare_key_id: str
    team_id: str
    topic: str
    """Bundle id of the client certificate; with provider tokens any topic is allowed unless `topics` were given."""
    client_certificate_file: Path
    """PEM with certificate and key; for `apps.apns.certificate_file`."""
    service_account_file: Path
    project_id: str

    def control(self) -> SimulatorControl:
        """A new client of the control API; use it with `async with`."""
        return SimulatorControl(self.control_url)


@asynccontextmanager
async def start_simulator(
    directory: Path,
    *,
    host: str = "127.0.0.1",
    apns_port: int = 0,
    apns_sandbox_port: int = 0,
    fcm_port: int = 0,
    control_port: int = 0,
    strict_tokens: bool = False,
    topics: tuple[str, ...] = (),
    over_limit: Literal["refuse", "goaway"] = "refuse",
    history: int = 20_000,
    access_token_seconds: int = 3599,
    ready_seconds: float = 30.0,
) -> AsyncIterator[SimulatorProcess]:
    """Spawn `python -m gateway.simulator`, wait until it listens, stop it at the end (SIGTERM, after 5 s SIGKILL).

    Port 0 takes a free port. `strict_tokens`: unknown tokens are refused instead of becoming phones. `over_limit`: what
    a client gets that opens more streams than announced. `history`: how many pushes `GET /pushes` keeps. Credentials in
    `directory` are made on the first start and reused. Raises SimulatorFailed when it does not get ready in time.
    """
    announcement = directory / "simulator.json"
    arguments = [
        *("--host", host, "--dir", str(directory)),
        *("--apns-port", str(apns_port), "--apns-sandbox-port", str(apns_sandbox_port)),
        *("--fcm-port", str(fcm_port), "--control-port", str(control_port)),
        *("--over-limit", over_limit, "--history", str(history)),
        *("--access-token-seconds", str(access_token_seconds)),
        *(["--strict-tokens"] if strict_tokens else []),
        *(argument for topic in topics for argument in ("--topic", topic)),
    ]
    process = await _spawn(directory, arguments)
    try:
        await _until_announced(process, announcement, ready_seconds)
        yield read_announcement(announcement)
    finally:
        await _stop(process)


def read_announcement(file: Path) -> SimulatorProcess:
    """What a running simulator wrote about itself into DIR/simulator.json."""
    values = json.loads(file.read_text(encoding="utf-8"))
    names = {name for name in SimulatorProcess.__dataclass_fields__ if name.endswith("_file")}
    paths = {name: Path(values[name]) for name in names}
    return SimulatorProcess(**{**values, **paths, "directory": Path(values["directory"])})


async def _spawn(directory: Path, arguments: list[str]) -> asyncio.subprocess.Process:
    with _empty_log(directory) as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.simulator", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((_SOURCE_ROOT, os.environ.get("PYTHONPATH", "")))},
        )


def _empty_log(directory: Path) -> IO[bytes]:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "simulator.json").unlink(missing_ok=True)
    return (directory / "simulator.log").open("wb")


async def _until_announced(process: asyncio.subprocess.Process, announcement: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _exists(announcement):
        if process.returncode is not None:
            raise SimulatorFailed(f"ended with {process.returncode}: {_printed(announcement)}")
        if time.monotonic() > deadline:
            raise SimulatorFailed(f"not ready after {seconds:g} s: {_printed(announcement)}")
        await asyncio.sleep(_POLL_SECONDS)


def _exists(announcement: Path) -> bool:
    return announcement.exists()


def _printed(announcement: Path) -> str:
    return announcement.with_suffix(".log").read_text(errors="replace")[-2000:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
