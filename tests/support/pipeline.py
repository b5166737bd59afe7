"""The pipeline over a real store, with a clock of the test's and providers that answer as scripted."""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.bootstrap import assemble
from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import EventKind, Millis, PbxEvent
from gateway.domain.outcome import Accepted, Answer, Outcome
from gateway.domain.push import Push, PushKind, PushState
from gateway.domain.settlement import Settlement
from gateway.domain.tenant_policy import Privacy
from gateway.pipeline.intake import Arrival, Receipt
from gateway.pipeline.services import Role, Services
from gateway.providers import SenderHealth
from gateway.settings import AppSettings, Settings, TenantSettings, load_settings
from gateway.store import PushRecord, Store
from gateway.worker.loop import Worker
from tests.support.facts import an_event
from tests.support.store import ALL_LANES, TestClock

TENANT = "acme"
EXTENSION = "1001"
IOS = "com.example.softphone.ios"
ANDROID = "com.example.softphone.android"

CONFIG = f"""
[server]
port = 0
drain_seconds = 3
[store]
url = "STORE_URL"
[worker]
lease_seconds = LEASE
concurrency = CONCURRENCY
[[admin.api_keys]]
name = "ops"
key = "admin-key-of-operations"
[[apps]]
id = "{IOS}"
[apps.apns]
team_id = "ABCDE12345"
key_id = "FGHIJ67890"
key_file = "AuthKey.p8"
topic = "com.example.softphone"
[[apps]]
id = "{ANDROID}"
[apps.fcm]
service_account_file = "account.json"
[[tenants]]
id = "{TENANT}"
apps = ["{IOS}", "{ANDROID}"]
POLICY
[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = "yeastar-secret-of-hq"
[[tenants]]
id = "globex"
apps = ["{ANDROID}"]
"""


def settings_in(
    directory: Path, store_url: str, *, lease_seconds: float = 30, concurrency: int = 500, policy: str = ""
) -> Settings:
    """Settings over the store at `store_url`. The credentials that they name are not looked into."""
    for name in ("AuthKey.p8", "account.json"):
        (directory / name).write_text("not looked into here")
    file = directory / "gateway.toml"
    values = {"STORE_URL": store_url, "LEASE": lease_seconds, "CONCURRENCY": concurrency, "POLICY": policy}
    text = CONFIG
    for name, value in values.items():
        text = text.replace(name, str(value))
    file.write_text(text)
    return load_settings(file, {})


@dataclass(slots=True)
class Phone:
    """What one phone shows: a later notification replaces the one of the same collapse id; the last badge stands."""

    received: list[Push] = field(default_factory=list)
    shown: dict[str, Push] = field(default_factory=dict)
    badge: int = 0
    rings: list[str] = field(default_factory=list)

    def receive(self, push: Push) -> None:
        """As iOS by `apns-collapse-id`, and Android by `tag`."""
        self.received.append(push)
        if push.kind is PushKind.CALL_INCOMING:
            self.rings.append(push.call_id or "")
        elif push.kind is not PushKind.BADGE:
            self.shown[push.collapse_id] = push
        if push.badge is not None:
            self.badge = push.badge

    @property
    def kinds(self) -> list[PushKind]:
        """What it shows, in the order of first appearance."""
        return [push.kind for push in self.shown.values()]


@dataclass(slots=True)
class ScriptedAdmission:
    """A circuit that the test opens."""

    clock: Callable[[], Millis]
    opens_at: Millis = 0

    def admits(self, now: Millis) -> bool:
        """Whether a push may go."""
        return now >= self.opens_at

    def retry_at(self, now: Millis) -> Millis:
        """When it lets pushes through again."""
        return max(now, self.opens_at)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to the provider."""

    push: Push
    device: Device
    at: Millis


class ScriptedSender:
    """A `Sender`: answers with what the script says next, and with `Accepted` when it has come to its end.

    An exception in the script is raised. While `gate` is closed, a push is on its way and has no answer yet.
    """

    def __init__(self, app: AppSettings, clock: Callable[[], Millis]) -> None:
        self.app = app
        self.circuit = ScriptedAdmission(clock)
        self.script: deque[Outcome | Answer | Exception] = deque()
        self.sent: list[Sent] = []
        self.phones: dict[str, Phone] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.up = True
        self.in_flight = 0
        self.most_in_flight = 0
        self.began = asyncio.Event()
        """Set by every push that begins."""
        self._clock = clock

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """See `Sender`."""
        self.sent.append(Sent(push, device, self._clock()))
        self.began.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        said = self.script.popleft() if self.script else Accepted()
        if isinstance(said, Exception):
            raise said
        answer = said if isinstance(said, Answer) else Answer(outcome=said, status=200, milliseconds=7)
        if isinstance(answer.outcome, Accepted):
            self.phones.setdefault(device.device_id, Phone()).receive(push)
        return answer

    def capacity(self) -> int:
        """See `Sender`."""
        return 1000

    def health(self) -> SenderHealth:
        """See `Sender`."""
        return SenderHealth(
            up=self.up,
            last_accepted_at=None,
            last_error=None if self.up else "InvalidProviderToken",
            last_error_at=None,
            circuit="closed" if self.circuit.admits(self._clock()) else "open",
            retry_at=None,
            credential_expires_at=None,
        )


@dataclass(slots=True)
class Pipeline:
    """Services over a store, and short ways to use them."""

    services: Services
    senders: dict[str, ScriptedSender]
    clock: TestClock
    _calls: Iterable[int] = field(default_factory=itertools.count)

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def tenant(self) -> TenantSettings:
        tenant = self.services.settings.tenant(TENANT)
        assert tenant is not None
        return tenant

    @property
    def ios(self) -> ScriptedSender:
        return self.senders[IOS]

    @property
    def android(self) -> ScriptedSender:
        return self.senders[ANDROID]

    def worker(self, consumer: str = "worker") -> Worker:
        """A worker over these services."""
        return Worker(self.services, consumer=consumer)

    async def register(
        self, device_id: str = "iphone", extension: str = EXTENSION, *, provider: Provider = Provider.APNS, **more: Any
    ) -> Device:
        """Register a phone with a token of its own."""
        ios = provider is Provider.APNS
        device = Device(
            tenant=TENANT,
            extension=extension,
            device_id=device_id,
            app=IOS if ios else ANDROID,
            provider=provider,
            token=Token(uuid.uuid4().hex),
            voip_token=Token(uuid.uuid4().hex) if ios else None,
            registered_at=self.clock(),
        )
        device = replace(device, **more)
        await self.store.devices.register(device)
        return device

    async def accept(
        self,
        event: PbxEvent | EventKind = EventKind.CALL_MISSED,
        *,
        delivery_id: str | None = None,
        digest: str = "digest",
        services: Services | None = None,
        **parts: Any,
    ) -> Receipt:
        """One event through intake; of a kind: with these `parts`, just now, about a call of its own."""
        if isinstance(event, EventKind):
            event = an_event(event, **{"occurred_at": self.clock(), "call_id": f"call-{uuid.uuid4()}", **parts})
        arrival = self.arrival(delivery_id, digest)
        (receipt,) = await (services or self.services).intake.accept(arrival, (event,))
        return receipt

    def arrival(self, delivery_id: str | None = None, digest: str = "digest") -> Arrival:
        """From source `hq`, just now."""
        return Arrival(
            tenant=self.tenant, source="hq", received_at=self.clock(), delivery_id=delivery_id, digest=digest
        )

    async def deliver_waiting(self) -> list[Settlement]:
        """Move what is due, take all that waits, deliver each; once."""
        await self.store.queue.move_due(self.clock())
        leases = await self.store.queue.take("by-hand", lanes=ALL_LANES, count=1000, block_ms=0)
        return [await self.services.delivery.deliver(lease) for lease in leases]

    async def deliver_all(self, *, seconds: int = 40) -> None:
        """Deliver what waits and what comes back within so many seconds, which pass."""
        for _ in range(seconds // 2):
            await self.deliver_waiting()
            self.clock.pass_seconds(2)

    async def waiting(self) -> int:
        """Entries in all lanes: waiting, or being sent."""
        return sum(lane.depth for lane in (await self.store.queue.depth()).values())

    async def push(self, receipt: Receipt) -> PushRecord:
        """The event's one push."""
        (record,) = await self.store.journal.pushes(TENANT, receipt.event_id)
        return record

    async def push_state(self, receipt: Receipt) -> PushState:
        """How far the event's one push is."""
        return (await self.push(receipt)).state

    async def badge(self, extension: str = EXTENSION) -> int:
        """The number on the app icon."""
        return await self.services.inbox.badge(self.tenant, extension)

    async def inbox_kinds(self, extension: str = EXTENSION) -> list[str]:
        """What the inbox lists."""
        items, _ = await self.store.inbox.list(TENANT, extension, limit=500)
        return sorted(item.kind for item in items)


def a_pipeline(settings: Settings, store: Store, clock: TestClock, *, role: Role = Role.ALL) -> Pipeline:
    """Services over `store`, with scripted senders."""
    senders = {app.id: ScriptedSender(app, clock) for app in settings.apps}
    services = assemble(settings, store, senders, role=role, clock=clock, dice=lambda: 0.5)
    return Pipeline(services, senders, clock)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Event]:
    """The worker runs; stopped at the end, unless the test did. Yields its stop."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task
