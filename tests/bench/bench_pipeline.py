"""How fast the pipeline is: `python -m tests.bench.bench_pipeline [--events 5000] [--callers 200] [--profile]`.

One process on the embedded store, with fsync on every commit and the log of production (into a file): intake of missed
calls by many callers at once, without HTTP; then a worker delivers the pushes to a provider that takes everything.
`--profile` tells where the time goes, and costs time itself.
"""

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from gateway.bootstrap import assemble, clock
from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import EventKind
from gateway.domain.outcome import Accepted, Answer
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.pipeline.intake import Arrival
from gateway.pipeline.services import Services
from gateway.settings import LogSettings
from gateway.store import open_store
from gateway.telemetry.logs import configure_logs
from gateway.worker.loop import Worker
from tests.support.facts import an_event
from tests.support.pipeline import IOS, TENANT, settings_in
from tests.support.scripted_sender import ScriptedSender
from tests.support.store import until

EXTENSIONS = 1000
PROFILED = 40
"""Lines of a profile."""


class TakesEverything(ScriptedSender):
    """A provider that answers at once."""

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: int) -> Answer:
        """Accepted."""
        return Answer(outcome=Accepted(), status=200, milliseconds=1)


async def register(services: Services) -> None:
    """One iPhone an extension."""
    for number in range(EXTENSIONS):
        device = Device(
            tenant=TENANT,
            extension=str(number),
            device_id="iphone",
            app=IOS,
            provider=Provider.APNS,
            token=Token(f"{number:064x}"),
            registered_at=clock(),
        )
        await services.store.devices.register(device)


async def take_in(services: Services, events: int, callers: int) -> None:
    """Missed calls, `callers` at a time."""
    tenant = services.settings.tenant(TENANT)
    assert tenant is not None
    numbers = iter(range(events))

    async def caller() -> None:
        for number in numbers:
            event = an_event(
                EventKind.CALL_MISSED,
                occurred_at=clock(),
                call_id=f"call-{time.time_ns()}-{number}",
                extension=str(number % EXTENSIONS),
            )
            await services.intake.accept(Arrival(tenant=tenant, source="hq", received_at=clock()), (event,))

    await asyncio.gather(*(caller() for _ in range(callers)))


async def deliver(services: Services) -> None:
    """All that waits."""
    working = asyncio.create_task(Worker(services, consumer="bench").run(asyncio.Event()))

    async def settled() -> bool:
        return not any(lane.depth for lane in (await services.store.queue.depth()).values())

    await until(settled, seconds=600)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def measured(what: str, count: int, work: Callable[[], Awaitable[None]], *, profiled: bool) -> None:
    """Run it and print its rate."""
    profile = cProfile.Profile()
    wall, cpu = time.perf_counter(), time.process_time()
    if profiled:
        profile.enable()
    await work()
    profile.disable()
    seconds, worked = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<12} {count / seconds:>8.0f}/s   {worked / count * 1e6:>6.0f} us of CPU each")
    if profiled:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(PROFILED)


async def bench(options: argparse.Namespace, directory: Path) -> None:
    """Both directions, as often as asked."""
    settings = settings_in(directory, f"embedded:{directory / 'store'}")
    async with open_store(settings.store, clock=clock) as store:
        senders = {app.id: TakesEverything(app, clock) for app in settings.apps}
        services = assemble(settings, store, senders)
        await register(services)
        for _ in range(options.rounds):
            await measured(
                "intake",
                options.events,
                lambda: take_in(services, options.events, options.callers),
                profiled=options.profile,
            )
            await measured("delivery", options.events, lambda: deliver(services), profiled=options.profile)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name, (Path(name) / "log").open("w") as log:
        standard_error, sys.stderr = sys.stderr, log
        try:
            configure_logs(LogSettings(format="json"))
            uvloop.run(bench(options, Path(name)))
        finally:
            sys.stderr = standard_error


if __name__ == "__main__":
    main()
