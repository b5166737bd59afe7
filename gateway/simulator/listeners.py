"""TLS listeners: which protocol a new connection speaks, and what is open."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web

from gateway.simulator import frames
from gateway.simulator.connection_faults import act
from gateway.simulator.exchange import Session
from gateway.simulator.faults import What
from gateway.simulator.http1_server import Http1Handler
from gateway.simulator.http2_server import Http2Connection, Surroundings


@dataclass(slots=True, kw_only=True)
class Listener:
    """One TLS port. `open_session` gets the client certificate's bundle id, if one was shown."""

    name: str
    provider: str
    environment: str
    around: Surroundings
    open_session: Callable[[str | None], Session]
    http1: bool = False
    """Speaks HTTP/1.1 too."""
    port: int = 0
    connections: set["FrontDoor"] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self, host: str, port: int, context: ssl.SSLContext) -> None:
        """Bind; `port` holds the port afterwards. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: FrontDoor(self), host, port, ssl=context, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for door in list(self.connections):
            door.abort()

    def act(self, what: What) -> None:
        """Play a fault on every open HTTP/2 connection, now."""
        for door in list(self.connections):
            if door.http2 is not None:
                act(door.http2, what, None)
                door.http2.output.flush()
                door.http2.close_if_done()


class FrontDoor(asyncio.Protocol):
    """Finds out whether a client speaks HTTP/2 (by ALPN, or by its first bytes) and passes its bytes on."""

    def __init__(self, listener: Listener) -> None:
        self.http2: Http2Connection | None = None
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._inner: asyncio.Protocol | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._transport = stream
        self._listener.connections.add(self)
        counts = self._listener.around.counts
        counts.opened[self._listener.name] += 1
        counts.open_now[self._listener.name] += 1
        tls = transport.get_extra_info("ssl_object")
        protocol = tls.selected_alpn_protocol() if tls is not None else None
        if protocol == "h2":
            self._speak_http2(stream)
        elif protocol == "http/1.1":
            self._speak_http1(stream)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
        elif self._transport is not None:
            self._listen(self._transport, self._early + data)

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        self._listener.around.counts.open_now[self._listener.name] -= 1
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _listen(self, transport: asyncio.Transport, data: bytes) -> None:
        """Without ALPN the first bytes tell."""
        self._early = data
        if len(data) < 4:
            return
        if frames.PREFACE.startswith(data[: len(frames.PREFACE)]):
            self._speak_http2(transport)
        else:
            self._speak_http1(transport)
        if self._inner is not None:
            self._inner.data_received(data)

    def _speak_http2(self, transport: asyncio.Transport) -> None:
        session = self._listener.open_session(_bundle_id(transport.get_extra_info("peercert")))
        self._inner = self.http2 = Http2Connection(transport, session, self._listener.around)

    def _speak_http1(self, transport: asyncio.Transport) -> None:
        if not self._listener.http1:
            self._listener.around.counts.violations["http1"] += 1
            transport.close()
            return
        handler = Http1Handler(self._listener.open_session(None), self._listener.around.faults)
        self._inner = web.Server(handler, access_log=None)()
        self._inner.connection_made(transport)


def _bundle_id(certificate: dict[str, Any] | None) -> str | None:
    """The UID of a client certificate's subject."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name in {"userId", "UID"}:
                return str(value)
    return None
