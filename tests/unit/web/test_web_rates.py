"""How often a caller may ask, and how often it may be wrong."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.domain.event import Millis
from gateway.web.rates import Buckets
from tests.support.web import Web, event, new_extension, serving, user_token, webhook_headers
from tests.support.web_settings import ADMIN_KEY, ALL_KEY, OTHER_KEY, SCOPE_KEYS

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now: Millis = 1_800_000_000_000

    def __call__(self) -> Millis:
        return self.now


async def test_a_bucket_holds_a_burst_and_is_refilled() -> None:
    time = Time()
    bucket = Buckets(2, 3, clock=time)

    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    time.now += 499
    assert bucket.take("a") > 0
    time.now += 1
    assert [bucket.take("a"), bucket.take("a")] == [0, 0.5]
    assert bucket.take("b") == 0
    time.now += 3_600_000
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


async def test_a_clock_that_steps_back_locks_nobody_out() -> None:
    time = Time()
    bucket = Buckets(1, 1, clock=time)
    assert bucket.take("a") == 0
    time.now -= 3_600_000
    assert bucket.take("a") == 1
    time.now += 1_000
    assert bucket.take("a") > 0
    time.now += 3_600_000
    assert bucket.take("a") == 0


async def test_no_rate_is_no_limit() -> None:
    bucket = Buckets(0, 1, clock=Time())
    assert [bucket.take("a") for _ in range(100)] == [0] * 100
    assert len(bucket) == 0


async def test_what_is_remembered_is_bounded_and_the_latest_are_kept() -> None:
    bucket = Buckets(0.001, 1, clock=Time(), most=10)
    for number in range(1000):
        bucket.take(number)
    assert len(bucket) == 10
    assert [number for number in range(1000) if bucket.wait(number)] == list(range(990, 1000))


@asynccontextmanager
async def limited(web: Web, **limits: float) -> AsyncIterator[Web]:
    """The application with these limits."""
    server = web.services.settings.server.model_copy(update=limits)
    settings = web.services.settings.model_copy(update={"server": server})
    async with serving(replace(web.services, settings=settings), web.senders, web.clock) as opened:
        yield opened


async def test_a_key_that_asks_too_often_is_told_when_to_come_back(web: Web) -> None:
    async with limited(web, rate_limit_per_second=0.2, rate_limit_burst=3) as opened:
        replies = [await opened.ask("GET", "/v1/tenants/acme/events") for _ in range(4)]

        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert replies[3].body["type"] == "urn:pbx-push-gateway:problem:too-many-requests"
        assert 4 <= int(replies[3].headers["Retry-After"]) <= 5
        assert (await opened.ask("GET", "/v1/tenants/acme/events", key=SCOPE_KEYS["read"])).status == 200
        assert (await opened.ask("GET", "/v1/tenants/globex/events", key=OTHER_KEY)).status == 200
        assert (await opened.ask("GET", "/v1/tenants/acme/events", key=ADMIN_KEY)).status == 200
        assert (await opened.ask("GET", "/livez", key=None)).status == 200


async def test_a_source_has_a_limit_of_its_own_and_what_is_refused_is_not_stored(web: Web) -> None:
    async with limited(web, rate_limit_per_second=0.001, rate_limit_burst=2) as opened:
        extension = new_extension()
        statuses = []
        for _ in range(3):
            body = json.dumps(event("call.missed", extension)).encode()
            reply = await opened.ask("POST", "/hooks/crm", raw=body, key=None, headers=webhook_headers(body))
            statuses.append(reply.status)
        history = await opened.ask("GET", f"/v1/tenants/acme/events?extension={extension}")

    assert statuses == [200, 200, 429]
    assert len(history.body["items"]) == 2


async def test_users_of_an_app_are_limited_each_for_himself(web: Web) -> None:
    one, other = new_extension(), new_extension()
    async with limited(web, user_rate_limit_per_second=0.001, user_rate_limit_burst=2) as opened:
        statuses = []
        for number, who in enumerate((one, one, one, other)):
            token = user_token(who, jti=str(number))
            statuses.append((await opened.ask("GET", f"/v1/tenants/acme/extensions/{who}/inbox", key=token)).status)
        by_key = await opened.ask("GET", f"/v1/tenants/acme/extensions/{one}/inbox")

    assert statuses == [200, 200, 429, 200]
    assert by_key.status == 200


async def test_an_address_that_guesses_is_not_listened_to_until_it_has_waited(web: Web) -> None:
    async with limited(web, failed_proof_limit_per_second=0.1, failed_proof_limit_burst=3) as opened:

        async def ask(address: str, key: str = "wrong-key-of-nobody", path: str = "/v1/tenants/acme/events") -> int:
            return (await opened.ask("GET", path, key=key, headers={"X-Forwarded-For": address})).status

        assert [await ask("8.8.8.8") for _ in range(4)] == [401, 401, 401, 429]
        assert await ask("8.8.8.8", ALL_KEY) == 429
        assert await ask("8.8.8.8", path="/livez") == 200
        assert await ask("8.8.4.4") == 401
        assert await ask("8.8.4.4", ALL_KEY) == 200

        opened.clock.offset += 10_500
        assert await ask("8.8.8.8", ALL_KEY) == 200
        assert await ask("8.8.8.8") == 401
        assert await ask("8.8.8.8") == 429
        opened.clock.offset -= 10_500


async def test_the_neighbours_in_an_ipv6_network_are_one_caller(web: Web) -> None:
    async with limited(web, failed_proof_limit_per_second=0.1, failed_proof_limit_burst=2) as opened:
        statuses = [
            (await opened.ask("GET", "/metrics", key="x", headers={"X-Forwarded-For": f"2606:4700::{number}"})).status
            for number in range(1, 4)
        ]

    assert statuses == [401, 401, 429]


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.7.7", "fd00::1", "no address"])
async def test_an_address_that_may_be_a_proxy_is_never_locked_out(web: Web, address: str) -> None:
    async with limited(web, failed_proof_limit_per_second=0.1, failed_proof_limit_burst=1) as opened:
        headers = {"X-Forwarded-For": address}
        for _ in range(3):
            assert (await opened.ask("GET", "/v1/tenants/acme/events", key="x", headers=headers)).status == 401
        assert (await opened.ask("GET", "/v1/tenants/acme/events", headers=headers)).status == 200
