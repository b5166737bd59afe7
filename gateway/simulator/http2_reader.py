"""The receiving side of HTTP/2 framing: bytes to frames, header blocks put together."""

import struct
from collections.abc import Iterator

from gateway.simulator import frames
from gateway.simulator.frames import ErrorCode, FrameType

_HEAD = struct.Struct(">HBBBI")
_LARGEST_BLOCK = 4 * frames.MAX_FRAME_SIZE


class ConnectionFailed(Exception):
    """The peer broke the protocol: GOAWAY with this code, counted under this name."""

    def __init__(self, code: int, violation: str) -> None:
        super().__init__(violation)
        self.code = code
        self.violation = violation


class FrameReader:
    """Feed it bytes as they come; HEADERS come out whole (without padding, priority and CONTINUATION)."""

    def __init__(self) -> None:
        self._buffer = b""
        self._greeted = False
        self._start = len(frames.PREFACE)
        self._block: tuple[int, int, bytes] | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Type, flags, stream and payload of every frame that is complete. Raises ConnectionFailed."""
        buffer = self._buffer + data if self._buffer else data
        if not self._greeted and not self._greet(buffer):
            self._buffer = buffer
            return
        position, size = self._start, len(buffer)
        self._start = 0
        while size - position >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(buffer, position)
            start = position + 9
            end = start + (high << 8 | low)
            if end - start > frames.MAX_FRAME_SIZE:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "frame_too_large")
            if size < end:
                break
            position = end
            stream &= 0x7FFFFFFF
            if kind in {FrameType.HEADERS, FrameType.CONTINUATION} or self._block is not None:
                if (block := self._headers(kind, flags, stream, buffer[start:end])) is not None:
                    yield block
            else:
                yield kind, flags, stream, buffer[start:end]
        self._buffer = buffer[position:]

    def _greet(self, buffer: bytes) -> bool:
        """Whether the client's preface has come whole."""
        if not buffer.startswith(frames.PREFACE[: len(buffer)]):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "no_http2_preface")
        self._greeted = len(buffer) >= len(frames.PREFACE)
        return self._greeted

    def _headers(self, kind: int, flags: int, stream: int, payload: bytes) -> tuple[int, int, int, bytes] | None:
        if self._block is None and kind == FrameType.HEADERS:
            first, block = flags, _without_padding(flags, payload)
        elif self._block is not None and kind == FrameType.CONTINUATION and stream == self._block[0]:
            first, block = self._block[1], self._block[2] + payload
        else:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "continuation")
        if flags & frames.END_HEADERS:
            self._block = None
            return FrameType.HEADERS, first, stream, block
        if len(block) > _LARGEST_BLOCK:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "header_block_too_large")
        self._block = (stream, first, block)
        return None


def _without_padding(flags: int, payload: bytes) -> bytes:
    try:
        block = frames.unpadded(flags, payload)
    except ValueError as error:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "padding") from error
    return block[5:] if flags & frames.PRIORITY_FLAG else block
