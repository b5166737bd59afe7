"""The sections that stand once: server, store, worker, log, admin."""

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from gateway.settings.fields import Int, Name, Network, Seconds
from gateway.settings.reading import Section, reading_of
from gateway.settings.secret import Secret

MIN_KEY_LENGTH = 16
"""Characters that an API key has at least."""

EMBEDDED = "embedded:"
_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster", "unix")


class ServerSettings(Section):
    """`[server]`: the HTTP side."""

    host: str = "127.0.0.1"
    port: Annotated[Int, Field(ge=0, le=65535)] = 8080
    """0: any free port."""
    max_body_bytes: Annotated[Int, Field(ge=1024, le=16 * 1024 * 1024)] = 262_144
    drain_seconds: Annotated[Seconds, Field(ge=0, le=600)] = 10.0
    """How long SIGTERM lets requests and pushes in flight finish."""
    open_to: tuple[Network, ...] = (IPv4Network("127.0.0.1/32"),)
    """Who may read /metrics and /health without proof."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For is believed."""


def _store_url(value: Any, info: ValidationInfo) -> str:
    reading = reading_of(info)
    url = value if isinstance(value, str) else Secret.read(value, reading).reveal()
    if url.startswith(EMBEDDED):
        directory = url.removeprefix(EMBEDDED)
        if not directory:
            raise ValueError("embedded: needs a directory, as in embedded:./var/store")
        return f"{EMBEDDED}{reading.path(directory)}"
    try:
        parsed = urlsplit(url)
        _ = parsed.port if "," not in parsed.netloc else None
    except ValueError as error:
        raise ValueError("not a store URL") from error
    if parsed.scheme not in _SCHEMES:
        raise ValueError(f"not embedded:DIRECTORY, nor one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}")
    if not (parsed.path if parsed.scheme == "unix" else parsed.netloc):
        raise ValueError("the store URL names no server")
    return url


class StoreSettings(Section):
    """`[store]`: where events, decisions and pushes are kept."""

    url: Annotated[str, PlainValidator(_store_url), Field(repr=False)] = "embedded:./var/store"
    """May hold a password: takes the forms of a secret too, and is not printed."""
    fsync: Literal["always", "everysec"] = "always"
    """Of the embedded store."""
    journal_retention_hours: Annotated[Int, Field(ge=1, le=8784)] = 168
    shards: Annotated[Int, Field(ge=1, le=256)] | None = None
    """None: 16 on a cluster, else 1."""
    max_queue_depth: Annotated[Int, Field(ge=1)] = 1_000_000
    """Waiting pushes beyond which events are refused with 503."""
    max_memory_bytes: Annotated[Int, Field(ge=0)] = 0
    """Store memory beyond which events are refused with 503; 0: no limit of ours."""

    @property
    def embedded_directory(self) -> str | None:
        """Directory of the embedded store; None when the store is another server."""
        return self.url.removeprefix(EMBEDDED) if self.url.startswith(EMBEDDED) else None


class WorkerSettings(Section):
    """`[worker]`: the delivery side."""

    concurrency: Annotated[Int, Field(ge=1, le=10_000)] = 500
    """Pushes in flight at once, all apps together."""
    lease_seconds: Annotated[Seconds, Field(gt=0, le=600)] = 30.0
    """How long a push may be held without a sign of life before another worker takes it."""


class LogSettings(Section):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """auto: console on a terminal, else JSON."""


class NamedKey(Section):
    """A bearer key. The name stands in journals and logs for whoever holds it."""

    name: Name
    key: Secret

    @field_validator("key")
    @classmethod
    def _is_long_enough(cls, value: Secret) -> Secret:
        if len(value.reveal()) < MIN_KEY_LENGTH:
            raise ValueError(f"an API key has at least {MIN_KEY_LENGTH} characters")
        return value


class AdminSettings(Section):
    """`[admin]`: keys of operations; they may do everything, for all tenants."""

    api_keys: tuple[NamedKey, ...] = ()
