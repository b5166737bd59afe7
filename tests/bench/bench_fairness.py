"""What a tenant notices of another's flood: `python -m tests.bench.bench_fairness [--seconds 10] [--callers 200]`.

One process, intake and worker over the embedded store, a provider that takes 20 ms. The quiet tenant posts 20 events a
second; without and with another tenant that posts as fast as it can. Prints how long the quiet one's events took to be
accepted, and then to reach the provider.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

import structlog
import uvloop

from gateway.bootstrap import assemble, clock
from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import Clock, EventKind
from gateway.domain.outcome import Accepted, Answer
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.pipeline.intake import Arrival
from gateway.pipeline.services import Services
from gateway.settings import AppSettings
from gateway.store import open_store
from gateway.worker.loop import Worker
from tests.support.facts import an_event
from tests.support.pipeline import ANDROID, settings_in, working
from tests.support.scripted_sender import ScriptedSender

QUIET, LOUD = "globex", "acme"
PER_SECOND = 20
EXTENSIONS = 500


class SlowSender(ScriptedSender):
    """Takes 20 ms a push, and notes when each began."""

    def __init__(self, app: AppSettings, clock: Clock) -> None:
        super().__init__(app, clock)
        self.began_at: dict[str, float] = {}

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: int) -> Answer:
        self.began_at.setdefault(push.event_id, time.perf_counter())
        await asyncio.sleep(0.02)
        return Answer(outcome=Accepted(), status=200, milliseconds=20)


async def post(services: Services, tenant: str, number: int) -> str:
    """One missed call; its event id."""
    settings = services.settings.tenant(tenant)
    assert settings is not None
    event = an_event(
        EventKind.CALL_MISSED, occurred_at=clock(), call_id=str(uuid.uuid4()), extension=str(number % EXTENSIONS)
    )
    (receipt,) = await services.intake.accept(Arrival(tenant=settings, source="hq", received_at=clock()), (event,))
    return receipt.event_id


async def quiet(services: Services, sender: SlowSender, seconds: float) -> tuple[list[float], list[float]]:
    """How long its events took to be accepted, and from there to the provider."""
    took, sent = list[float](), dict[str, float]()

    async def one(number: int) -> None:
        began = time.perf_counter()
        event_id = await post(services, QUIET, number)
        sent[event_id] = time.perf_counter()
        took.append(sent[event_id] - began)

    async with asyncio.TaskGroup() as group:
        for number in range(round(seconds * PER_SECOND)):
            group.create_task(one(number))
            await asyncio.sleep(1 / PER_SECOND)
    await asyncio.sleep(1)
    return took, [sender.began_at[event_id] - at for event_id, at in sent.items() if event_id in sender.began_at]


async def loud(services: Services, counts: list[int]) -> None:
    """One caller of the flood."""
    while True:
        counts[0] += 1
        await post(services, LOUD, counts[0])


async def register(services: Services) -> None:
    """A phone for every extension of both tenants."""
    for tenant in (QUIET, LOUD):
        for number in range(EXTENSIONS):
            device = Device(
                tenant=tenant,
                extension=str(number),
                device_id="phone",
                app=ANDROID,
                provider=Provider.FCM,
                token=Token(uuid.uuid4().hex),
                registered_at=clock(),
            )
            await services.store.devices.register(device)


def told(name: str, values: list[float]) -> None:
    """One line."""
    cuts = statistics.quantiles(values, n=100)
    sys.stdout.write(f"{name:<34} p50 {cuts[49] * 1000:7.2f} ms   p99 {cuts[98] * 1000:7.2f} ms   n {len(values)}\n")


async def main(options: argparse.Namespace) -> None:
    """Quiet alone, then beside the flood."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        settings = settings_in(Path(folder), f"embedded:{folder}/store")
        async with open_store(settings.store, clock=clock) as store:
            senders = {app.id: SlowSender(app, clock) for app in settings.apps}
            services, sender = assemble(settings, store, senders), senders[ANDROID]
            await register(services)
            async with working(Worker(services, consumer="bench")):
                for callers in (0, options.callers):
                    counts = [0]
                    flood = [asyncio.create_task(loud(services, counts)) for _ in range(callers)]
                    took, reached = await quiet(services, sender, options.seconds)
                    for task in flood:
                        task.cancel()
                    await asyncio.gather(*flood, return_exceptions=True)
                    sys.stdout.write(f"another tenant: {counts[0] / (options.seconds + 1):,.0f} events/s\n")
                    told("  quiet tenant: accepted after", took)
                    told("  quiet tenant: at the provider after", reached)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--callers", type=int, default=200)
    uvloop.run(main(parser.parse_args()))
