"""The whole product in this process, so that a test can make its times small: HTTP, intake, a real store, a worker, and
the real wire to a simulator process."""

import asyncio
import itertools
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from gateway.bootstrap import assemble
from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import EventKind, Millis, PbxEvent
from gateway.domain.push import PushState
from gateway.pipeline.intake import Receipt
from gateway.providers import apns, open_senders
from gateway.providers.access_token import TokenTimes
from gateway.providers.circuit import CircuitLimits
from gateway.providers.senders import ProviderOptions
from gateway.providers.wire_client import WireSettings
from gateway.settings import AppSettings, Settings, StoreSettings, TenantSettings, WorkerSettings
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess
from gateway.store import PushRecord, open_store
from gateway.web.app import create_app
from tests.support.pipeline import Pipeline, working
from tests.support.provider_rig import ANDROID, IOS, android_app, ios_app
from tests.support.servers import Server
from tests.support.store import TestClock, until

TENANT = "acme"

SMALL_WIRE = WireSettings(
    keep_headers=apns.KEEP_HEADERS,
    request_seconds=1.2,
    connect_seconds=1.0,
    hold_seconds=1.0,
    canary_patience_seconds=0.1,
    ping_after_seconds=0.3,
    ping_seconds=0.2,
    replace_after_timeouts=5,
)
QUICK_CIRCUIT = CircuitLimits(
    configuration_pause=300, quota_pause=300, suspicion_pause=300, storm_pause=200, longest_storm_pause=800
)
OPTIONS = ProviderOptions(
    apns_wire=SMALL_WIRE,
    fcm_wire=replace(SMALL_WIRE, streams=90, opens=lambda status: True),
    circuit=QUICK_CIRCUIT,
    token_times=TokenTimes(flight=0.6, first_retry=0.2, longest_retry=0.4, repeat_failure=0.05, pause=0.3),
)
"""As the product's, and ten times as quick."""


@dataclass(slots=True)
class RealClock(TestClock):
    """The real time, which the test may shift."""

    now: Millis = 0

    def __call__(self) -> Millis:
        return time.time_ns() // 1_000_000 + self.now


@dataclass(slots=True)
class Whole:
    """The running product and short ways to use it."""

    pipeline: Pipeline
    control: SimulatorControl
    http: TestClient[Request, Application]
    phones: dict[str, str] = field(default_factory=dict)
    """Token (alert) by extension."""
    _extensions: Iterator[int] = field(default_factory=lambda: itertools.count(2000))

    async def register(
        self, extension: str, provider: Provider = Provider.APNS, *, device_id: str = "phone", **more: Any
    ) -> str:
        """Register a phone of that extension, with tokens of its own; the one that alerts go to."""
        apple = provider is Provider.APNS
        device = Device(
            tenant=TENANT,
            extension=extension,
            device_id=device_id,
            app=IOS if apple else ANDROID,
            provider=provider,
            token=Token(secrets.token_hex(32) if apple else f"{uuid.uuid4().hex[:22]}:APA91b{uuid.uuid4().hex * 3}"),
            voip_token=Token(secrets.token_hex(32)) if apple else None,
            registered_at=self.pipeline.clock(),
        )
        device = replace(device, **more)
        await self.pipeline.store.devices.register(device)
        self.phones[extension] = device.token.reveal()
        return device.token.reveal()

    async def register_many(self, count: int, provider: Provider = Provider.APNS) -> list[str]:
        """Phones of so many extensions that nobody has used; the extensions."""
        extensions = [str(next(self._extensions)) for _ in range(count)]
        await asyncio.gather(*(self.register(extension, provider) for extension in extensions))
        return extensions

    async def device(self, extension: str, device_id: str = "phone") -> Device:
        """The registration as it is stored now."""
        device = await self.pipeline.store.devices.get(TENANT, extension, device_id)
        assert device is not None
        return device

    async def missed(self, extension: str, **parts: Any) -> Receipt:
        """A missed call of that extension, just now."""
        return await self.pipeline.accept(EventKind.CALL_MISSED, extension=extension, **parts)

    async def missed_by(self, extensions: Iterable[str]) -> list[Receipt]:
        """A missed call of each, all at once."""
        return list(await asyncio.gather(*(self.missed(extension) for extension in extensions)))

    async def tell(self, event: PbxEvent) -> Receipt:
        """Any event."""
        return await self.pipeline.accept(event)

    async def push(self, receipt: Receipt) -> PushRecord:
        """The event's one push."""
        return await self.pipeline.push(receipt)

    async def ends(self, receipt: Receipt, state: PushState = PushState.ACCEPTED, *, seconds: float = 10) -> PushRecord:
        """Wait until the event's one push is in that state."""

        async def there() -> bool:
            return (await self.push(receipt)).state is state

        try:
            await until(there, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"the push never was {state}: {await self.push(receipt)}") from error
        return await self.push(receipt)

    async def all_end(self, receipts: Iterable[Receipt], *, seconds: float = 10) -> list[PushRecord]:
        """Wait until every one of these pushes is accepted."""
        return list(await asyncio.gather(*(self.ends(receipt, seconds=seconds) for receipt in receipts)))

    async def shown(self, extension: str) -> list[str]:
        """Push ids that the extension's phone shows."""
        phone = await self.control.phone(self.phones[extension])
        return [one.push_id for one in phone.shown] if phone is not None else []

    async def circuit(self, provider: Provider = Provider.APNS) -> tuple[str, str | None]:
        """State of the app's circuit and its last error, as `GET /health` says them."""
        async with self.http.get("/health") as answer:
            assert answer.status == 200
            app = (await answer.json())["providers"][IOS if provider is Provider.APNS else ANDROID]
        return app["circuit"], app["last_error"]

    async def ready(self) -> tuple[int, str]:
        """Status and word of `GET /readyz`."""
        async with self.http.get("/readyz") as answer:
            return answer.status, (await answer.json())["status"]

    async def until_circuit(self, state: str, provider: Provider = Provider.APNS, *, seconds: float = 5) -> None:
        """Wait until the app's circuit is in that state."""

        async def there() -> bool:
            return (await self.circuit(provider))[0] == state

        await until(there, seconds=seconds)


def settings_of(
    store_url: str, apps: tuple[AppSettings, ...], *, lease_seconds: float = 3, concurrency: int = 600
) -> Settings:
    """One tenant with these apps."""
    return Settings(
        store=StoreSettings(url=store_url),
        worker=WorkerSettings(lease_seconds=lease_seconds, concurrency=concurrency),
        apps=apps,
        tenants=(TenantSettings(id=TENANT, apps=tuple(app.id for app in apps)),),
    )


def emptied(server: Server) -> str:
    """The server's address; what was stored is gone."""
    with server.client() as client:
        client.flushall()
    return server.url


@asynccontextmanager
async def open_whole(
    store_url: str,
    simulator: SimulatorProcess,
    *,
    ios: dict[str, Any] | None = None,
    android: dict[str, Any] | None = None,
    options: ProviderOptions = OPTIONS,
    clock: TestClock | None = None,
    workers: int = 1,
    concurrency: int = 600,
    reset: bool = True,
) -> AsyncIterator[Whole]:
    """The product over an empty store and, unless told otherwise, a reset simulator. `ios`, `android`: other settings
    of the two apps."""
    apps = (ios_app(simulator, **(ios or {})), android_app(simulator, **(android or {})))
    settings = settings_of(store_url, apps, concurrency=concurrency)
    clock = clock or RealClock()
    async with simulator.control() as control:
        if reset:
            await control.reset()
        async with (
            open_store(settings.store, clock=clock) as store,
            open_senders(settings, clock=clock, options=options) as senders,
        ):
            services = assemble(settings, store, senders, clock=clock, dice=lambda: 0.0)
            pipeline = Pipeline(services, {}, clock)
            async with TestClient(TestServer(create_app(services))) as http, _working(pipeline, workers):
                yield Whole(pipeline, control, http)


@asynccontextmanager
async def _working(pipeline: Pipeline, workers: int) -> AsyncIterator[None]:
    if workers == 0:
        yield
        return
    async with working(pipeline.worker(f"worker-{workers}")), _working(pipeline, workers - 1):
        yield
