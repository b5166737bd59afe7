"""The pipeline over a real store, with a clock of the test's and providers that answer as scripted."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.bootstrap import assemble
from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import EventKind, Millis, PbxEvent
from gateway.domain.push import PushKind, PushState
from gateway.domain.settlement import Settlement
from gateway.pipeline.intake import Arrival, Receipt
from gateway.pipeline.services import Role, Services
from gateway.settings import Settings, TenantSettings, load_settings
from gateway.store import PushRecord, Store
from gateway.store.queue import Queue
from gateway.worker.loop import Worker
from tests.support.facts import an_event
from tests.support.scripted_sender import ScriptedSender
from tests.support.store import ALL_LANES, TestClock, a_push, new_event_id, store_pushes, until

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
class Pipeline:
    """Services over a store, and short ways to use them."""

    services: Services
    senders: dict[str, ScriptedSender]
    clock: TestClock

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

    async def queue_many(self, count: int, kind: PushKind = PushKind.CALL_MISSED) -> None:
        """Pushes for the iPhone straight into the queue, 200 an event."""
        for number in range(0, count, 200):
            event_id = new_event_id(self.clock())
            pushes = (
                a_push(event_id, "iphone", kind=kind, badge=None, collapse_id=f"{kind}-{number}-{index}")
                for index in range(min(200, count - number))
            )
            await store_pushes(self.store, *pushes)

    async def settled(self) -> None:
        """Until no lane holds anything."""

        async def empty() -> bool:
            return await self.waiting() == 0

        await until(empty)

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


class FailingQueue(Queue):
    """A queue whose next move of what is due fails, once, by `failure`."""

    failure: BaseException | None = None

    async def move_due(self, now: Millis, limit: int = 200) -> int:
        """Fail once."""
        if (failure := self.failure) is not None:
            self.failure = None
            raise failure
        return await super().move_due(now, limit)


def with_failing_queue(pipeline: Pipeline, failure: BaseException) -> Pipeline:
    """The same over a queue that fails so."""
    queue = pipeline.store.queue
    failing = FailingQueue(queue._access, queue._devices, queue._bell)
    failing.failure = failure
    return a_pipeline(pipeline.services.settings, replace(pipeline.store, queue=failing), pipeline.clock)
