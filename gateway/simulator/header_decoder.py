"""HPACK of requests (RFC 7541): header blocks to requests."""

from typing import Any

from gateway.simulator.exchange import Request

_Decoder: Any
try:
    # The Rust codec behind jh2; a private name, fifteen times faster than the public one in Python.
    from jh2._hazmat import Decoder as _Decoder
except ImportError:
    from jh2.hpack import Decoder as _Decoder


class UnreadableHeaders(Exception):
    """The block breaks HPACK or is too large; the connection's decoder state is lost."""


class HeaderDecoder:
    """One per connection; every header block has to pass through it, in order."""

    def __init__(self, max_list_size: int) -> None:
        self._decoder = _Decoder(max_header_list_size=max_list_size)

    def request(self, block: bytes) -> Request:
        """The request that a header block opens, without its body."""
        try:
            fields = self._decoder.decode(block, raw=True)
        except Exception as error:
            raise UnreadableHeaders from error
        headers: dict[str, str] = {}
        repeated: tuple[str, ...] = ()
        method = path = ""
        for raw_name, raw_value, *_ in fields:
            name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "replace")
            if name in headers:
                repeated += (name,)
            headers[name] = value
        method = headers.pop(":method", "")
        path = headers.pop(":path", "")
        headers.pop(":scheme", None)
        authority = headers.pop(":authority", None)
        if authority is not None:
            headers.setdefault("host", authority)
        return Request(method, path, headers, repeated)
