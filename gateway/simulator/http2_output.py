"""The sending side of one HTTP/2 connection: answers, the peer's flow control, one write per turn."""

import asyncio
from dataclasses import dataclass, field

from gateway.simulator import frames
from gateway.simulator.exchange import Request
from gateway.simulator.faults import Frames
from gateway.simulator.frames import Response


@dataclass(slots=True)
class OpenStream:
    """A stream whose answer has not been sent to its end."""

    request: Request
    body: list[bytes] = field(default_factory=list)
    received: int = 0
    """Bytes of body; what is beyond the limit is counted, not kept."""
    uncredited: int = 0
    credit: int = frames.DEFAULT_WINDOW
    """What the peer may still send."""
    window: int = frames.DEFAULT_WINDOW
    """What we may still send."""
    served: bool = False
    unsent: bytes = b""
    """Rest of an answer that waits for the peer's credit."""
    shape: Frames | None = None


class Http2Output:
    """Owns the open streams and what is written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.open: dict[int, OpenStream] = {}
        self.window = frames.DEFAULT_WINDOW
        self.silent = False
        """Half open: nothing goes out any more."""
        self._initial_window = frames.DEFAULT_WINDOW
        self._transport = transport
        self._out: list[bytes] = []
        self._waiting = False
        """Some answer waits for credit."""

    def write(self, data: bytes) -> None:
        """Queue frames until `flush`."""
        self._out.append(data)

    def flush(self) -> None:
        """Hand everything queued to the transport in one write."""
        if self._out:
            if not self.silent and not self._transport.is_closing():
                self._transport.write(b"".join(self._out))
            self._out.clear()

    def start(self, stream: int, request: Request) -> OpenStream:
        """A new stream, with the window that the peer's SETTINGS give it."""
        started = OpenStream(request, window=self._initial_window)
        self.open[stream] = started
        return started

    def respond(self, stream: int, response: Response, shape: Frames | None = None) -> None:
        """Answer; the stream is closed when everything is out. Without effect on a stream that the peer has reset."""
        opened = self.open.get(stream)
        if opened is None:
            return
        self._out.append(frames.head_frames(stream, response, shape))
        if response.body:
            opened.unsent, opened.shape = response.body, shape
            self._send(stream, opened)
            return
        if shape and shape.empty_data:
            self._out.append(frames.data_frames(stream, b"", end=True, shape=shape))
        del self.open[stream]

    def credit(self, stream: int, increment: int) -> bool:
        """WINDOW_UPDATE of the peer; False: it passes the largest window."""
        if stream == 0:
            self.window += increment
            valid = self.window <= frames.MAX_WINDOW
        elif (opened := self.open.get(stream)) is not None:
            opened.window += increment
            valid = opened.window <= frames.MAX_WINDOW
        else:
            return True
        self._resume()
        return valid

    def initial_window(self, size: int) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE moves the window of every open stream."""
        for opened in self.open.values():
            opened.window += size - self._initial_window
        self._initial_window = size
        self._resume()

    def _resume(self) -> None:
        if not self._waiting:
            return
        self._waiting = False
        for stream, opened in list(self.open.items()):
            if opened.unsent:
                self._send(stream, opened)

    def _send(self, stream: int, opened: OpenStream) -> None:
        room = max(0, min(self.window, opened.window, len(opened.unsent)))
        piece, opened.unsent = opened.unsent[:room], opened.unsent[room:]
        self.window -= room
        opened.window -= room
        if opened.unsent:
            self._waiting = True
        if piece:
            self._out.append(frames.data_frames(stream, piece, end=not opened.unsent, shape=opened.shape))
        if not opened.unsent:
            del self.open[stream]
