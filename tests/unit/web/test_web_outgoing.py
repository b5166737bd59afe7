"""Where a tenant's configuration may send the gateway, and where not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import BaseTestServer, TestServer

from gateway.settings import ServerSettings
from gateway.web.outgoing import NotAllowedThere, Outgoing, judge

PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "239.1.1.1",
    "192.0.2.1",
    "240.0.0.1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("loopback", [False, True])
def test_no_url_leads_into_a_private_network(address: str, loopback: bool) -> None:
    assert not judge(ip_address(address), allowed=(), loopback=loopback)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_asked_only_by_a_gateway_that_serves_this_machine(address: str) -> None:
    assert judge(ip_address(address), allowed=(), loopback=True)
    assert not judge(ip_address(address), allowed=(), loopback=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(address: str) -> None:
    assert judge(ip_address(address), allowed=(), loopback=False)


def test_networks_that_are_named_are_open_too_and_no_others() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    for address, good in {"10.1.2.3": True, "10.2.0.1": False, "fd00::1": True, "::ffff:10.1.2.3": True}.items():
        assert judge(ip_address(address), allowed=allowed, loopback=False) is good, address


def outgoing(host: str = "0.0.0.0", *allowed: str) -> Outgoing:
    return Outgoing(ServerSettings.model_validate({"host": host, "allow_private_urls": allowed}))


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/jwks",
        "https://10.0.0.1/jwks",
        "https://[::1]/jwks",
        "https://[fe80::1%25eth0]/jwks",
        "https://127.0.0.1/jwks",
        "http://127.0.0.1/jwks",
        "ftp://id.example.com/jwks",
        "file:///etc/passwd",
        "gopher://id.example.com",
    ],
)
def test_a_url_is_judged_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(NotAllowedThere):
        outgoing().require(url)


@pytest.mark.parametrize("url", ["https://id.example.com/jwks", "https://1.1.1.1/jwks", "https://id.example.com:8443"])
def test_https_to_a_name_or_a_public_address_is_taken(url: str) -> None:
    outgoing().require(url)


@asynccontextmanager
async def server() -> AsyncIterator[tuple[BaseTestServer, list[str]]]:
    """A server on loopback, and what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        match request.path:
            case "/redirect":
                raise web.HTTPFound("/good")
            case "/large":
                return web.Response(body=b"x" * 10_000)
            case "/cookie":
                assert not request.cookies
                response = web.Response(body=b"{}")
                response.set_cookie("a", "b")
                return response
        return web.Response(body=b"{}")

    app = web.Application()
    app.router.add_get("/{path}", answer)
    async with TestServer(app, host="127.0.0.1") as started:
        yield started, asked


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f000001", "2130706433", "0177.0.0.1"])
async def test_a_name_for_a_private_address_is_not_connected_to(host: str) -> None:
    async with server() as (started, asked):
        guard = outgoing()
        async with guard.session() as session:
            with pytest.raises((ClientError, OSError)):
                await guard.fetch(session, f"https://{host}:{started.port}/good", most_bytes=100, seconds=2)
            if host != "127.0.0.1":
                with pytest.raises((ClientError, OSError)):
                    await session.get(f"http://{host}:{started.port}/good")
    assert asked == []


async def test_a_named_network_is_connected_to() -> None:
    async with server() as (started, _):
        for guard in (outgoing("0.0.0.0", "127.0.0.0/8"), outgoing("127.0.0.1")):
            async with guard.session() as session:
                body = await guard.fetch(session, f"http://127.0.0.1:{started.port}/good", most_bytes=100, seconds=2)
            assert body == b"{}"


async def test_no_redirect_is_followed_no_cookie_kept_and_no_large_answer_read() -> None:
    async with server() as (started, asked):
        guard = outgoing("127.0.0.1")
        async with guard.session() as session:
            for path in ("redirect", "large"):
                with pytest.raises(ValueError, match=r"status 302|too large"):
                    await guard.fetch(session, f"http://127.0.0.1:{started.port}/{path}", most_bytes=999, seconds=2)
            for _ in range(2):
                await guard.fetch(session, f"http://127.0.0.1:{started.port}/cookie", most_bytes=100, seconds=2)
    assert asked == ["/redirect", "/large", "/cookie", "/cookie"]
