"""From the store's URL to clients: one for pipelines, one for blocking reads.

Both are without retries of their own: what may be repeated is known only to whoever asked. redis-py 8 would else send
a command up to ten times more.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from gateway.domain.errors import ConfigurationError, Problem

Client: TypeAlias = Redis | RedisCluster

ANSWER_SECONDS = 3.0
"""A server that does not answer for so long is taken for gone. Longer than a blocking read, and than a slow fsync."""
CONNECT_SECONDS = 2.0

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the server is. The password is not printed."""

    kind: str
    """`single`, `unix`, `sentinel` or `cluster`."""
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def target_of(url: str) -> Target:
    """Read a store URL: `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/service/db`,
    `redis+cluster://h1,h2`. Raises `ConfigurationError`, without repeating the URL: it may hold a password."""
    try:
        return _target(urlsplit(url))
    except ValueError as error:
        raise ConfigurationError(Problem(loc="store.url", msg=str(error) or "not a store URL")) from None


def _target(parts: SplitResult) -> Target:
    head, _, hosts = parts.netloc.rpartition("@")
    username, _, password = head.partition(":")
    words = [word for word in parts.path.split("/") if word]
    access: dict[str, Any] = {
        "username": unquote(username) or None,
        "password": unquote(password) or None,
        "tls": parts.scheme.startswith("rediss"),
    }
    match parts.scheme.replace("rediss", "redis"):
        case "unix":
            if not parts.path:
                raise ValueError("unix:// needs the path of a socket")
            return Target(kind="unix", path=unquote(parts.path), **access)
        case "redis":
            return Target(kind="single", hosts=_hosts(hosts, DEFAULT_PORT)[:1], db=_db(words[:1]), **access)
        case "redis+sentinel":
            if not words:
                raise ValueError("redis+sentinel:// needs the service's name, as in redis+sentinel://h1,h2/service")
            nodes = _hosts(hosts, SENTINEL_PORT)
            return Target(kind="sentinel", hosts=nodes, service=unquote(words[0]), db=_db(words[1:2]), **access)
        case "redis+cluster":
            return Target(kind="cluster", hosts=_hosts(hosts, DEFAULT_PORT), **access)
    raise ValueError("not a store URL")


def _hosts(text: str, port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for part in text.split(","):
        parsed = urlsplit(f"//{part}")
        if not parsed.hostname:
            raise ValueError("the store URL names no server")
        hosts.append((parsed.hostname, parsed.port or port))
    return tuple(hosts)


def _db(words: list[str]) -> int:
    if words and not words[0].isdecimal():
        raise ValueError("the database in the store URL is no number")
    return int(words[0]) if words else 0


@dataclass(frozen=True, slots=True)
class Clients:
    """The way to the server."""

    commands: Client
    """For batches."""
    blocking: Redis | None
    """For reads that wait; None in a cluster, where one command cannot read several shards."""


@asynccontextmanager
async def open_clients(target: Target) -> AsyncIterator[Clients]:
    """Clients of the server. Connects at the first command, and again by itself after an outage."""
    async with AsyncExitStack() as stack:
        if target.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in target.hosts]
            cluster: RedisCluster = RedisCluster(startup_nodes=nodes, ssl=target.tls, **_options(target))
            stack.push_async_callback(cluster.aclose)
            _as_it_came(cluster)
            yield Clients(cluster, None)
            return
        clients = [_single(target, stack) for _ in range(2)]
        yield Clients(clients[0], clients[1])


def _single(target: Target, stack: AsyncExitStack) -> Redis:
    options = _options(target)
    client: Redis
    if target.kind == "sentinel":
        make: Any = Sentinel
        sentinel = make(list(target.hosts), sentinel_kwargs=_sentinel_options(options), **options)
        client = sentinel.master_for(target.service, db=target.db, **_tls(target))
        for watcher in sentinel.sentinels:
            stack.push_async_callback(watcher.aclose)
    elif target.kind == "unix":
        client = Redis(unix_socket_path=target.path, **options)
    else:
        host, port = target.hosts[0]
        client = Redis(host=host, port=port, db=target.db, **_tls(target), **options)
    stack.push_async_callback(client.aclose)
    _as_it_came(client)
    return client


def _as_it_came(client: Any) -> None:
    """SET with GET answers with the old value; redis-py would make a bool of it."""
    client.set_response_callback("SET", lambda reply, **_: reply)


def _tls(target: Target) -> dict[str, Any]:
    return {"ssl": True} if target.tls else {}


def _options(target: Target) -> dict[str, Any]:
    return {
        "username": target.username,
        "password": target.password,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
    }


def _sentinel_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Sentinels are asked with the same patience; the password of the URL is the server's, not theirs."""
    return {name: value for name, value in options.items() if name not in ("username", "password")}
