"""HTTP/2 frames as bytes (RFC 9113) and stateless response header blocks (RFC 7541).

Header blocks use literals without indexing only, so no encoder state exists and any stream can be answered at any time.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from gateway.simulator.faults import Frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAME_SIZE = 16_384
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1


class FrameType(IntEnum):
    """RFC 9113 section 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20


class ErrorCode(IntEnum):
    """RFC 9113 section 7: what the simulator itself answers with."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    COMPRESSION_ERROR = 9


class Setting(IntEnum):
    """RFC 9113 section 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Header names are lower case; content-length is not needed."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


_HEAD = struct.Struct(">HBBBI")
_SETTING = struct.Struct(">HI")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """SETTINGS."""
    return frame(FrameType.SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Identifier and value pairs; raises ValueError when the length is not a multiple of six."""
    if len(payload) % 6:
        raise ValueError("SETTINGS of a wrong length")
    return [(int(key), int(value)) for key, value in _SETTING.iter_unpack(payload)]


def goaway(last_stream: int, code: int, debug: bytes = b"") -> bytes:
    """GOAWAY with debug data."""
    return frame(FrameType.GOAWAY, 0, 0, struct.pack(">II", last_stream, code) + debug)


def rst_stream(stream: int, code: int) -> bytes:
    """RST_STREAM."""
    return frame(FrameType.RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def window_update(stream: int, credit: int) -> bytes:
    """WINDOW_UPDATE; stream 0 is the connection."""
    return frame(FrameType.WINDOW_UPDATE, 0, stream, credit.to_bytes(4, "big"))


_STATUS = {200: b"\x88", 400: b"\x8c", 404: b"\x8d", 500: b"\x8e"}


def header_block(response: Response) -> bytes:
    """HPACK: `:status` and the headers."""
    indexed = _STATUS.get(response.status)
    parts = [indexed if indexed is not None else b"\x08\x03%d" % response.status]
    for name, value in response.headers:
        parts += (b"\x00", _length(len(name)), name, _length(len(value)), value)
    return b"".join(parts)


def _length(size: int) -> bytes:
    """Length of an unencoded string literal: a 7-bit prefix integer."""
    if size < 127:
        return bytes((size,))
    parts, rest = [127], size - 127
    while rest > 127:
        parts.append(rest & 127 | 128)
        rest >>= 7
    parts.append(rest)
    return bytes(parts)


def head_frames(stream: int, response: Response, shape: Frames | None = None) -> bytes:
    """HEADERS (and CONTINUATION) of a response; ends the stream when the body is empty."""
    block = header_block(response)
    end = 0 if response.body or (shape and shape.empty_data) else END_STREAM
    if shape is None:
        return frame(FrameType.HEADERS, END_HEADERS | end, stream, block)
    if shape.table_size_update:
        block = b"\x20" + block
    if not shape.continuation:
        return _padded(FrameType.HEADERS, END_HEADERS | end, stream, block, shape.padding)
    first = _padded(FrameType.HEADERS, end, stream, block[:1], shape.padding)
    return first + frame(FrameType.CONTINUATION, END_HEADERS, stream, block[1:])


def data_frames(stream: int, body: bytes, *, end: bool, shape: Frames | None = None) -> bytes:
    """DATA frames of a piece of body; `end` ends the stream with the last one."""
    size = min(MAX_FRAME_SIZE - 256, shape.split or MAX_FRAME_SIZE) if shape else MAX_FRAME_SIZE
    padding = shape.padding if shape else 0
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    flags = [0] * (len(pieces) - 1) + [END_STREAM if end else 0]
    empty = frame(FrameType.DATA, 0, stream) * (shape.empty_data if shape else 0)
    return empty + b"".join(
        _padded(FrameType.DATA, flag, stream, piece, padding) for piece, flag in zip(pieces, flags, strict=True)
    )


def _padded(kind: int, flags: int, stream: int, payload: bytes, padding: int) -> bytes:
    if not padding:
        return frame(kind, flags, stream, payload)
    return frame(kind, flags | PADDED, stream, bytes((padding,)) + payload + bytes(padding))


def unpadded(flags: int, payload: bytes) -> bytes:
    """A HEADERS or DATA payload without padding and priority; raises ValueError when the padding is too long."""
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = 1, end - payload[0] if payload else -1
    if end < start:
        raise ValueError("padding longer than the frame")
    return payload[start:end]
