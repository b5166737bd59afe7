"""Sends that are given up leak nothing: not a place in the circuit, not one in the gate, no stream, no memory."""

import asyncio
import gc
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from gateway.domain.outcome import Accepted
from gateway.providers.circuit import CircuitLimits
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import Rig, ios_app, rig_of
from tests.support.whole import OPTIONS

CANCELLED = int(os.environ.get("CANCELLED_SENDS", "10000"))
AT_ONCE = 250
GROWTH_BYTES = 12 * 1024 * 1024
PATIENT = CircuitLimits(failures_in_a_row=10**9, window=10**9)


def resident_bytes() -> int:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def cancelled(rig: Rig, count: int, *, at_once: int = AT_ONCE) -> None:
    """Begin so many sends and give each up at another moment: before, while and after it is on the wire."""
    phone = rig.phone()
    for _ in range(count // at_once):
        tasks = [asyncio.create_task(rig.send(phone)) for _ in range(at_once)]
        for number, task in enumerate(tasks):
            if number % 50 == 0:
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(number % 5 * 0.002, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_ten_thousand_cancelled_sends_leak_nothing(simulator: SimulatorProcess) -> None:
    options = replace(OPTIONS, circuit=PATIENT, apns_wire=replace(OPTIONS.apns_wire, streams=400))
    async with simulator.control() as control, rig_of(ios_app(simulator), options) as rig:
        await control.reset()
        assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
        await control.script(faults.Answer(), provider="apns", count=None, delay_ms=20)
        await cancelled(rig, CANCELLED // 4)
        gc.collect()
        before, tasks = resident_bytes(), len(asyncio.all_tasks())

        await cancelled(rig, CANCELLED)

        gc.collect()
        assert resident_bytes() - before < GROWTH_BYTES
        assert len(asyncio.all_tasks()) == tasks
        await control.clear_faults()
        assert Counter(type(answer.outcome) for answer in await rig.burst(300)) == {Accepted: 300}
        assert rig.sender.health().circuit == "closed"
        stats = await control.stats()
        assert stats.violations == {}
        assert stats.pushes > CANCELLED // 10
        assert sum(one.total for one in stats.connections) <= 2
