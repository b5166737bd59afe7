"""Pushes a second through `Sender.send`, 300 in flight, against the simulator in a process of its own.

    python -m tests.bench.bench_providers [pushes]

aioapns 4.0 is measured beside it, used directly, as its own documentation shows. Compare figures of one run only.
"""

import asyncio
import logging
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import uvloop
from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsTLSClientProtocol

from gateway.domain.outcome import Accepted
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.apns import build
from gateway.simulator.process import SimulatorProcess, start_simulator
from tests.support.provider_rig import Rig, a_push, android_app, ios_app, rig_of

IN_FLIGHT = 300
SECONDS_AT_MOST = 60


async def measured(name: str, count: int, send: Callable[[], Awaitable[bool]]) -> None:
    """Send `count` pushes and print how fast."""
    await send()
    left, delivered = iter(range(count)), 0

    async def worker() -> None:
        nonlocal delivered
        for _ in left:
            accepted = await send()
            delivered += accepted

    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    try:
        async with asyncio.timeout(SECONDS_AT_MOST):
            await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    except TimeoutError:
        print(f"{name:8} gave up after {SECONDS_AT_MOST} s")
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / max(delivered, 1)
    print(
        f"{name:12} {delivered / took:8.0f} pushes/s  {cpu * 1e6:6.0f} us CPU a push  {delivered} of {count} accepted"
    )


async def through_sender(rig: Rig, name: str, count: int) -> None:
    """The product's way, payload building included."""
    phones = [rig.phone() for _ in range(1000)]
    turn = 0

    async def send() -> bool:
        nonlocal turn
        turn += 1
        return isinstance((await rig.send(phones[turn % 1000])).outcome, Accepted)

    await measured(name, count, send)


async def through_aioapns(simulator: SimulatorProcess, rig: Rig, count: int) -> None:
    """aioapns with its own connections, the same messages."""

    class Protocol(APNsTLSClientProtocol):  # type: ignore[misc, unused-ignore]
        APNS_SERVER = urlsplit(simulator.apns_url).hostname or ""
        APNS_PORT = urlsplit(simulator.apns_url).port or 443

    context = ssl.create_default_context(cafile=str(simulator.ca_file))
    context.set_alpn_protocols(["h2"])
    client = APNs(
        key=simulator.key_file.read_text(),
        key_id=simulator.key_id,
        team_id=simulator.team_id,
        topic=simulator.topic,
        ssl_context=context,
    )
    client.pool.protocol_class = Protocol
    phones = [rig.phone() for _ in range(1000)]
    turn = 0

    async def send() -> bool:
        nonlocal turn
        turn += 1
        push, phone = a_push(), phones[turn % 1000]
        build(push, phone, topic=simulator.topic, privacy=Privacy.FULL)
        message = {"aps": {"alert": {"title": "Missed call", "body": "Alice"}, "badge": 1}, "pbx": {"id": push.call_id}}
        request = NotificationRequest(phone.token.reveal(), message, notification_id=push.push_id)
        return bool((await client.send_notification(request)).is_successful)

    await measured("aioapns", count, send)
    client.pool.close()


async def main(count: int) -> None:
    """One run of all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as directory:
        async with start_simulator(Path(directory)) as simulator:
            async with rig_of(ios_app(simulator)) as rig:
                await through_sender(rig, "apns", count)
                await through_aioapns(simulator, rig, count)
            async with rig_of(android_app(simulator)) as rig:
                await through_sender(rig, "fcm", count)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
