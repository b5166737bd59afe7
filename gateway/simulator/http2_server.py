"""One HTTP/2 connection, frame by frame (RFC 9113), so that limits and faults are ours to decide."""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gateway.simulator import frames
from gateway.simulator.connection_faults import meet
from gateway.simulator.counts import Counts
from gateway.simulator.exchange import Request, Session
from gateway.simulator.fault_book import FaultBook
from gateway.simulator.faults import Fault, Frames
from gateway.simulator.frames import ErrorCode, FrameType, Setting
from gateway.simulator.header_decoder import HeaderDecoder, UnreadableHeaders
from gateway.simulator.http2_output import Http2Output, OpenStream
from gateway.simulator.http2_reader import ConnectionFailed, FrameReader

_LARGEST_BODY = 65_535
_CREDIT_STEP = 16_384
"""Credit is given back when so much was consumed."""
_HEADER_LIST_SIZE = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a connection shares with all others."""

    faults: FaultBook = field(default_factory=FaultBook)
    counts: Counts = field(default_factory=Counts)
    over_limit: Literal["refuse", "goaway"] = "refuse"


class Http2Connection(asyncio.Protocol):
    """Reads frames, lets the session answer, and plays faults. Announces its SETTINGS as soon as it exists."""

    def __init__(self, transport: asyncio.Transport, session: Session, around: Surroundings) -> None:
        self.transport = transport
        self.session = session
        self.output = Http2Output(transport)
        self.last_stream = 0
        """The highest stream id the peer has used."""
        self.refuse_above: int | None = None
        """After GOAWAY: streams above this are ignored."""
        self.closes_when_done = False
        self.stalled = False
        """Gives no more credit."""
        self._around = around
        self._reader = FrameReader()
        self._decoder = HeaderDecoder(_HEADER_LIST_SIZE * 2)
        self._credit = frames.DEFAULT_WINDOW
        self._uncredited = 0
        self._limit = self._enforced_limit = self._session_limit = session.limit
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            FrameType.DATA: self._on_data,
            FrameType.HEADERS: self._on_headers,
            FrameType.RST_STREAM: self._on_rst_stream,
            FrameType.SETTINGS: self._on_settings,
            FrameType.PING: self._on_ping,
            FrameType.WINDOW_UPDATE: self._on_window_update,
        }
        self._greet()

    def data_received(self, data: bytes) -> None:
        try:
            for kind, flags, stream, payload in self._reader.feed(data):
                if self.output.silent or self.transport.is_closing():
                    return
                handler = self._handlers.get(kind)
                if handler is not None:
                    handler(flags, stream, payload)
        except ConnectionFailed as failure:
            self._fail(failure)
        except (ValueError, struct.error):
            self._fail(ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "malformed_frame"))
        self.output.flush()
        self.close_if_done()

    def connection_lost(self, exc: Exception | None) -> None:
        self.output.open.clear()

    def announce_limit(self, limit: int) -> None:
        """Change MAX_CONCURRENT_STREAMS; a lower one is enforced once the peer has acknowledged it."""
        self._limit = limit
        self._enforced_limit = max(limit, self._enforced_limit)
        self.output.write(frames.settings({Setting.MAX_CONCURRENT_STREAMS: limit}))

    def close_if_done(self) -> None:
        """After a GOAWAY: close when no answer is owed any more."""
        if self.closes_when_done and not self.output.open:
            self.closes_when_done = False
            self.output.flush()
            self.transport.close()

    def answer(self, stream: int, request: Request, shape: Frames | None = None) -> None:
        """Let the session answer, and announce its limit if it has changed (a valid provider token was seen)."""
        response = self.session.handle(request)
        if self.session.limit != self._session_limit:
            self._session_limit = self.session.limit
            self.announce_limit(self._session_limit)
        self.output.respond(stream, response, shape)

    def _greet(self) -> None:
        values = {
            Setting.HEADER_TABLE_SIZE: 4096,
            Setting.MAX_CONCURRENT_STREAMS: self._limit,
            Setting.INITIAL_WINDOW_SIZE: frames.DEFAULT_WINDOW,
            Setting.MAX_FRAME_SIZE: frames.MAX_FRAME_SIZE,
            Setting.MAX_HEADER_LIST_SIZE: _HEADER_LIST_SIZE,
        }
        self.output.write(frames.settings({int(key): value for key, value in values.items()}))
        self.output.flush()

    def _fail(self, failure: ConnectionFailed) -> None:
        self._around.counts.violations[failure.violation] += 1
        self.output.write(frames.goaway(self.last_stream, failure.code, failure.violation.encode()))
        self.output.flush()
        self.transport.close()

    # -- frames of the peer --

    def _on_headers(self, flags: int, stream: int, block: bytes) -> None:
        try:
            request = self._decoder.request(block)
        except UnreadableHeaders as error:
            raise ConnectionFailed(ErrorCode.COMPRESSION_ERROR, "header_compression") from error
        opened = self.output.open.get(stream)
        if opened is None:
            opened = self._open(stream, request)
        if opened is not None and flags & frames.END_STREAM and not opened.served:
            self._serve(stream, opened)

    def _open(self, stream: int, request: Request) -> OpenStream | None:
        """The new stream; None when it is ignored or refused."""
        if stream % 2 == 0 or stream <= self.last_stream:
            raise ConnectionFailed(ErrorCode.STREAM_CLOSED, "stream_id_reused")
        if self.refuse_above is not None:
            return None
        counts, open_streams = self._around.counts, self.output.open
        if len(open_streams) >= self._enforced_limit:
            if self._around.over_limit == "goaway":
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "streams_over_limit")
            counts.violations["streams_over_limit"] += 1
            self.output.write(frames.rst_stream(stream, ErrorCode.REFUSED_STREAM))
            self.last_stream = stream
            return None
        self.last_stream = stream
        opened = self.output.start(stream, request)
        counts.max_open_streams = max(counts.max_open_streams, len(open_streams))
        return opened

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        size = len(payload)
        opened = self.output.open.get(stream)
        self._credit -= size
        if self._credit < 0 or (opened is not None and opened.credit < size):
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "flow_control")
        self._give_back(size)
        if opened is None or opened.served:
            return
        opened.credit -= size
        data = frames.unpadded(flags, payload) if flags & frames.PADDED else payload
        if opened.received <= _LARGEST_BODY:
            opened.body.append(data)
        opened.received += len(data)
        if flags & frames.END_STREAM:
            self._serve(stream, opened)
        elif opened.credit < _CREDIT_STEP and not self.stalled:
            self.output.write(frames.window_update(stream, _CREDIT_STEP))
            opened.credit += _CREDIT_STEP

    def _give_back(self, size: int) -> None:
        self._uncredited += size
        if self._uncredited >= _CREDIT_STEP and not self.stalled:
            self.output.write(frames.window_update(0, self._uncredited))
            self._credit += self._uncredited
            self._uncredited = 0

    def _on_rst_stream(self, flags: int, stream: int, payload: bytes) -> None:
        del flags, payload
        if self.output.open.pop(stream, None) is not None:
            self._around.counts.cancelled_streams += 1

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        del stream
        if flags & frames.ACK:
            self._enforced_limit = self._limit
            return
        for key, value in frames.read_settings(payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                self.output.initial_window(value)
        self.output.write(frames.frame(FrameType.SETTINGS, frames.ACK, 0))

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if not flags & frames.ACK:
            self.output.write(frames.frame(FrameType.PING, frames.ACK, stream, payload))

    def _on_window_update(self, flags: int, stream: int, payload: bytes) -> None:
        del flags
        (increment,) = struct.unpack(">I", payload)
        if not self.output.credit(stream, increment & 0x7FFFFFFF):
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "window_overflow")

    # -- requests --

    def _serve(self, stream: int, opened: OpenStream) -> None:
        request = opened.request
        request.body = opened.body[0] if len(opened.body) == 1 else b"".join(opened.body)
        opened.served = True
        opened.body.clear()
        faults = self._around.faults
        fault = faults.take(self.session.addressed(request)) if faults else None
        if fault is None:
            self.answer(stream, request)
        elif fault.delay_ms:
            loop = asyncio.get_running_loop()
            loop.call_later(fault.delay_ms / 1000, self._meet_late, stream, request, fault)
        else:
            meet(self, stream, request, fault)

    def _meet_late(self, stream: int, request: Request, fault: Fault) -> None:
        if not self.transport.is_closing():
            meet(self, stream, request, fault)
            self.output.flush()
