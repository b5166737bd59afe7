"""The public keys of an identity provider (JWKS, RFC 7517): fetched beside the requests, cached, refreshed on need."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from gateway.domain.errors import MalformedInput
from gateway.domain.event import Clock, Millis
from gateway.ingress import strict_json
from gateway.web.outgoing import Outgoing

Algorithm: TypeAlias = Literal["HS256", "RS256", "ES256"]

REFRESH_SECONDS = 900
"""How old the keys become while every token's key is known, so that a withdrawn key does not live on."""
ASK_AGAIN_MILLIS = 30_000
"""Tokens with unknown key ids cause at most one fetch in this time."""
FETCH_SECONDS = 5.0
WAIT_SECONDS = 3.0
"""How long a request waits for a fetch that its unknown key id caused."""
MAX_BYTES = 262_144
MIN_RSA_BITS = 2048

log = structlog.get_logger(__name__)

_PUBLIC_PARTS = {"RS256": ("RSA", ("n", "e")), "ES256": ("EC", ("crv", "x", "y"))}


class JwksKeys:
    """Keys of one JWKS URL. Trouble with the URL never takes away keys that were good: the last good set is kept."""

    def __init__(self, url: str, algorithm: Algorithm, *, outgoing: Outgoing, clock: Clock) -> None:
        self._url = url
        self._outgoing = outgoing
        self._algorithm: Algorithm = algorithm
        self._clock = clock
        self._keys: tuple[PyJWK, ...] = ()
        self._asked_at: Millis = 0
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        """Set while no fetch is under way or wanted."""

    @property
    def known(self) -> bool:
        """Whether there is any key to check tokens with."""
        return bool(self._keys)

    async def find(self, kid: str | None) -> tuple[PyJWK, ...]:
        """The keys of that id, all keys for a token that names none; () when nobody knows it."""
        found = self._of(kid)
        if found:
            return found
        if self._settled.is_set():
            if self._clock() - self._asked_at < ASK_AGAIN_MILLIS:
                return ()
            self._settled.clear()
            self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                await self._settled.wait()
        return self._of(kid)

    async def keep_fresh(self, session: aiohttp.ClientSession) -> None:
        """Fetches at once, every 15 minutes, and when a token's key is not known. Runs until cancelled."""
        while True:
            self._wanted.clear()
            self._asked_at = self._clock()
            fetched = await self.fetch(session)
            self._settled.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS if fetched else ASK_AGAIN_MILLIS / 1000):
                    await self._wanted.wait()

    async def fetch(self, session: aiohttp.ClientSession) -> bool:
        """Take the keys that the URL has now. False: it has none that can be used; the old ones stay."""
        try:
            body = await self._outgoing.fetch(session, self._url, most_bytes=MAX_BYTES, seconds=FETCH_SECONDS)
            keys = tuple(usable_keys(strict_json.loads(body), self._algorithm))
        except (aiohttp.ClientError, MalformedInput, TimeoutError, ValueError, OSError) as error:
            log.warning("JWKS could not be fetched, keeping the last good keys", error=type(error).__name__)
            return False
        if not keys:
            log.warning("JWKS holds no usable key, keeping the last good keys", algorithm=self._algorithm)
            return False
        self._keys = keys
        return True

    def _of(self, kid: str | None) -> tuple[PyJWK, ...]:
        return self._keys if kid is None else tuple(key for key in self._keys if key.key_id == kid)


def usable_keys(document: Any, algorithm: Algorithm) -> Iterator[PyJWK]:
    """The signing keys of a JWKS document that fit the algorithm; others are skipped, as RFC 7517 5 asks."""
    items = document.get("keys") if isinstance(document, dict) else None
    for item in items if isinstance(items, list) else ():
        key = _usable(item, algorithm) if isinstance(item, dict) else None
        if key is not None:
            yield key


def _usable(item: dict[str, Any], algorithm: Algorithm) -> PyJWK | None:
    key_type, parts = _PUBLIC_PARTS[algorithm]
    if item.get("kty") != key_type or item.get("use", "sig") != "sig" or item.get("alg", algorithm) != algorithm:
        return None
    if key_type == "EC" and item.get("crv") != "P-256":
        return None
    public = {name: item[name] for name in ("kty", "kid", *parts) if name in item}
    try:
        key = PyJWK(public, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
        return None
    return key
