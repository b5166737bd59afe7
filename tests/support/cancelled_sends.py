"""Thousands of sends that are given up, in a process of their own: its memory is nobody else's.

`python -m tests.support.cancelled_sends DIRECTORY COUNT` prints what was left behind, as JSON.
"""

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import structlog
import uvloop

from gateway.domain.outcome import Accepted
from gateway.providers.circuit import CircuitLimits
from gateway.simulator import faults
from gateway.simulator.process import start_simulator
from tests.support.provider_rig import Rig, ios_app, rig_of
from tests.support.whole import OPTIONS

AT_ONCE = 250
PATIENT = CircuitLimits(failures_in_a_row=10**9, window=10**9)


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def cancelled(rig: Rig, count: int) -> None:
    """Begin so many sends and give each up at another moment: before, while and after it is on the wire."""
    phone = rig.phone()
    for _ in range(count // AT_ONCE):
        tasks = [asyncio.create_task(rig.send(phone)) for _ in range(AT_ONCE)]
        for number, task in enumerate(tasks):
            if number % 50 == 0:
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(number % 5 * 0.002, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)


async def measured(directory: Path, count: int) -> dict[str, object]:
    """What `count` cancelled sends leave behind, after a quarter of them to warm up."""
    options = replace(OPTIONS, circuit=PATIENT, apns_wire=replace(OPTIONS.apns_wire, streams=400))
    async with (
        start_simulator(directory) as simulator,
        simulator.control() as control,
        rig_of(ios_app(simulator), options) as rig,
    ):
        await rig.send(rig.phone())
        await control.script(faults.Answer(), provider="apns", count=None, delay_ms=20)
        await cancelled(rig, count // 4)
        gc.collect()
        before, tasks = resident_bytes(), len(asyncio.all_tasks())
        await cancelled(rig, count)
        gc.collect()
        growth, tasks_left = resident_bytes() - before, len(asyncio.all_tasks()) - tasks
        await control.clear_faults()
        answers = Counter(type(answer.outcome) for answer in await rig.burst(300))
        stats = await control.stats()
        return {
            "growth_bytes": growth,
            "tasks_left": tasks_left,
            "accepted_afterwards": answers[Accepted],
            "circuit": rig.sender.health().circuit,
            "violations": stats.violations,
            "pushes": stats.pushes,
            "connections": sum(one.total for one in stats.connections),
        }


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print(json.dumps(uvloop.run(measured(Path(sys.argv[1]), int(sys.argv[2])))))
