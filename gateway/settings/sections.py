"""The sections that stand once: server, store, worker, log, admin."""

import base64
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, StringConstraints, ValidationInfo, field_validator

from gateway.settings.fields import Int, Name, Network, Rate, Seconds, is_loopback
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
    max_header_bytes: Annotated[Int, Field(ge=1024, le=65_536)] = 8190
    """Of the request line and of each header."""
    max_connections: Annotated[Int, Field(ge=1, le=1_000_000)] = 4096
    """Open at once; beyond it the one that has been idle longest makes room."""
    read_timeout_seconds: Annotated[Seconds, Field(ge=0.1, le=600)] = 20.0
    """For the whole head of a request, and again for the whole body."""
    idle_timeout_seconds: Annotated[Seconds, Field(ge=1, le=3600)] = 75.0
    """How long a connection may wait for its next request."""
    rate_limit_per_second: Annotated[Rate, Field(ge=0, le=1_000_000)] = 0.0
    """Requests of one API key or source in the long run; 0: no limit."""
    rate_limit_burst: Annotated[Int, Field(ge=1, le=1_000_000)] = 200
    user_rate_limit_per_second: Annotated[Rate, Field(ge=0, le=1_000_000)] = 20.0
    """Requests of one mobile app's user in the long run; 0: no limit."""
    user_rate_limit_burst: Annotated[Int, Field(ge=1, le=1_000_000)] = 60
    failed_proof_limit_per_second: Annotated[Rate, Field(ge=0, le=1_000_000)] = 20.0
    """Wrong proofs from one public address in the long run; 0: no limit."""
    failed_proof_limit_burst: Annotated[Int, Field(ge=1, le=1_000_000)] = 100
    allow_private_urls: tuple[Network, ...] = ()
    """Private networks that a URL in a tenant's configuration may lead to."""

    @property
    def serves_this_machine(self) -> bool:
        """Whether it can only be reached from this machine, no proxy in front: development, tests."""
        return is_loopback(self.host) and not self.trusted_proxies


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


TOKEN_KEY_BYTES = 32
"""AES-256."""


class TokenKey(Section):
    """A key that device tokens are sealed with in the store."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    """Stands beside every token that it sealed: never another key under the same id."""
    key: Secret

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: Secret) -> Secret:
        try:
            key = base64.b64decode(value.reveal(), validate=True)
        except ValueError as error:
            raise ValueError("a token key is base64") from error
        if len(key) != TOKEN_KEY_BYTES:
            raise ValueError(f"a token key has {TOKEN_KEY_BYTES} bytes, in base64: openssl rand -base64 32")
        return value

    @property
    def raw(self) -> bytes:
        """The key itself."""
        return base64.b64decode(self.key.reveal())


class StoreSettings(Section):
    """`[store]`: where events, decisions and pushes are kept."""

    url: Annotated[str, PlainValidator(_store_url), Field(repr=False)] = "embedded:./var/store"
    """May hold a password: takes the forms of a secret too, and is not printed."""
    fsync: Literal["always", "everysec"] = "always"
    """Of the embedded store."""
    journal_retention_hours: Annotated[Int, Field(ge=1, le=8784)] = 168
    shards: Annotated[Int, Field(ge=1, le=256)] | None = None
    """None: 16 on a cluster, else 1."""
    wait_replicas: Annotated[Int, Field(ge=0, le=10)] = 0
    """Replicas that have to have every write before it is acknowledged; not of an embedded store or a cluster."""
    max_queue_depth: Annotated[Int, Field(ge=1)] = 1_000_000
    """Waiting pushes beyond which events are refused with 503."""
    max_memory_bytes: Annotated[Int, Field(ge=0)] = 0
    """Store memory beyond which events are refused with 503; 0: no limit of ours."""
    token_keys: tuple[TokenKey, ...] = ()
    """The first seals device tokens, all open them; (): tokens are kept as they are."""

    @field_validator("wait_replicas")
    @classmethod
    def _has_replicas(cls, value: int, info: ValidationInfo) -> int:
        url = info.data.get("url", "")
        if value and (url.startswith(EMBEDDED) or "+cluster:" in url):
            raise ValueError("an embedded store has no replicas, and a cluster's cannot be waited for")
        return value

    @field_validator("token_keys")
    @classmethod
    def _differ(cls, value: tuple[TokenKey, ...]) -> tuple[TokenKey, ...]:
        if len({key.id for key in value}) < len(value):
            raise ValueError("every token key has an id of its own")
        return value

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
