"""A small HTTP/2 client on jh2 for tests: sees resets, GOAWAY and SETTINGS, and may break the rules on purpose."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jh2 import config as jh2_config
from jh2 import connection as jh2_connection
from jh2.settings import SettingCodes

# jh2's functions carry no types.
_Configuration: Any = jh2_config.H2Configuration
_Connection: Any = jh2_connection.H2Connection

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
PATIENCE_SECONDS = 5.0
_PIECE = 16_384


@dataclass(slots=True)
class Reply:
    """What came back on one stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    frames: int = 0
    """DATA frames."""
    reset: int | None = None
    """Error code of RST_STREAM."""
    lost: bool = False
    """The connection ended first."""


class H2Client:
    """One connection. `streams_of_peer`: the MAX_CONCURRENT_STREAMS announced so far, in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        self.h2: Any = _Connection(_Configuration(client_side=True, header_encoding="utf-8"))
        self.streams_of_peer: list[int] = []
        self.goaway: Any = None
        """jh2's ConnectionTerminated, once it came."""
        self.pongs = 0
        self.closed = asyncio.Event()
        self.settled = asyncio.Event()
        """The peer's first SETTINGS are known."""
        self._reader, self._writer, self._authority = reader, writer, authority
        self._replies: dict[int, Reply] = {}
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self.h2.initiate_connection()
        self._flush()
        self._task = asyncio.create_task(self._read())

    def send(self, path: str, headers: Headers, body: bytes = b"", *, method: str = "POST") -> asyncio.Future[Reply]:
        """Send a whole request now; the future holds the reply, also when it is a reset or nothing at all."""
        stream: int = self.h2.get_next_available_stream_id()
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        pseudo = [(":method", method), (":scheme", "https"), (":authority", self._authority), (":path", path)]
        self.h2.send_headers(stream, pseudo + pairs, end_stream=not body)
        for start in range(0, len(body), _PIECE):
            self.h2.send_data(stream, body[start : start + _PIECE], end_stream=start + _PIECE >= len(body))
        self._flush()
        self._replies[stream] = Reply()
        self._waiting[stream] = asyncio.get_running_loop().create_future()
        return self._waiting[stream]

    async def ask(self, path: str, headers: Headers, body: bytes = b"", *, method: str = "POST") -> Reply:
        """Send and wait."""
        await asyncio.wait_for(self.settled.wait(), PATIENCE_SECONDS)
        return await asyncio.wait_for(self.send(path, headers, body, method=method), PATIENCE_SECONDS)

    def ping(self) -> None:
        """Send PING."""
        self.h2.ping(b"12345678")
        self._flush()

    def cancel(self, stream: int) -> None:
        """Send RST_STREAM(CANCEL)."""
        self.h2.reset_stream(stream, 8)
        self._flush()

    def raw(self, data: bytes) -> None:
        """Send bytes that jh2 would not."""
        self._writer.write(data)

    def ignore_stream_limit(self) -> None:
        """Let jh2 open more streams than the peer allows."""
        self.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100_000
        self.h2.remote_settings.acknowledge()

    async def close(self) -> None:
        """Drop the connection."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.transport.abort()

    def _flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                for event in self.h2.receive_data(data):
                    self._on_event(event)
                if self.goaway is None:
                    self._flush()
        except ConnectionError:
            pass
        finally:
            self.closed.set()
            for stream, waiting in self._waiting.items():
                if not waiting.done():
                    self._replies[stream].lost = True
                    waiting.set_result(self._replies[stream])

    def _on_event(self, event: Any) -> None:
        match type(event).__name__:
            case "RemoteSettingsChanged":
                change = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                if change is not None:
                    self.streams_of_peer.append(int(change.new_value))
                self.settled.set()
            case "ResponseReceived":
                reply = self._replies[event.stream_id]
                fields = {str(name): str(value) for name, value in event.headers}
                reply.status, reply.headers = int(fields.pop(":status")), fields
            case "DataReceived":
                self._replies[event.stream_id].body += event.data
                self._replies[event.stream_id].frames += 1
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case "StreamEnded" | "StreamReset":
                self._finish(event.stream_id, getattr(event, "error_code", None))
            case "ConnectionTerminated":
                self.goaway = event
            case "PingAckReceived":
                self.pongs += 1

    def _finish(self, stream: int, error_code: int | None) -> None:
        reply = self._replies[stream]
        reply.reset = None if error_code is None else int(error_code)
        if not self._waiting[stream].done():
            self._waiting[stream].set_result(reply)


@asynccontextmanager
async def open_h2(
    url: str, ca_file: Path, *, alpn: bool = True, certificate: Path | None = None
) -> AsyncIterator[H2Client]:
    """Connect; `alpn=False` says nothing about the protocol, as some libraries do."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=str(ca_file))
    if alpn:
        context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(certificate)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    client = H2Client(reader, writer, parts.netloc)
    try:
        yield client
    finally:
        await client.close()


async def until(holds: Callable[[], bool]) -> None:
    """Poll; raises TimeoutError when it does not hold in time."""
    for _ in range(int(PATIENCE_SECONDS / 0.005)):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError
