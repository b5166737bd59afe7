"""The one HTTP/2 wire, for Apple and for Google: pyreqwest (Rust: reqwest, hyper, h2, rustls).

Why this client, what was measured, and what each guard below guards against: docs/adr/0002-the-http2-wire.md.
To replace it: this file, `wire_client.py` and `wire_errors.py`.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import cycle
from typing import Final, TypeAlias

import structlog
from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from gateway.domain.outcome import NotSent, Unknown
from gateway.providers.gate import Gate, Held, Leaving
from gateway.providers.wire_client import WireSettings, build_client
from gateway.providers.wire_errors import OF_CONNECTING, OF_THE_CONNECTION, Trouble, classify

MAX_BODY_BYTES: Final = 16_384
"""More of an answer's body is not read."""
GRACE_SECONDS: Final = 0.1
"""Between closing the clients and the end of the loop: without it the interpreter may abort on exit."""

ANSWER_AFTER_SECONDS: Final = 0.25
"""How long after its deadline the answer to a push is still awaited."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The provider answered."""

    status: int
    headers: Mapping[str, str]
    """Those of `keep_headers` that came, by lower-case name."""
    body: bytes
    """At most `MAX_BODY_BYTES`; empty when it broke off."""
    client: Client | None = field(default=None, repr=False, compare=False)
    """Whose connection it came over."""


Exchange: TypeAlias = Answered | NotSent | Unknown
"""What came of a request. The `reason` of NotSent and Unknown is a `Trouble`."""


_ONCE_MORE: Final = frozenset({Trouble.GOAWAY, Trouble.HELD_BACK})
"""Not processed, and worth another try: when a provider ends a connection politely, the client opens the next one
past the gate, and a provider that has not seen our token on it may end that one for its many streams."""


@dataclass(frozen=True, slots=True)
class _Posting:
    url: str
    headers: Mapping[str, str]
    body: bytes
    unindexed: Mapping[str, str]
    seconds_left: Callable[[], float]

    def patience(self, settings: WireSettings) -> float:
        """Seconds that the request may take: what waits longer inside the client, behind the provider's stream limit or
        its window, would be sent after its deadline. An answer may come a little later than that."""
        return min(settings.request_seconds, self.seconds_left() + ANSWER_AFTER_SECONDS)


class Wire:
    """Connections to one provider with one identity."""

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings
        self._lines = [_Line(settings) for _ in range(settings.connections)]
        self._turns = cycle(self._lines)

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        unindexed: Mapping[str, str] | None = None,
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> Exchange:
        """Send one request and wait for its end. Never raises for trouble of network or provider.

        `unindexed`: more headers, which differ with every request and are kept out of the peer's small HPACK table.
        `seconds_left`: how long it may still be sent, asked after each wait at the gate.
        Cancelling the caller does not call the request back: it may still be processed.
        """
        posting = _Posting(url, headers, body, unindexed or {}, seconds_left)
        exchange = await self._line().post(posting)
        if isinstance(exchange, NotSent) and exchange.reason in _ONCE_MORE:
            return await self._line().post(posting)
        return exchange

    def _line(self) -> "_Line":
        """By turns, but not one that waits for its first answer while there is another."""
        taken = next(self._turns)
        if not taken.makes_wait:
            return taken
        return next((line for line in self._lines if not line.makes_wait), taken)

    def renew(self, answered: "Answered") -> None:
        """Replace the connection of this answer, if that has not happened yet. What is in flight on it ends there."""
        for line in self._lines:
            if line.client is answered.client:
                line.renew("answer")

    @property
    def capacity(self) -> int:
        """How many requests may be in flight."""
        return self._settings.connections * self._settings.streams

    async def close(self) -> None:
        """Drop the connections. Requests in flight come back as unknown; wait for them before."""
        for line in self._lines:
            await line.close()


@asynccontextmanager
async def open_wire(settings: WireSettings) -> AsyncIterator[Wire]:
    """A wire, closed at the end. Opens no connection before the first request; call it after forking, and give the loop
    `GRACE_SECONDS` after the last one is closed.

    Raises ValueError when the certificates cannot be used.
    """
    wire = Wire(settings)
    try:
        yield wire
    finally:
        await wire.close()


class _Line:
    """One client, that is one connection at a time, with its gate and its record of timeouts."""

    def __init__(self, settings: WireSettings) -> None:
        self._settings = settings
        self.client = build_client(settings)
        self._gate = Gate(
            hold_seconds=settings.hold_seconds,
            patience_seconds=settings.canary_patience_seconds,
            silence_seconds=settings.silence_seconds,
        )
        self._timeouts = 0
        self._first_timeout = 0.0

    @property
    def makes_wait(self) -> bool:
        return self._gate.makes_wait

    async def post(self, posting: _Posting) -> Exchange:
        given = await self._gate.enter()
        if isinstance(given, Held):
            return NotSent(reason=given.trouble.value)
        client = self.client
        how, trouble = Leaving.UNDECIDED, Trouble.HELD_BACK
        if posting.seconds_left() <= 0:
            self._gate.leave(given, how)
            return NotSent(reason=Trouble.TOO_LATE.value)
        try:
            exchange = await _exchange(client, posting, self._settings)
            how, trouble = self._leaving(exchange)
        finally:
            self._gate.leave(given, how, trouble)
        if client is self.client:
            self._judge(exchange)
        return exchange

    def renew(self, why: str) -> None:
        """The old client is not closed but dropped: its connection ends with its last request."""
        _log.info("connection_replaced", why=why)
        self.client = build_client(self._settings)
        self._timeouts = 0
        self._gate.renew()

    async def close(self) -> None:
        await self.client.close()

    def _leaving(self, exchange: Exchange) -> tuple[Leaving, Trouble]:
        if isinstance(exchange, Answered):
            opened = self._settings.opens(exchange.status)
            return Leaving.ANSWERED if opened else Leaving.NOT_OPENED, Trouble.HELD_BACK
        trouble = Trouble(exchange.reason)
        if trouble in OF_CONNECTING:
            return Leaving.NO_CONNECTION, trouble
        return Leaving.CONNECTION_FAILED if trouble in OF_THE_CONNECTION else Leaving.UNDECIDED, trouble

    def _judge(self, exchange: Exchange) -> None:
        match exchange:
            case Answered():
                self._timeouts = 0
            case Unknown(reason=Trouble.TIMEOUT):
                self._timed_out()
            case _:
                pass

    def _timed_out(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._timeouts == 0:
            self._first_timeout = now
        self._timeouts += 1
        long = self._timeouts >= 3 and now - self._first_timeout >= self._settings.replace_after_seconds
        if long or self._timeouts >= self._settings.replace_after_timeouts:
            self.renew("timeouts")


async def _exchange(client: Client, posting: _Posting, settings: WireSettings) -> Exchange:
    patience, keep = posting.patience(settings), settings.keep_headers
    try:
        request = _request(client, posting, patience)
    except ValueError:
        return NotSent(reason=Trouble.UNSENDABLE.value)
    status: int | None = None
    kept: dict[str, str] = {}
    try:
        async with request as response:
            status = response.status
            kept = {name: value for name in keep if (value := response.get_header(name)) is not None}
            return Answered(status=status, headers=kept, body=await _body(response), client=client)
    except PyreqwestError as error:
        if status is not None:  # the answer is known, only its body broke off
            return Answered(status=status, headers=kept, body=b"", client=client)
        return _not_in_time(classify(error)) if patience < settings.request_seconds else classify(error)


def _not_in_time(exchange: NotSent | Unknown) -> NotSent | Unknown:
    """Our own haste says nothing about the provider."""
    hasty = exchange.reason in (Trouble.TIMEOUT, Trouble.CONNECT_TIMEOUT)
    return replace(exchange, reason=Trouble.TOO_LATE.value) if hasty else exchange


def _request(client: Client, posting: _Posting, patience: float) -> StreamRequest:
    builder = client.post(posting.url).headers(posting.headers).timeout(timedelta(seconds=patience))
    for name, value in posting.unindexed.items():
        builder = builder.header(name, value, is_sensitive=True)
    return builder.body_bytes(posting.body).build_streamed()


async def _body(response: Response) -> bytes:
    """Read even when nobody wants it: leaving a body unread resets its stream, and Google counts resets."""
    parts: list[bytes] = []
    missing = MAX_BODY_BYTES
    while missing > 0 and (part := await response.body_reader.read(missing)) is not None:
        parts.append(part.to_bytes())
        missing -= len(part)
    return b"".join(parts)
