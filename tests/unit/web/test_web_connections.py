"""Connections: slow ones end, many of them keep nobody out, and a broken request tells nothing."""

import asyncio
import time

import pytest

from gateway.web.connections import file_limit
from tests.support.web import Web
from tests.support.web_door import House, open_house
from tests.support.web_settings import ALL_KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = "POST /v1/tenants/acme/events HTTP/1.1\r\nHost: x\r\n"
PROVEN = f"{HEAD}Authorization: Bearer {ALL_KEY}\r\n"


async def test_a_head_that_dribbles_is_given_up_and_others_are_served_meanwhile(web: Web) -> None:
    async with open_house(web.services, read_timeout_seconds=0.5) as house:
        client, began = await house.visit(), time.monotonic()
        ended = asyncio.create_task(client.closed())

        async def dribble() -> None:
            for letter in HEAD + "X-Padding: " + "a" * 10_000:
                if not ended.done():
                    client.say(letter)
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        while not ended.done():
            assert await house.ask() == 200
            await asyncio.sleep(0.05)
        dribbling.cancel()

        assert await ended == b""
        assert 0.4 < time.monotonic() - began < 4


async def test_a_body_that_dribbles_is_given_up_with_400(web: Web) -> None:
    async with open_house(web.services, read_timeout_seconds=0.5) as house:
        client = await house.visit()
        client.say(PROVEN + "Content-Type: application/cloudevents+json\r\nContent-Length: 1000\r\n\r\n{")

        heard = await client.hear()

        assert (heard.status, heard.body["type"]) == (400, "urn:pbx-push-gateway:problem:malformed-input")
        assert "0.5 seconds" in heard.body["detail"]
        assert await client.closed() == b""


async def test_a_body_that_nobody_wants_is_not_read_for_ever(web: Web) -> None:
    async with open_house(web.services, read_timeout_seconds=0.5) as house:
        client = await house.visit()
        client.say("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

        assert (await client.hear()).status == 200
        assert await client.closed() == b""


async def test_a_connection_may_be_used_again_until_it_has_been_idle_too_long(web: Web) -> None:
    async with open_house(web.services, read_timeout_seconds=30.0, idle_timeout_seconds=1.0) as house:
        client = await house.visit()
        for _ in range(3):
            client.say("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.hear()).status == 200
            await asyncio.sleep(0.4)

        began = time.monotonic()
        assert await client.closed() == b""
        assert time.monotonic() - began < 4


async def test_a_connection_that_says_nothing_ends(web: Web) -> None:
    async with open_house(web.services, read_timeout_seconds=0.3) as house:
        client = await house.visit()

        assert await client.closed() == b""


async def test_a_client_that_does_not_read_its_answers_ends(web: Web) -> None:
    async with open_house(web.services, idle_timeout_seconds=1.0) as house:
        client = await house.visit()
        transport = client.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        client.say("GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        await asyncio.sleep(2)
        transport.resume_reading()

        heard = await client.closed()
        assert 0 < heard.count(b"HTTP/1.1 200") < 100


async def test_the_connection_that_is_idle_longest_makes_room_for_a_new_one(web: Web) -> None:
    async with open_house(web.services, max_connections=3) as house:
        first, second, third = [await house.visit() for _ in range(3)]
        for client in (second, third, first):
            client.say("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.hear()

        assert await house.ask() == 200

        assert await second.closed() == b""
        for client in (first, third):
            client.say("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await client.hear()).status == 200


async def test_a_connection_at_work_is_not_closed_for_a_new_one(web: Web) -> None:
    async with open_house(web.services, max_connections=2) as house:
        working = await house.visit()
        body = b"[]"
        working.say(PROVEN + f"Content-Type: application/cloudevents-batch+json\r\nContent-Length: {len(body)}\r\n\r\n")
        await asyncio.sleep(0.1)
        for _ in range(5):
            assert await house.ask() == 200

        working.say(body)
        assert (await working.hear()).status == 200


async def test_thousands_of_idle_connections_keep_nobody_out(web: Web) -> None:
    async with open_house(web.services, max_connections=2500) as house:
        await crowd(house, 2000)
        began = time.monotonic()
        assert [await house.ask() for _ in range(20)] == [200] * 20
        assert time.monotonic() - began < 5

        await crowd(house, 1000)
        assert await house.ask() == 200


async def crowd(house: House, count: int) -> None:
    """So many that connect and say half a word."""
    for _ in range(count // 100):
        for client in await asyncio.gather(*(house.visit() for _ in range(100))):
            client.say("GET /li")


@pytest.mark.parametrize(
    "request_text",
    [
        f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {'canary' * 3000}\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\ncanary in a header without colon\r\n\r\n",
        "canary is no HTTP\r\n\r\n",
        f"GET /{'canary' * 3000} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\n" + "X-Canary: y\r\n" * 500 + "\r\n",
        "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n\r\n",
        "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\ncanary",
        "GET /livez HTTP/1.1\r\nHost: x\r\nX-Name: canary\x00\r\n\r\n",
    ],
    ids=["header", "no colon", "no HTTP", "path", "headers", "length", "two lengths", "NUL"],
)
async def test_what_is_no_request_is_refused_without_repeating_it(
    web: Web, request_text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_house(web.services) as house:
        client = await house.visit()
        client.say(request_text)
        heard = await client.hear()

    assert (heard.status, heard.headers["content-type"]) == (400, "application/problem+json")
    assert len(heard.headers["x-request-id"]) == 32
    assert heard.body["status"] == 400
    out, err = capfd.readouterr()
    assert "canary" not in f"{heard}{out}{err}".lower()


async def test_as_many_files_are_asked_for_as_connections_need() -> None:
    assert file_limit(100) == 100
    assert 1 <= file_limit(10**9) < 10**9
