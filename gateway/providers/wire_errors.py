"""What an exception of the HTTP client means for the push: surely not processed, or unknown.

The exception's type does not tell (a total timeout after sending is a `ConnectTimeoutError`, a connection lost after
sending a `ConnectError`), its list of causes does. The texts are those of pyreqwest 0.15.1 with reqwest, hyper and h2
inside; the version is pinned, and the provider tests replay the faults. No text of an exception goes further than this
file: it holds the URL, and with it the device token.
"""

from enum import StrEnum

from pyreqwest.exceptions import BuilderError, ClientClosedError, PoolTimeoutError, PyreqwestError

from gateway.domain.outcome import NotSent, Unknown


class Trouble(StrEnum):
    """Why there is no answer: a closed list, the `reason` of NotSent and Unknown."""

    BUSY = "busy"
    """Not sent: no place among the requests in flight came free in time."""
    HELD_BACK = "held_back"
    """Not sent: waited for the first answer on a new connection, and none came."""
    UNSENDABLE = "unsendable"
    """Not sent: no URL or header can be made of it."""
    TOO_LATE = "too_late"
    """Its deadline passed while it waited: for a connection or an access token (surely not sent), or inside the client,
    for a stream of the provider's or for its answer (unknown)."""
    DNS_FAILED = "dns_failed"
    """Not sent: the host's name has no address."""
    CONNECT_TIMEOUT = "connect_timeout"
    """Not sent: no connection within the connect timeout."""
    CONNECT_FAILED = "connect_failed"
    """Not sent: refused, unreachable, or TLS failed."""
    REFUSED_STREAM = "refused_stream"
    """Not processed: the provider refused the stream each time it was tried."""
    GOAWAY = "goaway"
    """Not processed: the provider ended the connection before it looked at this stream."""
    TIMEOUT = "timeout"
    """Unknown: no answer within the request timeout."""
    PING_TIMEOUT = "ping_timeout"
    """Unknown: the connection was dead."""
    STREAM_RESET = "stream_reset"
    """Unknown: the provider reset this stream."""
    CONNECTION_LOST = "connection_lost"
    """Unknown: the connection ended with this request in flight."""
    PROTOCOL_ERROR = "protocol_error"
    """Unknown: the answer, or the connection, broke the rules of HTTP/2."""
    CLOSED = "closed"
    """Unknown: our client was closed meanwhile."""
    NO_ANSWER = "no_answer"
    """Unknown: anything else."""


OF_CONNECTING = frozenset({Trouble.DNS_FAILED, Trouble.CONNECT_TIMEOUT, Trouble.CONNECT_FAILED})
"""There is no connection to be had."""

OF_THE_CONNECTION = frozenset({Trouble.GOAWAY, Trouble.PING_TIMEOUT, Trouble.CONNECTION_LOST, Trouble.PROTOCOL_ERROR})
"""It is gone: what comes next goes over a new one."""

OF_OUR_OWN = frozenset({Trouble.BUSY, Trouble.HELD_BACK, Trouble.UNSENDABLE, Trouble.TOO_LATE, Trouble.CLOSED})
"""Says nothing about the provider."""


def classify(error: PyreqwestError) -> NotSent | Unknown:
    """NotSent only if the provider surely did not process the request."""
    if isinstance(error, PoolTimeoutError):
        return NotSent(reason=Trouble.BUSY.value)
    if isinstance(error, BuilderError):
        return NotSent(reason=Trouble.UNSENDABLE.value)
    if isinstance(error, ClientClosedError):
        return Unknown(reason=Trouble.CLOSED.value)
    return _by_causes(_causes(error))


def _causes(error: PyreqwestError) -> list[str]:
    details = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or []]


def _by_causes(causes: list[str]) -> NotSent | Unknown:
    last = causes[-1] if causes else ""
    if "client error (Connect)" in causes:
        return NotSent(reason=_connect_trouble(causes).value)
    if last.startswith("stream error received: refused stream"):
        return NotSent(reason=Trouble.REFUSED_STREAM.value)
    if last.startswith("connection error received:") and "http2 error" in causes:
        return NotSent(reason=Trouble.GOAWAY.value)
    return Unknown(reason=_lost(causes, last).value)


def _connect_trouble(causes: list[str]) -> Trouble:
    if "dns error" in causes:
        return Trouble.DNS_FAILED
    return Trouble.CONNECT_TIMEOUT if "operation timed out" in causes else Trouble.CONNECT_FAILED


_LOST = (
    ("stream error received", Trouble.STREAM_RESET),
    ("stream error detected", Trouble.PROTOCOL_ERROR),
    ("connection error", Trouble.PROTOCOL_ERROR),
    ("stream closed because of a broken pipe", Trouble.CONNECTION_LOST),
    ("runtime dropped the dispatch task", Trouble.CONNECTION_LOST),
    ("peer closed connection", Trouble.CONNECTION_LOST),
    ("connection reset", Trouble.CONNECTION_LOST),
    ("connection closed", Trouble.CONNECTION_LOST),
    ("broken pipe", Trouble.CONNECTION_LOST),
)
"""Last cause, by its beginning."""


def _lost(causes: list[str], last: str) -> Trouble:
    if "keep-alive timed out" in causes:
        return Trouble.PING_TIMEOUT
    if "operation timed out" in causes:
        return Trouble.TIMEOUT
    lowered = last.lower()
    return next((trouble for start, trouble in _LOST if lowered.startswith(start)), Trouble.NO_ANSWER)
