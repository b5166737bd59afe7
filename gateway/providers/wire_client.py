"""The HTTP/2 client behind the wire, and its settings."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSettings:
    """How the wire behaves. Raises ValueError when the request timeout is not above the connect timeout: a request that
    starts a connection owns it, and its timeout would end the connection for all that wait for it."""

    connections: int = 1
    """Used by turns. One connection each; a provider's stream limit is per connection."""
    streams: int = 500
    """Requests in flight on one connection, below the provider's limit: what the client queues beyond that limit ages
    unseen and comes back as unknown."""
    ca_pem: bytes | None = field(default=None, repr=False)
    """Authorities to trust besides the system's."""
    identity_pem: bytes | None = field(default=None, repr=False)
    """Client certificate and key."""
    resolve: tuple[tuple[str, str, int], ...] = ()
    """(host, address, port): where a host name leads instead of DNS."""
    plain_text: bool = False
    """Unencrypted HTTP/2: for a stand-in on loopback."""
    keep_headers: tuple[str, ...] = ()
    """Response headers to hand up."""
    opens: Callable[[int], bool] = field(default=lambda status: status not in (401, 403))
    """Whether an answer of this status opens a new connection for more than one request."""
    request_seconds: float = 10.0
    connect_seconds: float = 5.0
    slot_seconds: float = 2.0
    """Longest wait for a place among the requests in flight."""
    ping_after_seconds: float = 5.0
    ping_seconds: float = 3.0
    hold_seconds: float = 4.0
    """Longest wait for the first answer on a new connection."""
    canary_patience_seconds: float = 1.5
    silence_seconds: float = 60.0
    """A connection that carried nothing for so long starts with one request again."""
    replace_after_timeouts: int = 20
    replace_after_seconds: float = 10.0
    """A connection is replaced after so many timeouts in a row, or three over so long: a peer that answers PINGs and
    nothing else would hold it for ever."""

    def __post_init__(self) -> None:
        if self.request_seconds <= self.connect_seconds:
            raise ValueError("the request timeout has to be above the connect timeout")


def build_client(settings: WireSettings) -> Client:
    """5 to 10 ms: reads the system's authorities."""
    builder = (
        ClientBuilder()
        .http2_prior_knowledge()  # one connection a client, in a cold burst too
        .connect_timeout(timedelta(seconds=settings.connect_seconds))
        .timeout(timedelta(seconds=settings.request_seconds))
        .http2_keep_alive_interval(timedelta(seconds=settings.ping_after_seconds))
        .http2_keep_alive_timeout(timedelta(seconds=settings.ping_seconds))
        .http2_keep_alive_while_idle(False)  # Google ends connections that ping too much
        .pool_idle_timeout(None)  # Apple wants connections kept for days
        .tcp_keepalive(timedelta(seconds=30))
        .tcp_keepalive_interval(timedelta(seconds=10))
        .tcp_keepalive_retries(3)
        .max_connections(settings.streams)  # in truth the cap on requests in flight
        .pool_timeout(timedelta(seconds=settings.slot_seconds))
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent("pbx-push-gateway")
        .https_only(not settings.plain_text)
        .min_tls_version("TLSv1.2")
        .no_proxy()  # else HTTPS_PROXY of the environment is used without a word
    )
    if sys.platform == "linux":
        builder = builder.tcp_user_timeout(timedelta(seconds=10))
    if settings.ca_pem is not None:
        builder = builder.add_root_certificate_pem(settings.ca_pem)
    if settings.identity_pem is not None:
        builder = builder.identity_pem(settings.identity_pem)
    for host, address, port in settings.resolve:
        builder = builder.resolve(host, address, port)
    return builder.build()
