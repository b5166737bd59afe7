"""Where the gateway lets itself be sent: every URL that a tenant's configuration names is asked through here.

A URL could name what only this machine reaches: a cloud's metadata service, the store, a neighbour in the private
network (server-side request forgery). So the addresses that a name resolves to are judged, and the connection goes to
the very addresses that were judged: no second answer of a name server comes in between. No redirect, no proxy of the
environment, no cookie, an answer of bounded size in bounded time.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from gateway.settings import ServerSettings, is_loopback

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]

CONNECTIONS = 8
"""At once, all tenants together."""

_NAT64 = IPv6Network("64:ff9b::/96")


class NotAllowedThere(aiohttp.ClientError):
    """The URL leads to where a tenant's configuration may not send the gateway."""


def judge(address: Address, *, allowed: Networks, loopback: bool) -> bool:
    """Whether a tenant's URL may lead to `address`: a public one, one of `allowed`, or, if `loopback`, this machine.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, Teredo, NAT64) is judged as both.
    """
    if any(address.version == network.version and address in network for network in allowed):
        return True
    inner = _inner(address)
    if inner is not None:
        return judge(inner, allowed=allowed, loopback=loopback)
    if address.is_loopback:
        return loopback
    return address.is_global and not address.is_multicast


def _inner(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


class Outgoing:
    """The rules of `[server]` for URLs of tenants.

    While the server itself serves this machine only (development, tests), such a URL may name loopback too.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._allowed = settings.allow_private_urls
        self._loopback = settings.serves_this_machine

    def may_ask(self, address: str) -> bool:
        """Whether a connection may go to that address."""
        try:
            return judge(ip_address(address.partition("%")[0]), allowed=self._allowed, loopback=self._loopback)
        except ValueError:
            return False

    def require(self, url: str) -> None:
        """Raises `NotAllowedThere` for a URL that names an address, or a scheme, it may not; names are judged when they
        are resolved."""
        parsed = urlsplit(url)
        host = parsed.hostname or ""
        if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(host)):
            raise NotAllowedThere("only https")
        if _is_address(host) and not self.may_ask(host):
            raise NotAllowedThere("a private address: server.allow_private_urls does not name it")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that resolves names to allowed addresses only."""
        connector = aiohttp.TCPConnector(resolver=_Resolver(self), use_dns_cache=False, limit=CONNECTIONS)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session:
            yield session

    async def fetch(self, session: aiohttp.ClientSession, url: str, *, most_bytes: int, seconds: float) -> bytes:
        """The body behind `url`, which has to answer 200.

        Raises `NotAllowedThere`, ValueError for another status or too large a body, ClientError, TimeoutError.
        """
        self.require(url)
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with session.get(url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > most_bytes:
                    raise ValueError("too large")
        return bytes(body)


class _Resolver(AbstractResolver):
    """The system's names, without the addresses that may not be asked."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._system = ThreadedResolver(loop=asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        if not all(self._outgoing.may_ask(one["host"]) for one in found):
            raise NotAllowedThere("a private address: server.allow_private_urls does not name it")
        return found

    async def close(self) -> None:
        await self._system.close()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
