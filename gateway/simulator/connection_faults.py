"""Faults played on an HTTP/2 connection."""

import asyncio
import contextlib
import json
import socket
import struct
from typing import TYPE_CHECKING

from gateway.simulator import frames
from gateway.simulator.exchange import Request, Scripted
from gateway.simulator.faults import (
    Answer,
    Close,
    Fault,
    GoAway,
    HalfOpen,
    MaxStreams,
    NoAnswer,
    Reset,
    RstStream,
    StallWindow,
    What,
)

if TYPE_CHECKING:
    from gateway.simulator.http2_server import Http2Connection


def meet(connection: "Http2Connection", stream: int, request: Request, fault: Fault) -> None:
    """What happens to a request that a fault has taken."""
    what = fault.what
    match what:
        case Answer(status=int() as status):
            connection.session.handle(request, Scripted(status, what.reason, fault.deliver))
            connection.output.respond(stream, connection.session.scripted_response(request, what), what.frames)
        case Answer():
            connection.answer(stream, request, what.frames)
        case MaxStreams() | StallWindow() | GoAway(last_stream="above"):
            act(connection, what, stream)
            connection.answer(stream, request)
        case NoAnswer() | RstStream() | GoAway() | Reset() | Close() | HalfOpen():
            connection.session.handle(request, Scripted(0, what.do, fault.deliver))
            act(connection, what, stream)
    connection.close_if_done()


def act(connection: "Http2Connection", what: What, stream: int | None) -> None:
    """What a fault does to the connection; `stream` is None when no request set it off."""
    match what:
        case RstStream(code=code) if stream is not None:
            connection.output.open.pop(stream, None)
            connection.output.write(frames.rst_stream(stream, code))
        case GoAway():
            _go_away(connection, what, stream)
        case MaxStreams(limit=limit):
            connection.announce_limit(limit)
        case StallWindow():
            connection.stalled = True
        case HalfOpen():
            connection.output.silent = True
            connection.transport.pause_reading()
        case Reset():
            reset(connection.transport)
        case Close():
            connection.transport.close()
        case _:
            pass


def _go_away(connection: "Http2Connection", what: GoAway, stream: int | None) -> None:
    last = connection.last_stream if what.last_stream == "above" or stream is None else max(0, stream - 2)
    for open_stream in [number for number in connection.output.open if number > last]:
        del connection.output.open[open_stream]
    connection.refuse_above = last
    connection.closes_when_done = what.close
    debug = b"" if what.debug is None else json.dumps(what.debug).encode()
    connection.output.write(frames.goaway(last, what.code, debug))


def reset(transport: asyncio.Transport) -> None:
    """Drop the connection with a TCP RST."""
    pipe = transport.get_extra_info("socket")
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
