"""What a soak reads every minute: memory, descriptors, threads and tasks of the processes, the queue, the answers."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from tests.chaos.patience import insist
from tests.chaos.stage import Stage

LOOK_SECONDS = 2.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReading:
    """One process at one moment."""

    memory: int
    """Resident, in bytes."""
    descriptors: int
    threads: int


def read_process(pid: int) -> ProcessReading | None:
    """None: it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        place = Path(f"/proc/{pid}")
        resident = int((place / "statm").read_text().split()[1]) * PAGE_BYTES
        threads = int((place / "stat").read_text().rpartition(")")[2].split()[17])
        return ProcessReading(memory=resident, descriptors=len(list((place / "fd").iterdir())), threads=threads)
    return None


class Minutes:
    """The readings so far, by name: `api memory`, `worker-1 tasks`, `queue age`, `p99`, ..."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._answers = 0
        self._pushes = 0
        self._acknowledged = 0
        self._queue: list[tuple[float, float]] = []
        self.series: dict[str, list[float]] = {}

    async def watch(self) -> None:
        """Look at the queue every other second until cancelled: a fault fills it for a moment, a leak for good."""
        while True:
            self._queue.append(await self._look())
            await asyncio.sleep(LOOK_SECONDS)

    async def read(self) -> dict[str, float]:
        """Read everything once; what is counted is of the time since the last reading."""
        found: dict[str, float] = {}
        for gateway in self._stage.gateways.values():
            if gateway.pid is not None:
                found |= _process(gateway.name, gateway.pid)
            found[f"{gateway.name} tasks"] = await self._tasks(gateway.url)
        store = self._stage.store.pid()
        if store is not None:
            found |= {name: value for name, value in _process("store", store).items() if "memory" not in name}
            found["store megabytes"] = _megabytes(store)
        found |= self._looked()
        found |= self._counted()
        for name, value in found.items():
            self.series.setdefault(name, []).append(value)
        return found

    async def _tasks(self, url: str) -> float:
        text: str = await insist(lambda: _text(self._stage.session, url + "/metrics"))
        for line in text.splitlines():
            if line.startswith("push_gateway_tasks "):
                return float(line.split()[1])
        return 0.0

    async def _look(self) -> tuple[float, float]:
        health = await insist(lambda: _json(self._stage.session, self._stage.api.url + "/health"))
        lanes = health["queue"].values()
        age = max((lane["oldest_seconds"] or 0.0 for lane in lanes), default=0.0)
        return float(sum(lane["depth"] for lane in lanes)), age

    def _looked(self) -> dict[str, float]:
        """The median since the last reading, and the worst."""
        depths, ages = ([one[at] for one in self._queue] or [0.0] for at in (0, 1))
        self._queue.clear()
        return {"queue depth": median(depths), "queue age": median(ages), "queue age at most": max(ages)}

    def _counted(self) -> dict[str, float]:
        pbx, wire = self._stage.pbx, self._stage.wire
        fresh = sorted(pbx.milliseconds[self._answers :])
        acknowledged = pbx.acknowledged
        found = {
            "accepted": float(acknowledged - self._acknowledged),
            "pushed": float(len(wire.pushes) - self._pushes),
            "p50": percentile(fresh, 0.50),
            "p99": percentile(fresh, 0.99),
        }
        self._answers, self._pushes = len(pbx.milliseconds), len(wire.pushes)
        self._acknowledged = acknowledged
        return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that a share of them does not exceed; 0 without values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _process(name: str, pid: int) -> dict[str, float]:
    reading = read_process(pid)
    if reading is None:
        return {}
    return {
        f"{name} memory": float(reading.memory),
        f"{name} descriptors": float(reading.descriptors),
        f"{name} threads": float(reading.threads),
    }


def _megabytes(pid: int) -> float:
    reading = read_process(pid)
    return 0.0 if reading is None else reading.memory / 1024 / 1024


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return await answer.text()


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        return await answer.json()
