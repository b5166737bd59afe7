"""`push-gateway demo`."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from gateway.bootstrap import serve
from gateway.demo.scene import TENANT, Keys, write_configuration
from gateway.demo.stage import Row, Stage
from gateway.settings import load_settings
from gateway.simulator.process import SimulatorProcess, start_simulator
from gateway.telemetry.logs import configure_logs

PIPE_WIDTH = 170
START_SECONDS = 60.0


async def demo(*, once: bool, port: int) -> bool:
    """Play the script and print the table; True when everything arrived as decided. Without `once`, serve on."""
    console = Console() if Console().is_terminal else Console(width=PIPE_WIDTH)
    keys = Keys()
    with tempfile.TemporaryDirectory(prefix="push-gateway-demo-") as name:
        directory = Path(name)
        async with start_simulator(directory / "simulator") as simulator:
            path = write_configuration(directory, simulator, keys, port)
            async with _gateway(path) as (url, stopped):
                rows = await _play(console, simulator, keys, url)
                failed = [row for row in rows if row.problem is not None]
                _summary(console, rows, failed)
                if not once:
                    _invite(console, url, simulator, keys)
                    await stopped.wait()
                return not failed


@asynccontextmanager
async def _gateway(path: Path) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The gateway in this process; yields its URL and the event that Ctrl-C sets."""
    settings = load_settings(path)
    configure_logs(settings.log)
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, stop=stop, on_ready=ready.set_result))
    serving.add_done_callback(lambda _: ready.cancel())
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(ready), START_SECONDS)
        if serving.done():
            await serving
        yield ready.result(), stop
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


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


def _summary(console: Console, rows: list[Row], failed: list[Row]) -> None:
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
