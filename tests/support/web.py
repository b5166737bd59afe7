"""The HTTP side over a real store and the real pipeline; only the providers are stand-ins."""

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from multidict import CIMultiDictProxy

from gateway.domain.device import Device
from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, Answer, Outcome
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.ingress.signatures import sign_standard_webhook, sign_yeastar
from gateway.pipeline.capacity import Capacity
from gateway.pipeline.delivery import Delivery
from gateway.pipeline.diagnosis import Diagnosis
from gateway.pipeline.ids import ulid
from gateway.pipeline.inbox import InboxService
from gateway.pipeline.intake import Intake
from gateway.pipeline.presence import PresenceService
from gateway.pipeline.services import Role, Services
from gateway.pipeline.turns import Turns
from gateway.providers import Sender, SenderHealth
from gateway.settings import AppSettings, Settings
from gateway.store import Store, open_store
from gateway.telemetry.metrics import Metrics
from gateway.web.app import create_app
from tests.support.web_settings import ALL_KEY, CONFIG, GENERIC_SECRET, IOS, JWT_KEY, YEASTAR_SECRET, settings_in


@dataclass(slots=True)
class StandInSender:
    """Takes every push, or answers what it is told to."""

    app: AppSettings
    outcome: Outcome = field(default_factory=Accepted)
    up: bool = True
    sent: list[Push] = field(default_factory=list)
    expires_at: Millis | None = None

    @property
    def circuit(self) -> "StandInSender":
        """Never open."""
        return self

    def admits(self, now: Millis) -> bool:
        """Always."""
        return True

    def retry_at(self, now: Millis) -> Millis:
        """At once."""
        return now

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """Keep it."""
        self.sent.append(push)
        return Answer(outcome=self.outcome, status=200, milliseconds=7)

    def capacity(self) -> int:
        """Plenty."""
        return 100

    def health(self) -> SenderHealth:
        """As it was told."""
        return SenderHealth(
            up=self.up,
            last_accepted_at=None,
            last_error=None if self.up else "InvalidProviderToken",
            last_error_at=None,
            circuit="closed" if self.up else "open",
            retry_at=None,
            credential_expires_at=self.expires_at,
        )


@dataclass(slots=True)
class Clock:
    """The real time, moved by `offset`."""

    offset: Millis = 0

    def __call__(self) -> Millis:
        return time.time_ns() // 1_000_000 + self.offset


def services_of(
    settings: Settings, store: Store, clock: Callable[[], Millis], *, role: Role = Role.API
) -> tuple[Services, dict[str, StandInSender]]:
    """The running parts as `bootstrap` puts them together, with stand-ins for the providers."""
    metrics, turns, capacity = Metrics(), Turns(), Capacity(limits=settings.store)
    retention = settings.store.journal_retention_hours * 3_600_000
    stand_ins = {app.id: StandInSender(app) for app in settings.apps}
    senders: dict[str, Sender] = dict(stand_ins)

    def new_id(at: Millis) -> str:
        return ulid(at, secrets.token_bytes)

    delivery = Delivery(settings=settings, store=store, senders=senders, metrics=metrics, clock=clock, dice=lambda: 0.5)
    services = Services(
        settings=settings,
        role=role,
        store=store,
        senders=senders,
        intake=Intake(
            store=store,
            turns=turns,
            capacity=capacity,
            metrics=metrics,
            new_id=new_id,
            clock=clock,
            inbox_retention=retention,
        ),
        presence=PresenceService(store=store, turns=turns, clock=clock),
        inbox=InboxService(store=store, turns=turns, clock=clock, new_id=new_id, retention=retention),
        delivery=delivery,
        diagnosis=Diagnosis(delivery=delivery, new_id=new_id),
        capacity=capacity,
        metrics=metrics,
        clock=clock,
        started_at=clock(),
    )
    return services, stand_ins


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    body: Any
    headers: CIMultiDictProxy[str]
    raw: bytes


_NUMBERS = itertools.count(1000)


def new_extension() -> str:
    """An extension that nobody has used: tests share one store."""
    return str(next(_NUMBERS))


@dataclass(slots=True)
class Web:
    """A client of the application."""

    client: TestClient[Request, Application]
    services: Services
    senders: dict[str, StandInSender]
    clock: Clock

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = ALL_KEY,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """One request with a bearer token."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        options: dict[str, Any] = {"data": raw} if raw is not None else {} if body is None else {"json": body}
        async with self.client.request(method, path, headers=sent, **options) as response:
            content = await response.read()
            is_json = "json" in response.content_type and content
            return Reply(
                response.status,
                await response.json(content_type=None) if is_json else None,
                response.headers,
                content,
            )

    async def post_event(self, event: Any, *, tenant: str = "acme", key: str | None = ALL_KEY) -> Reply:
        """Post one structured CloudEvent, or a batch when it is a list."""
        kind = "cloudevents-batch" if isinstance(event, list) else "cloudevents"
        return await self.ask(
            "POST",
            f"/v1/tenants/{tenant}/events",
            event,
            key=key,
            headers={"Content-Type": f"application/{kind}+json"},
        )

    async def register(self, extension: str, device_id: str = "iphone", **more: Any) -> Reply:
        """Register an iPhone with tokens of its own."""
        push = {"provider": "apns", "token": secrets.token_hex(32), "voip_token": secrets.token_hex(32)}
        path = f"/v1/tenants/acme/extensions/{extension}/devices/{device_id}"
        return await self.ask("PUT", path, {"app": IOS, "push": push, **more})


@asynccontextmanager
async def open_web(directory: Path, config: str = CONFIG, *, role: Role = Role.API) -> AsyncIterator[Web]:
    """The application over a store of its own."""
    settings, clock = settings_in(directory, config), Clock()
    async with open_store(settings.store, clock=clock) as store:
        services, senders = services_of(settings, store, clock, role=role)
        async with TestClient(TestServer(create_app(services))) as client:
            yield Web(client, services, senders, clock)


@asynccontextmanager
async def serving(services: Services, senders: dict[str, StandInSender], clock: Clock) -> AsyncIterator[Web]:
    """Another application over the same parts."""
    async with TestClient(TestServer(create_app(services))) as client:
        yield Web(client, services, senders, clock)


def with_store(services: Services, **rooms: Any) -> Services:
    """The same services with other rooms of the store."""
    return replace(services, store=replace(services.store, **rooms))


def user_token(extension: str, *, key: str = JWT_KEY, lifetime: int = 3600, **claims: Any) -> str:
    """A user token as the tenant's login issues it; a claim given as None is left out."""
    payload = {"sub": extension, "exp": int(time.time()) + lifetime, **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, algorithm="HS256")


def event(kind: str, extension: str, **more: Any) -> dict[str, Any]:
    """A structured CloudEvent about a call of its own."""
    identity = secrets.token_hex(8)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": identity,
        "source": "urn:test",
        "type": kind,
        "subject": extension,
        "data": {"call": {"id": identity}, "caller": {"number": "+4915112345678", "name": "Alice"}},
    }
    return document | more


def webhook_headers(
    body: bytes, *, secret: str = GENERIC_SECRET, message_id: str | None = None, age_seconds: int = 0
) -> dict[str, str]:
    """The Standard Webhooks headers of a structured CloudEvent."""
    message_id = message_id or secrets.token_hex(8)
    at = int(time.time()) - age_seconds
    return {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign_standard_webhook(secret, message_id, at, body),
    }


def yeastar_headers(body: bytes, *, secret: str = YEASTAR_SECRET) -> dict[str, str]:
    """The header of a P-Series webhook."""
    return {"Content-Type": "application/json", "X-Signature": sign_yeastar(secret, body)}


async def stored(web: Web, extension: str) -> list[Any]:
    """The extension's history, newest first."""
    reply = await web.ask("GET", f"/v1/tenants/acme/events?extension={extension}")
    return list(reply.body["items"])
