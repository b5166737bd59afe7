"""One run from the first event to the judgement."""

import asyncio
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos import closing
from tests.chaos.accountant import Judgement, judge
from tests.chaos.disasters import Kill, steps
from tests.chaos.havoc import Havoc
from tests.chaos.ledger import Ledger
from tests.chaos.options import Options
from tests.chaos.stage import Stage, open_stage
from tests.chaos.stories import posts

WARM_UP_SECONDS = 1.0
COOL_DOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    kills: int
    of: int
    what: str


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found."""

    options: Options
    judgement: Judgement
    ledger: Ledger
    seconds: float
    quiet_seconds: float
    """From the last event's acknowledgement to an empty queue."""
    done: dict[str, int]
    """Disasters of each kind."""
    actions: tuple[str, ...]
    answers: dict[str, int]
    """HTTP answers to posts, by status; `none`: no answer."""
    starts: dict[str, int]
    machine: dict[str, Any]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.judgement.violations


async def run(options: Options, tell: Tell = lambda progress: None) -> Result:
    """Play the whole run. Everything that it started is gone when this returns."""
    started = time.monotonic()
    last = Progress(kills=0, of=options.kills, what="starting")

    def said(what: str, kills: int | None = None) -> None:
        nonlocal last
        last = Progress(kills=last.kills if kills is None else kills, of=options.kills, what=what)
        tell(last)

    said("starting")
    async with open_stage(options) as stage:
        havoc = Havoc(stage, say=said)
        await _chaos(stage, havoc, said)
        said("the last events")
        await stage.pbx.settled()
        for gateway in stage.gateways.values():
            await gateway.until_ready()
        waiting, quiet_seconds = await closing.quiet(stage, said)
        book = await closing.ledger(stage, havoc, waiting, said)
        machine = await machine_of(stage)
    said("judging")
    return Result(
        options=options,
        judgement=judge(book),
        ledger=book,
        seconds=time.monotonic() - started,
        quiet_seconds=quiet_seconds,
        done=dict(sorted(havoc.done.items())),
        actions=tuple(havoc.actions),
        answers=dict(sorted(stage.pbx.answers.items())),
        starts={gateway.name: gateway.starts for gateway in stage.gateways.values()},
        machine=machine,
    )


async def _chaos(stage: Stage, havoc: Havoc, said: Callable[..., None]) -> None:
    """Load and disasters, side by side."""
    options, stop = stage.options, asyncio.Event()
    load = posts(options.seed, cast=options.cast, events_per_second=options.events_per_second)
    playing = asyncio.create_task(stage.pbx.play(load, stop))
    await asyncio.sleep(WARM_UP_SECONDS)
    try:
        for step in steps(options.seed, kills=options.kills, harshness=options.harshness):
            await havoc.play(step)
            if isinstance(step.disaster, Kill):
                said(str(step.disaster), step.kills)
        await asyncio.sleep(COOL_DOWN_SECONDS)
    finally:
        stop.set()
        await playing
    await havoc.end()


async def machine_of(stage: Stage) -> dict[str, Any]:
    """Where and with what it ran."""
    client: Any = stage.store.client()
    try:
        info = await client.info("server")
    finally:
        await client.aclose()
    valkey = info.get("valkey_version")
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "store": f"Valkey {valkey}" if valkey else f"Redis {info['redis_version']}",
    }
