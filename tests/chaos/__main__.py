"""`python -m tests.chaos --kills 1000 --seed 1`: what `make chaos` runs."""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos import report
from tests.chaos.disasters import Harshness, steps
from tests.chaos.options import Options
from tests.chaos.run import Progress as HowFar
from tests.chaos.run import Result, run
from tests.chaos.stopping import until_stopped

RESULTS = Path("var/chaos")


def main(
    *,
    kills: Annotated[int, typer.Option(help="How many processes to kill.", min=0)] = 100,
    seed: Annotated[str, typer.Option(help="Load and disasters are drawn from it.")] = "1",
    store: Annotated[Literal["embedded", "redis"], typer.Option(help="Embedded Valkey, or redis-server.")] = "embedded",
    fsync: Annotated[Literal["always", "everysec"], typer.Option(help="Of the store.")] = "always",
    rate: Annotated[float, typer.Option(help="Events a second.", min=0.1)] = 40.0,
    plan: Annotated[bool, typer.Option("--plan", help="Print the disasters in their order, and do nothing.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's files also when all is well.")] = False,
    loud: Annotated[bool, typer.Option("--loud", help="Print every disaster as it happens.")] = False,
) -> None:
    """Kill everything, again and again, and count what was lost or doubled. Exits 1 when any promise was broken."""
    if plan:
        for step in steps(seed, kills=kills, harshness=Harshness()):
            print(f"{step.kills:5} {step.wait_seconds:6.3f} s  {step.disaster}")
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    options = Options(directory=directory, kills=kills, seed=seed, store=store, fsync=fsync, events_per_second=rate)
    result = _watched(options, console, loud=loud)
    report.show(result, console)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{kills}-kills-seed-{seed}-{store}-{fsync}.json"
    report.write(result, RESULTS / name)
    console.print(f"\nresult: {RESULTS / name}", highlight=False)
    if result.kept and not keep:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"logs and store: {directory}", highlight=False)
    raise typer.Exit(0 if result.kept else 1)


def _watched(options: Options, console: Console, *, loud: bool) -> Result:
    """A progress bar on a terminal; quiet in a pipe."""
    bar = Progress(
        TextColumn("chaos"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task("chaos", total=options.kills, what="")

        def tell(progress: HowFar) -> None:
            bar.update(task, completed=progress.kills, what=progress.what[:60])
            if loud:
                print(f"{time.monotonic() - started:8.2f} s {progress.kills:5}  {progress.what}", flush=True)

        return asyncio.run(until_stopped(run(options, tell)))


if __name__ == "__main__":
    typer.run(main)
