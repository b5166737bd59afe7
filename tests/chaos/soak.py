"""`python -m tests.chaos.soak --minutes 30 --rate 40`: what `make soak` runs. A fixed rate with faults of providers and
phones and without kills; every minute is printed, and at the end judged: is everything flat, was every promise kept?"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from tests.chaos import closing
from tests.chaos.accountant import Judgement, judge
from tests.chaos.dice import dice
from tests.chaos.disasters import Harshness, misbehaviours
from tests.chaos.flatness import Verdict, verdicts
from tests.chaos.havoc import Havoc
from tests.chaos.ledger import Ledger
from tests.chaos.options import Options
from tests.chaos.readings import Minutes
from tests.chaos.report import show_judgement
from tests.chaos.run import machine_of
from tests.chaos.stage import Stage, open_stage
from tests.chaos.stopping import until_stopped
from tests.chaos.stories import posts

RESULTS = Path("var/soak")
MINUTE = 60.0
Say = Callable[[str], None]


def main(
    *,
    minutes: Annotated[float, typer.Option(help="How long.", min=0.1)] = 30,
    rate: Annotated[float, typer.Option(help="Events a second.", min=0.1)] = 40.0,
    seed: Annotated[str, typer.Option(help="Load and faults are drawn from it.")] = "1",
    store: Annotated[Literal["embedded", "redis"], typer.Option(help="Embedded Valkey, or redis-server.")] = "embedded",
    fsync: Annotated[Literal["always", "everysec"], typer.Option(help="Of the store.")] = "always",
    every: Annotated[float, typer.Option(help="Seconds between two readings.", min=1)] = MINUTE,
) -> None:
    """Hold a fixed rate for a while and judge whether everything stays flat. Exits 1 when it does not."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    options = Options(
        directory=Path(tempfile.mkdtemp(prefix="soak-")),
        kills=0,
        seed=seed,
        store=store,
        fsync=fsync,
        events_per_second=rate,
        harshness=Harshness(slow=True),
        lease_seconds=30.0,
    )
    soak = Soak(options, minutes=minutes, every=every, say=lambda line: console.print(line, highlight=False))
    asyncio.run(until_stopped(soak.run()))
    soak.show(console)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}-{minutes:g}-minutes-seed-{seed}-{store}-{fsync}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(soak.document(), indent=1), encoding="utf-8")
    console.print(f"\nresult: {path}", highlight=False)
    if soak.well:
        shutil.rmtree(options.directory, ignore_errors=True)
    else:
        console.print(f"logs and store: {options.directory}", highlight=False)
    raise typer.Exit(0 if soak.well else 1)


class Soak:
    """One soak."""

    def __init__(self, options: Options, *, minutes: float, every: float, say: Say) -> None:
        self._options = options
        self._seconds = minutes * MINUTE
        self._every = every
        self._say = say
        self._series: dict[str, list[float]] = {}
        self._ledger = Ledger()
        self._judgement: Judgement | None = None
        self._verdicts: list[Verdict] = []
        self._done: dict[str, int] = {}
        self._machine: dict[str, Any] = {}

    @property
    def well(self) -> bool:
        """Whether everything was flat and every promise kept."""
        flat = all(verdict.flat for verdict in self._verdicts)
        return flat and self._judgement is not None and not self._judgement.violations

    async def run(self) -> None:
        """All of it."""
        async with open_stage(self._options) as stage:
            havoc, stop = Havoc(stage), asyncio.Event()
            load = posts(self._options.seed, cast=self._options.cast, events_per_second=self._options.events_per_second)
            playing = asyncio.create_task(stage.pbx.play(load, stop))
            trouble = asyncio.create_task(self._trouble(havoc))
            await self._read(stage)
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)
            stop.set()
            await playing
            await havoc.end()
            await stage.pbx.settled()
            waiting, _ = await closing.quiet(stage, lambda line: None)
            self._ledger = await closing.ledger(stage, havoc, waiting, lambda line: None)
            self._judgement = judge(self._ledger)
            self._machine = await machine_of(stage)
            self._done = dict(sorted(havoc.done.items()))

    async def _trouble(self, havoc: Havoc) -> None:
        rng = dice(self._options.seed, "pauses")
        for disaster in misbehaviours(self._options.seed, slow=True):
            await asyncio.sleep(rng.uniform(1.0, 4.0))
            await havoc.do(disaster)

    async def _read(self, stage: Stage) -> None:
        minutes = Minutes(stage)
        looking = asyncio.create_task(minutes.watch())
        self._say(_HEADER)
        started = time.monotonic()
        count = max(1, round(self._seconds / self._every))
        for number in range(1, count + 1):
            await asyncio.sleep(max(0.0, started + number * self._every - time.monotonic()))
            self._say(_line(number * self._every / MINUTE, await minutes.read()))
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        self._series = minutes.series
        self._verdicts = verdicts(self._series)

    def show(self, console: Console) -> None:
        """The verdicts, and the judgement on the promises."""
        table = Table("figure", "mean", "rises by", "may rise by", "", title="flatness", title_justify="left")
        for verdict in self._verdicts:
            mark = "[green]flat[/]" if verdict.flat else "[red]not flat[/]"
            figures = (verdict.mean, verdict.rise, verdict.allowed)
            table.add_row(verdict.name, *(_shown(verdict.name, figure) for figure in figures), mark)
        console.print(table)
        if self._judgement is not None:
            show_judgement(self._judgement, self._ledger, console)

    def document(self) -> dict[str, Any]:
        """Everything as JSON."""
        judgement = self._judgement
        return {
            "well": self.well,
            "seed": self._options.seed,
            "events_per_second": self._options.events_per_second,
            "store": self._options.store,
            "fsync": self._options.fsync,
            "machine": self._machine,
            "done": self._done,
            "readings": self._series,
            "flatness": [
                {"figure": one.name, "mean": one.mean, "rise": one.rise, "allowed": one.allowed, "flat": one.flat}
                for one in self._verdicts
            ],
            "figures": dict(judgement.figures) if judgement else {},
            "promises": {breach.value: count for breach, count in judgement.counts.items()} if judgement else {},
            "violations": [f"{one.breach}: {one.detail}" for one in judgement.violations] if judgement else [],
        }


_COLUMNS = (
    ("api MB", "api memory"),
    ("w1 MB", "worker-1 memory"),
    ("w2 MB", "worker-2 memory"),
    ("api fds", "api descriptors"),
    ("w1 fds", "worker-1 descriptors"),
    ("w2 fds", "worker-2 descriptors"),
    ("api tasks", "api tasks"),
    ("w1 tasks", "worker-1 tasks"),
    ("w2 tasks", "worker-2 tasks"),
    ("store MB", "store megabytes"),
    ("queue", "queue depth"),
    ("age s", "queue age"),
    ("worst s", "queue age at most"),
    ("accepted", "accepted"),
    ("pushed", "pushed"),
    ("p50 ms", "p50"),
    ("p99 ms", "p99"),
)
_HEADER = "   min " + " ".join(f"{title:>9}" for title, _ in _COLUMNS)


def _line(minutes: float, found: dict[str, float]) -> str:
    return f"{minutes:6.1f} " + " ".join(f"{_shown(name, found.get(name, 0.0)):>9}" for _, name in _COLUMNS)


def _shown(name: str, value: float) -> str:
    if name.endswith("memory"):
        return f"{value / 1024 / 1024:.1f}"
    return f"{value:.1f}" if name.endswith(("age", "most", "p50", "p99", "megabytes")) else f"{value:.0f}"


if __name__ == "__main__":
    typer.run(main)
