"""The Yeastar connector against a PBX that is strict about what the developer guide says."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.connectors.outgoing import SECONDS, NoAnswer, Wire
from gateway.connectors.yeastar import YeastarConnector
from gateway.connectors.yeastar_client import MOST_BYTES, PAGE_SIZE, PbxRefuses, YeastarClient
from gateway.domain.agent_action import AgentOrder, Done, Refused, Trouble
from gateway.domain.presence import AgentAction
from gateway.settings import Secret, ServerSettings
from gateway.web.outgoing import Outgoing
from tests.support.store import TestClock
from tests.support.yeastar_pbx import BAD_LOGIN, CLIENT_ID, CLIENT_SECRET, YeastarPbx, yeastar_pbx


@pytest.fixture
async def pbx() -> AsyncIterator[YeastarPbx]:
    async with yeastar_pbx() as running:
        yield running


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@asynccontextmanager
async def opened(
    url: str, clock: TestClock, *, secret: str = CLIENT_SECRET, host: str = "127.0.0.1", seconds: float = SECONDS
) -> AsyncIterator[YeastarConnector]:
    ways = Outgoing(ServerSettings(host=host))
    async with ways.session() as session:
        wire = Wire(ways, session, MOST_BYTES, seconds)
        connector = YeastarConnector(YeastarClient(wire, url, CLIENT_ID, Secret(secret), clock=clock), clock=clock)
        yield connector
        await connector.client.close()


@pytest.fixture
async def connector(pbx: YeastarPbx, clock: TestClock) -> AsyncIterator[YeastarConnector]:
    async with opened(pbx.url, clock) as one:
        yield one


def an_order(action: str = "pause", *, queue: str = "6400", reason: str | None = None) -> AgentOrder:
    return AgentOrder(
        order_id="order-1",
        status="lunch_break",
        queue=queue,
        action=AgentAction(action),
        reason=reason,
        source="pbx",
        asked_at=1,
        at=1,
    )


@pytest.mark.parametrize(
    ("action", "reason", "asked"),
    [
        ("log_in", None, {"operation": "login", "is_paused": "0"}),
        ("log_out", None, {"operation": "logout"}),
        ("pause", None, {"operation": "pause"}),
        ("pause", "Lunch & more", {"operation": "pause", "reason": "Lunch & more"}),
    ],
)
async def test_each_action_is_one_request_about_one_queue(
    pbx: YeastarPbx, connector: YeastarConnector, action: str, reason: str | None, asked: dict[str, str]
) -> None:
    order = an_order(action, queue="6401", reason=reason)
    assert await connector.switch_agent("acme", "1002", order) == Done()
    ids = {"ext_id": str(pbx.extensions[1]["id"]), "queue_ids": str(pbx.queues[1]["id"])}
    assert pbx.of("agent/pause" if action == "pause" else "agent/login") == [asked | ids]
    assert pbx.without_user_agent == 0


async def test_many_requests_at_once_log_in_once_and_the_token_is_given_back(pbx: YeastarPbx, clock: TestClock) -> None:
    async with opened(pbx.url, clock) as connector:
        orders = (connector.switch_agent("acme", "1001", an_order()) for _ in range(30))
        assert set(await asyncio.gather(*orders)) == {Done()}
        assert (pbx.logins, pbx.most_at_once) == (1, 1)
    assert not pbx.tokens


async def test_a_token_is_renewed_before_it_ends_by_its_refresh_token(
    pbx: YeastarPbx, connector: YeastarConnector, clock: TestClock
) -> None:
    await connector.switch_agent("acme", "1001", an_order())
    clock.pass_seconds(1800 - 59)
    assert await connector.switch_agent("acme", "1001", an_order()) == Done()
    assert (pbx.logins, pbx.refreshes, pbx.most_at_once) == (1, 1, 1)
    clock.pass_seconds(86_400)
    assert await connector.switch_agent("acme", "1001", an_order()) == Done()
    assert (pbx.logins, pbx.refreshes) == (2, 1)


async def test_a_pbx_that_forgot_its_tokens_is_logged_in_to_again_once(
    pbx: YeastarPbx, connector: YeastarConnector
) -> None:
    await connector.switch_agent("acme", "1001", an_order())
    pbx.forget_tokens()
    orders = (connector.switch_agent("acme", "1001", an_order()) for _ in range(10))
    assert set(await asyncio.gather(*orders)) == {Done()}
    assert pbx.logins == 2


async def test_a_refused_login_is_not_tried_again_at_once(pbx: YeastarPbx, clock: TestClock) -> None:
    async with opened(pbx.url, clock, secret="a-wrong-secret-of-the-client") as connector:
        outcomes = [await connector.switch_agent("acme", "1001", an_order()) for _ in range(5)]
        assert outcomes[0] == Trouble(f"the PBX refuses the login (errcode {BAD_LOGIN})")
        assert {type(outcome) for outcome in outcomes} == {Trouble}
        assert pbx.refused_logins == 1
        clock.pass_seconds(5)
        await connector.switch_agent("acme", "1001", an_order())
        assert pbx.refused_logins == 2


async def test_when_all_eight_tokens_are_taken_it_waits(pbx: YeastarPbx, connector: YeastarConnector) -> None:
    pbx.tokens = {str(number): str(number) for number in range(8)}
    assert isinstance(await connector.switch_agent("acme", "1001", an_order()), Trouble)
    assert pbx.most_at_once == 0


@pytest.mark.parametrize(("extension", "queue"), [("1003", "6400"), ("1001", "6499")])
async def test_what_the_pbx_does_not_have_is_refused_and_looked_up_at_most_every_minute(
    pbx: YeastarPbx, connector: YeastarConnector, clock: TestClock, extension: str, queue: str
) -> None:
    order = an_order(queue=queue)
    for _ in range(3):
        assert isinstance(await connector.switch_agent("acme", extension, order), Refused)
    assert len(pbx.of("extension/list")) == 1
    pbx.add_extension("1003")
    pbx.add_queue("6499")
    clock.pass_seconds(60)
    assert await connector.switch_agent("acme", extension, order) == Done()


async def test_an_extension_on_a_later_page_is_found(pbx: YeastarPbx, connector: YeastarConnector) -> None:
    for number in range(2000, 2000 + 2 * PAGE_SIZE):
        pbx.add_extension(str(number))
    assert await connector.switch_agent("acme", "2199", an_order()) == Done()


@pytest.mark.parametrize("kind", ["http500", "garbage", "not_an_object", "huge", "hang_up", "redirect"])
async def test_trouble_is_told_and_passes(pbx: YeastarPbx, connector: YeastarConnector, kind: str) -> None:
    pbx.fail(kind, only="agent/pause", times=2)  # aiohttp repeats a GET whose connection was cut
    outcome = await connector.switch_agent("acme", "1001", an_order())
    assert isinstance(outcome, Trouble)
    assert (connector.health().last_error, connector.health().last_success_at) == (outcome.reason, None)
    pbx.faults.clear()
    assert await connector.switch_agent("acme", "1001", an_order()) == Done()
    assert connector.health().last_success_at is not None


async def test_a_pbx_that_hangs_is_left_after_the_time_of_a_request(pbx: YeastarPbx, clock: TestClock) -> None:
    pbx.fail("hang", only="agent/pause")
    async with opened(pbx.url, clock, seconds=0.3) as connector:
        assert await connector.switch_agent("acme", "1001", an_order()) == Trouble("no answer in time")


async def test_an_errcode_is_a_refusal(pbx: YeastarPbx, connector: YeastarConnector) -> None:
    pbx.fail("errcode", only="agent/pause", code=50001)
    assert await connector.switch_agent("acme", "1001", an_order()) == Refused("errcode 50001")
    with pytest.raises(PbxRefuses):
        await connector.client.get("agent/pause", ext_id=1)


async def test_nothing_listens_and_nothing_secret_is_said(
    pbx: YeastarPbx, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(pbx.url, clock) as connector:
        await connector.switch_agent("acme", "1001", an_order())
        (token,) = pbx.tokens
        for kind in ("garbage", "http500", "hang_up"):
            pbx.fail(kind, only="agent/pause", times=2)
            outcome = await connector.switch_agent("acme", "1001", an_order())
            pbx.faults.clear()
            assert isinstance(outcome, Trouble)
            assert token not in outcome.reason
        pbx.fail("hang_up", only="agent/pause", times=2)
        with pytest.raises(NoAnswer) as raised:
            await connector.client.get("agent/pause")
    assert raised.value.__cause__ is None
    assert token not in caplog.text
    assert CLIENT_SECRET not in caplog.text + repr(vars(connector.client))
    async with opened("http://127.0.0.1:1", clock) as connector:
        assert await connector.switch_agent("acme", "1001", an_order()) == Trouble("cannot be reached")


async def test_a_private_address_is_not_asked_unless_allowed(pbx: YeastarPbx, clock: TestClock) -> None:
    async with opened(pbx.url, clock, host="192.0.2.1") as connector:
        assert isinstance(await connector.switch_agent("acme", "1001", an_order()), Trouble)
    assert not pbx.asked
    assert pbx.logins == 0
