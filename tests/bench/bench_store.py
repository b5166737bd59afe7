"""How fast the store is: `python -m tests.bench.bench_store [--seconds 5] [--callers 200] [--fsync always]
[--tenants 1]`.

One process on the embedded store: accepting (load, decide nothing, accept with one push) by many callers at once, then
delivering (take, load, settle) what was accepted. Prints operations per second and latencies.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import uvloop
from redis import Redis

from gateway.domain.effects import Effects
from gateway.domain.extension import CallPush, CallState, InboxItem, InboxKind, Unread
from gateway.domain.push import Attempt, Lane, PushState
from gateway.domain.settlement import DeviceChange, Settlement
from gateway.settings import StoreSettings
from gateway.store import Store, Stored, open_store
from gateway.store.embedded import socket_path
from tests.support.store import TENANT, a_device, a_push, a_record, new_event_id

EXTENSIONS = 2000


def clock() -> int:
    return time.time_ns() // 1_000_000


async def compose(number: int) -> None:
    """What the measured acceptance does besides storing."""
    event_id = new_event_id(clock())
    push = a_push(event_id, extension=str(number))
    a_record(event_id, extension=str(number), identity=event_id, pushes=(push,))


async def accept(store: Store, number: int, tenants: int) -> None:
    """One event as intake stores it, of each tenant in turn."""
    tenant = f"{TENANT}-{number % tenants}"
    extension = str(number % EXTENSIONS)
    event_id = new_event_id(clock())
    call_id = f"call-{event_id}"
    push = a_push(event_id, tenant=tenant, extension=extension, call_id=call_id)
    state = await store.extensions.load(tenant, extension, call_id)
    noted = CallPush(push_id=push.push_id, device_id=push.device_id, kind=push.kind)
    effects = Effects(
        call=CallState(call_id=call_id, pushes=(noted,)),
        unread=Unread(told=1),
        inbox_add=InboxItem(event_id=event_id, kind=InboxKind.CALL_MISSED, occurred_at=clock(), call_id=call_id),
        pushes=(push,),
    )
    record = a_record(event_id, tenant=tenant, extension=extension, call_id=call_id, identity=event_id, pushes=(push,))
    assert await store.extensions.accept(state, record, effects) == Stored()


async def repeat(seconds: float, callers: int, work: Callable[[int], Awaitable[None]]) -> tuple[int, list[float]]:
    """Run `work` by so many callers for so long; how often it ended, and how long each took."""
    end = time.perf_counter() + seconds
    numbers, took = itertools.count(), list[float]()

    async def caller() -> None:
        while (started := time.perf_counter()) < end:
            await work(next(numbers))
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(took), took


async def deliver(store: Store, count: int) -> float:
    """Take, load and settle everything; seconds."""
    attempt = Attempt(at=1, outcome="accepted", status=200)
    change = DeviceChange(registered_at=a_device().registered_at, last_accepted_at=1)
    started, left = time.perf_counter(), count
    while left > 0:
        leases = await store.queue.take("bench", lanes=(Lane.ALERT,), count=500, block_ms=10)

        await asyncio.gather(*(store.queue.load(lease) for lease in leases))
        settlement = Settlement(state=PushState.ACCEPTED, attempt=attempt, device=change)
        await asyncio.gather(*(store.queue.settle(lease, settlement) for lease in leases))
        left -= len(leases)
    return time.perf_counter() - started


def server_seconds(directory: str) -> float:
    """CPU that the server used so far."""
    with Redis(unix_socket_path=str(socket_path(Path(directory) / "store")), protocol=2) as client:
        used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


class Cpu:
    """CPU of this process and of the server since it was made."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._own, self._server = time.process_time(), server_seconds(directory)

    def told(self, count: int) -> str:
        own, server = time.process_time() - self._own, server_seconds(self._directory) - self._server
        return f"   CPU {own / count * 1e6:4.0f} us here, {server / count * 1e6:4.0f} us in the server"


def told(name: str, count: int, seconds: float, took: list[float], cpu: Cpu) -> None:
    """One line."""
    line = f"{name:<28}{count / seconds:>8,.0f}/s{cpu.told(count)}"
    if took:
        cuts = statistics.quantiles(took, n=100)
        line += f"   p50 {cuts[49] * 1000:6.2f} ms   p99 {cuts[98] * 1000:6.2f} ms"
    sys.stdout.write(line + "\n")


async def main(options: argparse.Namespace) -> None:
    """All measurements, one after the other."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = StoreSettings.model_validate({"url": f"embedded:{folder}/store", "fsync": options.fsync})
        async with open_store(settings, clock=clock) as store:
            device = a_device()
            await asyncio.gather(
                *(
                    store.devices.register(replace(a_device(), extension=str(number), device_id=device.device_id))
                    for number in range(EXTENSIONS)
                )
            )
            for callers in (1, options.callers):
                cpu = Cpu(folder)
                count, took = await repeat(
                    options.seconds, callers, lambda number: accept(store, number, options.tenants)
                )
                told(f"load + accept, {callers} at once", count, options.seconds, took, cpu)
            cpu = Cpu(folder)
            count, took = await repeat(options.seconds, options.callers, lambda number: load(store, number))
            told(f"load, {options.callers} at once", count, options.seconds, took, cpu)
            waiting, cpu = (await store.queue.depth())[Lane.ALERT].depth, Cpu(folder)
            told("take + load + settle", waiting, await deliver(store, waiting), [], cpu)
            cpu = Cpu(folder)
            count, took = await repeat(options.seconds, options.callers, compose)
            told("composing an event (not store)", count, options.seconds, [], cpu)
            health = await store.health()
            sys.stdout.write(f"memory {health.used_memory / 1e6:.0f} MB, {health.server}, fsync {health.fsync}\n")


async def load(store: Store, number: int) -> None:
    """One reading."""
    await store.extensions.load(TENANT, str(number % EXTENSIONS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--fsync", choices=("always", "everysec"), default="always")
    parser.add_argument("--tenants", type=int, default=1)
    uvloop.run(main(parser.parse_args()))
