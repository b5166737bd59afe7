"""From what the client library raises to `StoreUnavailable`: one table, and no address or password in the message."""

import asyncio

from redis import exceptions

from gateway.domain.errors import StoreUnavailable

_CANNOT_WRITE = {
    "OOM": "the store's memory is full",
    "READONLY": "the store is a read-only replica",
    "MISCONF": "the store cannot write to its disk",
    "LOADING": "the store is still loading its data",
    "BUSY": "the store is busy with a long script",
    "NOREPLICAS": "the store has too few replicas",
    "MASTERDOWN": "the store's primary is down",
    "CLUSTERDOWN": "the store's cluster is down",
    "TRYAGAIN": "the store's cluster is moving a shard",
    "MOVED": "the store's cluster is moving a shard",
    "ASK": "the store's cluster is moving a shard",
    "UNKILLABLE": "the store is busy with a long script",
    "NOAUTH": "the store refuses the password",
    "WRONGPASS": "the store refuses the password",
    "NOPERM": "the store's user lacks a permission",
}
"""First word of an error reply -> what it means here. Any other reply is our own mistake and is raised as it came."""

_BY_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.OutOfMemoryError, _CANNOT_WRITE["OOM"]),
    (exceptions.ReadOnlyError, _CANNOT_WRITE["READONLY"]),
    (exceptions.NoPermissionError, _CANNOT_WRITE["NOPERM"]),
    (exceptions.BusyLoadingError, _CANNOT_WRITE["LOADING"]),
    (exceptions.AuthenticationError, _CANNOT_WRITE["WRONGPASS"]),
    (exceptions.ClusterDownError, _CANNOT_WRITE["CLUSTERDOWN"]),
    (exceptions.TryAgainError, _CANNOT_WRITE["TRYAGAIN"]),
    (exceptions.MovedError, _CANNOT_WRITE["MOVED"]),
    (exceptions.AskError, _CANNOT_WRITE["ASK"]),
    (exceptions.TimeoutError, "the store does not answer"),
    (exceptions.ConnectionError, "the store cannot be reached"),
    (exceptions.RedisClusterException, "the store's cluster cannot be reached"),
    (asyncio.TimeoutError, "the store does not answer"),
    (OSError, "the store cannot be reached"),
)

CLIENT_ERRORS = (exceptions.RedisError, exceptions.RedisClusterException, OSError, asyncio.TimeoutError)
"""Everything that the client library raises for a store in trouble."""


def why_unavailable(error: BaseException) -> str | None:
    """What is wrong with the store, for a person; None: the error is no trouble of the store's."""
    for kind, detail in _BY_CLASS:
        if isinstance(error, kind):
            return detail
    if isinstance(error, exceptions.ResponseError):
        return _CANNOT_WRITE.get(str(error).partition(" ")[0])
    return None


def translated(error: Exception) -> Exception:
    """`StoreUnavailable` for trouble of the store's, else the error itself. Raise it `from` the original."""
    detail = why_unavailable(error)
    return error if detail is None else StoreUnavailable(detail)
