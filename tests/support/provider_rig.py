"""Senders against a simulator: one simulator for a whole module, senders of its own for each test."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.domain.device import Device, Environment, Provider, TargetKind, Token
from gateway.domain.event import Caller
from gateway.domain.outcome import Answer
from gateway.domain.push import Push, PushKind, derive_collapse_id
from gateway.domain.tenant_policy import Privacy
from gateway.providers import Sender, open_senders
from gateway.providers.senders import ProviderOptions
from gateway.settings import ApnsSettings, AppSettings, FcmSettings, Settings
from gateway.simulator.process import SimulatorProcess, start_simulator

IOS = "com.example.softphone.ios"
ANDROID = "com.example.softphone.android"


def clock() -> int:
    """The present."""
    return time.time_ns() // 1_000_000


@contextmanager
def simulator_in_background(directory: Path, **options: Any) -> Iterator[SimulatorProcess]:
    """A simulator that outlives the event loops of single tests: a loop in a thread of its own looks after it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = start_simulator(directory, **options)
    try:
        simulator = asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(60)
        try:
            yield simulator
        finally:
            asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def ios_app(simulator: SimulatorProcess, *, by_certificate: bool = False, **changes: Any) -> AppSettings:
    """The iPhone app, with the simulator's key or its certificate."""
    proof: dict[str, Any] = (
        {"certificate_file": simulator.client_certificate_file}
        if by_certificate
        else {"team_id": simulator.team_id, "key_id": simulator.key_id, "key_file": simulator.key_file}
    )
    places = {"url": simulator.apns_url, "sandbox_url": simulator.apns_sandbox_url, "ca_file": simulator.ca_file}
    return AppSettings(id=IOS, apns=ApnsSettings(**{"topic": simulator.topic, **proof, **places, **changes}))


def android_app(simulator: SimulatorProcess, **changes: Any) -> AppSettings:
    """The Android app."""
    own = {
        "service_account_file": simulator.service_account_file,
        "url": simulator.fcm_url,
        "ca_file": simulator.ca_file,
    }
    return AppSettings(id=ANDROID, fcm=FcmSettings(**{**own, **changes}))


@dataclass(frozen=True, slots=True)
class Rig:
    """One app's sender, and phones for it."""

    sender: Sender

    def phone(self, *, environment: Environment = Environment.PRODUCTION, fid: bool = False) -> Device:
        """A phone that nobody has used yet."""
        apple = self.sender.app.provider is Provider.APNS
        token = uuid.uuid4().hex * 2 if apple else f"{uuid.uuid4().hex[:22]}:APA91b{uuid.uuid4().hex * 3}"
        return Device(
            tenant="acme",
            extension="1001",
            device_id="alice",
            app=self.sender.app.id,
            provider=self.sender.app.provider,
            token=Token(uuid.uuid4().hex[:22] if fid else token),
            target=TargetKind.FID if fid else TargetKind.TOKEN,
            voip_token=Token(uuid.uuid4().hex * 2) if apple else None,
            environment=environment,
        )

    async def send(self, device: Device, push: Push | None = None) -> Answer:
        """Send a missed call, or `push`."""
        return await self.sender.send(push or a_push(), device, privacy=Privacy.FULL, now=clock())

    async def burst(self, count: int, device: Device | None = None) -> list[Answer]:
        """So many at once, to one phone or each to its own."""
        return list(await asyncio.gather(*(self.send(device or self.phone()) for _ in range(count))))


def a_push(kind: PushKind = PushKind.CALL_MISSED, **changes: Any) -> Push:
    """A push about a call of its own."""
    call_id = uuid.uuid4().hex
    push = Push(
        push_id=str(uuid.uuid4()),
        event_id=uuid.uuid4().hex,
        tenant="acme",
        extension="1001",
        device_id="alice",
        kind=kind,
        collapse_id=derive_collapse_id("acme", "1001", call_id),
        occurred_at=clock(),
        deadline=clock() + 60_000,
        badge=1,
        call_id=call_id,
        caller=Caller(number="+4915112345678", name="Alice"),
    )
    return replace(push, **changes)


@asynccontextmanager
async def rig_of(app: AppSettings, options: ProviderOptions | None = None) -> AsyncIterator[Rig]:
    """The app's sender, opened as the product opens it."""
    async with open_senders(Settings(apps=(app,)), clock=clock, options=options) as senders:
        yield Rig(senders[app.id])


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails when the block takes longer."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds, f"took {took:.2f} s"
