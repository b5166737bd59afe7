"""Connections: how many, how long they may take to say what they want, and what a broken request is answered.

aiohttp reads requests and has no limit for how slowly a head may arrive. Here a connection that is not at work has a
time by which it ends: a head in `server.read_timeout_seconds`, the next request in `server.idle_timeout_seconds`. (A
body has its own limit where it is read, in `requests.raw_body`.) Nobody can hold connections for nothing, so that
others cannot be served: over `server.max_connections` the one that has been without a request longest makes room.
"""

import asyncio
import resource
import secrets
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from gateway.settings import ServerSettings
from gateway.web.problems import problem_response, unreadable_response

BACKLOG = 1024
"""Connections that the system keeps until they are taken."""
LINGERING_SECONDS = 10.0
"""How long the rest of a body that nobody wants is read, so that the answer arrives."""
OWN_FILES = 512
"""Open files that are no clients: the store, the providers, the log."""
SWEEP_SECONDS = 0.5
"""How often ends are looked for: a limit is kept to within this."""

log = structlog.get_logger(__name__)


class Connections:
    """The open connections of this process."""

    def __init__(self, settings: ServerSettings, *, most: int | None = None) -> None:
        self._settings = settings
        self._most = settings.max_connections if most is None else most
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Those without a request at work, by when the last one ended or they were opened."""

    def __len__(self) -> int:
        return len(self._open)

    def entered(self, connection: "Connection") -> None:
        """A new one; another one, or this one, is closed when there are too many."""
        self._open.add(connection)
        self.rested(connection, self._settings.read_timeout_seconds)
        if len(self._open) > self._most:
            next(iter(self._idle)).cut("too many connections")

    def left(self, connection: "Connection") -> None:
        """It is closed."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def works(self, connection: "Connection") -> None:
        """It has a request at work: nothing ends it from here."""
        self._idle.pop(connection, None)

    def rested(self, connection: "Connection", seconds: float | None = None) -> None:
        """It waits for a request, for so long; None: as long as one may be idle."""
        if connection in self._open:
            self._idle[connection] = None
            connection.expect(self._settings.idle_timeout_seconds if seconds is None else seconds)

    def hurry(self, connection: "Connection") -> None:
        """The first bytes of a head have come: the rest has to follow."""
        connection.expect(self._settings.read_timeout_seconds)

    async def sweep(self) -> None:
        """Close connections whose time is over, until cancelled."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            at = now()
            for connection in [one for one in self._idle if one.ends_at <= at]:
                connection.cut("too slow" if connection.begun else "idle")


class Door(web.BaseSite):
    """Where connections come in: `web.TCPSite` with limits."""

    __slots__ = ("_connections", "_host", "_options", "_port", "_sweeping")

    def __init__(self, runner: web.AppRunner, settings: ServerSettings) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host, self._port = settings.host, settings.port
        self._connections = Connections(settings, most=file_limit(settings.max_connections))
        self._sweeping: asyncio.Task[None] | None = None
        self._options: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": settings.idle_timeout_seconds,
            "max_line_size": settings.max_header_bytes,
            "max_field_size": settings.max_header_bytes,
            "lingering_time": min(settings.read_timeout_seconds, LINGERING_SECONDS),
        }

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host, self._port, backlog=BACKLOG)
        self._sweeping = loop.create_task(self._connections.sweep(), name="connections")

    async def stop(self) -> None:
        """No new connection from now on; those that are open are the runner's to end."""
        await super().stop()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _connection(self) -> "Connection":
        server = self._runner.server
        if server is None:
            raise RuntimeError("a door is opened after its house was set up")
        return Connection(server, self._connections, loop=asyncio.get_running_loop(), **self._options)


def file_limit(wanted: int) -> int:
    """How many of `wanted` connections the process has files for, after asking the system for as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        with suppress(OSError, ValueError):  # macOS knows a lower limit than it says
            soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    had = wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - OWN_FILES))
    if had < wanted:
        log.warning("fewer connections than server.max_connections: raise the limit of open files", connections=had)
    return had


class Connection(web.RequestHandler):
    """One connection, as aiohttp serves it, with its time."""

    __slots__ = ("_at_work", "_house", "begun", "ends_at")

    def __init__(self, server: web.Server, house: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._house = house
        self._at_work = False
        self.ends_at = 0.0
        """Time of the loop."""
        self.begun = False
        """Whether a part of a head has come."""

    def expect(self, seconds: float) -> None:
        """It ends in so many seconds, unless a request begins to be worked on."""
        self.ends_at = self._loop.time() + seconds

    def cut(self, reason: str) -> None:
        """Close it at once, whatever was not sent or read yet."""
        log.debug("connection closed", reason=reason)
        self._house.left(self)
        if self.transport is not None:
            self.transport.abort()

    def begin(self) -> None:
        """A whole head was read: the request is worked on."""
        self.begun, self._at_work = False, True
        self._house.works(self)

    def end(self) -> None:
        """The request is answered."""
        self._at_work = False
        self._house.rested(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._house.entered(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._house.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.begun and not self._at_work:
            self.begun = True
            self._house.hurry(self)
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp could not read, or did not expect: as a problem, and without a word of the request in the log.

        aiohttp's own answer repeats the line that it could not read, and its log line does too: with a token in it.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if isinstance(exc, HttpProcessingError):
            log.info("request refused", path="unreadable", status=status, error=type(exc).__name__)
            response = unreadable_response()
        else:
            log.error("request failed", exc_info=exc)
            response = problem_response(RuntimeError())
        response.headers["X-Request-Id"] = secrets.token_hex(16)
        response.force_close()
        return response
