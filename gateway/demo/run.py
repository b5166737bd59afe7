"""`push-gateway demo`."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from rich.console import Console
from rich.table import Table

from gateway.bootstrap import serve, stop_on_signals
from gateway.demo.scene import TENANT, Keys, write_configuration
from gateway.demo.stage import Row, Stage
from gateway.domain.errors import CannotServe
from gateway.pipeline.ending import end
from gateway.settings import load_settings
from gateway.simulator.process import SimulatorFailed, SimulatorProcess, start_simulator
from gateway.telemetry.logs import configure_logs

PIPE_WIDTH = 170
START_SECONDS = 60.0

Value = TypeVar("Value")


async def demo(*, once: bool, port: int) -> bool:
    """Play the script and print the table; True when everything arrived as decided. Without `once`, serve on.

    Ctrl-C and SIGTERM end it at any time, with nothing left behind; False only if it was to verify and could not.
    """
    console = Console() if Console().is_terminal else Console(width=PIPE_WIDTH)
    with tempfile.TemporaryDirectory(prefix="push-gateway-demo-") as name, stop_on_signals() as stop:
        try:
            rows = await _show(console, Path(name), stop, once=once, port=port)
        except SimulatorFailed:
            if not stop.is_set():  # on a terminal Ctrl-C reaches the simulator too
                raise
            rows = None
    if rows is None:
        console.print("Interrupted.")
        return not once
    return not any(row.problem for row in rows)


async def _show(
    console: Console, directory: Path, stop: asyncio.Event, *, once: bool, port: int
) -> Sequence[Row] | None:
    """The rows of the table; None: asked to stop before the last."""
    keys = Keys()
    async with start_simulator(directory / "simulator") as simulator:
        path = write_configuration(directory, simulator, keys, port)
        async with _gateway(path) as (url, serving):
            rows = await _unless(stop, _play(console, simulator, keys, url))
            if rows is None:
                return None
            _summary(console, rows)
            if not once:
                _invite(console, url, simulator, keys)
                await _unless(stop, asyncio.wait([serving]))
            return rows


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Value]) -> Value | None:
    """What comes of `work`; None when `stop` came first: it is cancelled then."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await end([working, stopped])


@asynccontextmanager
async def _gateway(path: Path) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """The gateway in this process; yields its URL and the task that serves. Raises what `serve` raises."""
    settings = load_settings(path)
    configure_logs(settings.log)
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, stop=stop, on_ready=ready.set_result))
    try:
        either: list[asyncio.Future[Any]] = [ready, serving]
        await asyncio.wait(either, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            yield ready.result(), serving
        elif not serving.done():
            raise CannotServe(f"the gateway does not get ready within {START_SECONDS:g} s")
    finally:
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)
    serving.result()


async def _play(console: Console, simulator: SimulatorProcess, keys: Keys, url: str) -> list[Row]:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session, simulator.control() as control:
        stage = Stage(session, control, url, keys)
        await stage.set_up()
        table = _table()
        with console.status("Playing ...") as status:

            def on_row(row: Row) -> None:
                status.update(f"{row.event} -> {row.decision} {row.reason}")
                _add(table, row)

            rows = await stage.play(on_row)
        console.print(table)
        return rows


def _table() -> Table:
    table = Table(title="What the PBX said, what was decided, and what the phones show", show_lines=False)
    for column in (
        "#",
        "ext.",
        "event",
        "presence",
        "decision",
        "reason",
        "on the phone (as the simulator received it)",
    ):
        table.add_column(column, overflow="fold", justify="right" if column == "#" else "left")
    return table


def _add(table: Table, row: Row) -> None:
    style = "red" if row.problem else None
    phone = row.phone if row.problem is None else f"{row.phone} [{row.problem}]"
    cells = (str(table.row_count + 1), row.extension, row.event, row.presence, row.decision, row.reason, phone)
    table.add_row(*(cell.replace("[", r"\[") for cell in cells), style=style)


def _summary(console: Console, rows: list[Row]) -> None:
    failed = [row for row in rows if row.problem is not None]
    if failed:
        console.print(f"{len(failed)} of {len(rows)} steps differ from what was expected.", style="bold red")
    else:
        console.print(f"All {len(rows)} steps were decided and arrived as expected.", style="bold green")


def _invite(console: Console, url: str, simulator: SimulatorProcess, keys: Keys) -> None:
    why = f"{url}/v1/tenants/{TENANT}/events?extension=1001&action=suppress"
    console.print(
        f"\nThe gateway keeps serving at {url} (Ctrl-C stops it).\n"
        f"  API                {url}/docs\n"
        f"  health             {url}/health\n"
        f"  virtual phones     {simulator.control_url}/phones\n"
        f"  why was it silent? curl -s -H 'Authorization: Bearer {keys.provisioning}' '{why}'\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
