"""One batch of commands to the server, and its replies.

On a single server a batch is a transaction: the server reads commands in parts of 16 KB, and with `appendfsync always`
waits for the disk after each part that wrote something. Queued up to EXEC, a whole batch waits once. redis-py's own
pipeline is not used there: it packs commands in Python and arms a timer for each reply, which costs more than all the
rest; its connections (address, password, TLS, Sentinel, reconnecting) are.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import hiredis
from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from gateway.store.connection import ANSWER_SECONDS

Argument: TypeAlias = str | bytes | int
Command: TypeAlias = tuple[Argument, ...]


WAIT_MS = 1000
"""How long replicas may take to say that they have a batch; well within `ANSWER_SECONDS`."""


class Exchange(Protocol):
    """Sends batches."""

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each command, as the server gave it; an error reply is an exception among them.

        Raises what the client library raises when there is no answer; any of the commands may have run then.
        """


class SingleServer:
    """Batches for one server, standalone or behind Sentinel."""

    def __init__(self, client: Redis, *, wait_replicas: int = 0) -> None:
        self._pool: Any = client.connection_pool
        self._wait_replicas = wait_replicas

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """As `Exchange.send`. The commands run in one transaction; where one of them is refused beforehand (memory
        full, a replica), nothing ran, and they are sent again one by one: the others may do."""
        if len(commands) > 1:
            replies = await self._converse([("MULTI",), *commands, ("EXEC",)])
            if not isinstance(replies[-1], Exception):
                return list(replies[-1])
            if not isinstance(replies[-1], exceptions.ExecAbortError):
                return [replies[-1]] * len(commands)
        return await self._converse(commands)

    async def _converse(self, commands: Sequence[Command]) -> list[Any]:
        """Raises `ResponseError` (NOREPLICAS) when fewer replicas than asked for say in time that they have it."""
        if not self._wait_replicas:
            return await self._ask(commands)
        *replies, acknowledged = await self._ask([*commands, ("WAIT", self._wait_replicas, WAIT_MS)])
        if isinstance(acknowledged, Exception):
            raise acknowledged
        if acknowledged < self._wait_replicas:
            raise exceptions.ResponseError("NOREPLICAS too few replicas have acknowledged the write")
        return replies

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        connection = await self._pool.get_connection()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await connection.send_packed_command(_packed(commands), check_health=False)
                return [await _reply(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)


def _packed(commands: Sequence[Command]) -> bytes:
    pack: Any = hiredis.pack_command
    return b"".join([pack(command) for command in commands])


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)  # the whole conversation has its limit
    except exceptions.ResponseError as error:
        return error


class Cluster:
    """Batches for a cluster: one pipeline a node."""

    def __init__(self, client: RedisCluster) -> None:
        self._client: Any = client

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """As `Exchange.send`; each node runs its part for itself."""
        pipeline = self._client.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies
