"""How a connector reaches what its URL names: the rules for such URLs are the gateway's, and are handed in."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

SECONDS = 10.0
"""For one request, from connecting to the last byte of the answer."""


class Ways(Protocol):
    """Where a tenant's configuration may send the gateway (`server.allow_private_urls`)."""

    def require(self, url: str) -> None:
        """Raises aiohttp's ClientError for a URL that may not be asked."""

    def session(self) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        """A client that connects to allowed addresses only, without proxies and cookies."""


class NoAnswer(Exception):
    """Nothing usable came back. The message names no URL: it may hold a token."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Wire:
    """Requests of one connector: no redirects, bounded in time and size."""

    ways: Ways
    session: aiohttp.ClientSession
    most_bytes: int
    seconds: float = SECONDS

    async def ask(self, method: str, url: str, **options: Any) -> HttpAnswer:
        """One request. Raises `NoAnswer`; what the peer did with the request is not known then."""
        timeout = aiohttp.ClientTimeout(total=self.seconds)
        try:
            self.ways.require(url)
            async with self.session.request(method, url, timeout=timeout, allow_redirects=False, **options) as response:
                return HttpAnswer(response.status, response.headers, await self._read(response))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # The chain is cut: aiohttp's errors show the URL.
            raise NoAnswer(_why(error)) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > self.most_bytes:
                raise ValueError("the answer is too large")
        return bytes(body)


def _why(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientSSLError():
            return "the certificate cannot be verified"
        case aiohttp.ClientConnectorError():
            return "cannot be reached"
        case ValueError():
            return str(error) if error.args == ("the answer is too large",) else "no usable answer"
    return f"no usable answer ({type(error).__name__})"
