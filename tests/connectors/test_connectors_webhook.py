"""The signed outbound webhook: verified by the reference library, repeated under one id, led nowhere else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from gateway.connectors.outgoing import SECONDS, Wire
from gateway.connectors.webhook import WebhookConnector
from gateway.domain.agent_action import AgentOrder, AgentOutcome, Done, Refused, Trouble
from gateway.domain.presence import AgentAction
from gateway.settings import Secret, ServerSettings
from gateway.web.outgoing import Outgoing
from tests.support.store import TestClock
from tests.support.yeastar_pbx import running

SECRET = "whsec_c2lnbnMgb3VyIG91dGdvaW5nIHdlYmhvb2tz"
ORDER = AgentOrder(
    order_id="2a0c6b0e-0000-5000-8000-000000000001",
    status="lunch_break",
    queue="6400",
    action=AgentAction.PAUSE,
    reason="Lunch",
    source="pbx",
    asked_at=1_795_341_600_123,
    at=1_795_341_600_123,
)


@dataclass(slots=True)
class Receiver:
    """A PBX's own side: verifies, and answers as the script says."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.messages.append(json.loads(body))
        self.ids.append(request.headers["webhook-id"])
        if self.status == 0:
            await self.released.wait()
        return web.Response(status=self.status or 204, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/agents", receiver.receive)
    async with running(app) as url:
        receiver.url = f"{url}/agents"
        try:
            yield receiver
        finally:
            receiver.released.set()


@asynccontextmanager
async def opened(url: str, *, host: str = "127.0.0.1", seconds: float = SECONDS) -> AsyncIterator[WebhookConnector]:
    ways = Outgoing(ServerSettings(host=host))
    async with ways.session() as session:
        yield WebhookConnector(Wire(ways, session, 65_536, seconds), url, Secret(SECRET), clock=TestClock())


async def test_it_is_signed_and_says_who_what_and_where(receiver: Receiver) -> None:
    async with opened(receiver.url) as connector:
        assert await connector.switch_agent("acme", "1001", ORDER) == Done()
        assert connector.health().last_success_at is not None
    data = {
        "tenant": "acme",
        "extension": "1001",
        "status": "lunch_break",
        "queue": "6400",
        "action": "pause",
        "reason": "Lunch",
    }
    assert receiver.messages == [{"type": "agent.switch", "timestamp": 1_795_341_600, "data": data}]
    assert receiver.ids == [ORDER.order_id]


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Done()),
        (302, {"Location": "http://127.0.0.1:1/"}, Trouble("HTTP 302")),
        (400, {}, Refused("HTTP 400")),
        (410, {}, Refused("HTTP 410")),
        (429, {"Retry-After": "7"}, Trouble("HTTP 429", 7.0)),
        (500, {}, Trouble("HTTP 500")),
        (503, {"Retry-After": "tomorrow"}, Trouble("HTTP 503")),
    ],
)
async def test_what_its_answer_means(
    receiver: Receiver, status: int, headers: dict[str, str], outcome: AgentOutcome
) -> None:
    receiver.status, receiver.headers = status, headers
    async with opened(receiver.url) as connector:
        assert await connector.switch_agent("acme", "1001", ORDER) == outcome
    assert len(receiver.messages) == 1


async def test_no_answer_is_trouble(receiver: Receiver) -> None:
    receiver.status = 0
    async with opened(receiver.url, seconds=0.3) as connector:
        assert await connector.switch_agent("acme", "1001", ORDER) == Trouble("no answer in time")
        assert connector.health().last_error == "no answer in time"


async def test_a_private_address_is_not_asked_unless_allowed(receiver: Receiver) -> None:
    async with opened(receiver.url, host="192.0.2.1") as connector:
        assert isinstance(await connector.switch_agent("acme", "1001", ORDER), Trouble)
    assert not receiver.messages
