"""Taking entries out of lanes: by one blocking command where all lanes are on one server, by asking in turns in a
cluster, where one command cannot read several shards."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from redis import exceptions
from redis.asyncio import Redis

from gateway.store.batch import Commands
from gateway.store.exchange import Argument
from gateway.store.keys import GROUP
from gateway.store.unavailable import CLIENT_ERRORS, translated

Entry: TypeAlias = tuple[str, bytes, dict[bytes, bytes]]
"""Lane, entry id, fields."""

ASK_AGAIN_SECONDS = 0.02
"""Between two rounds of questions to a cluster whose lanes are empty."""


class Reader(Protocol):
    """Reads new entries for a consumer."""

    async def read(self, lanes: tuple[str, ...], *, consumer: str, count: int, block_ms: int) -> list[Entry]:
        """Up to `count` entries of each lane; waits up to `block_ms` for the first of them."""


class BlockingReader:
    """One command for all lanes, on a connection of its own: it may wait while others work."""

    def __init__(self, client: Redis, mend: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._mend = mend

    async def read(self, lanes: tuple[str, ...], *, consumer: str, count: int, block_ms: int) -> list[Entry]:
        """As `Reader.read`. A store that lost its lanes (emptied by hand) gets them again."""
        block = ("BLOCK", block_ms) if block_ms > 0 else ()
        wanted = ("STREAMS", *lanes, *(">" for _ in lanes))
        client: Any = self._client
        try:
            return _entries(
                await client.execute_command("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *block, *wanted)
            )
        except exceptions.ResponseError as error:
            await self._mended(error)
            return []
        except CLIENT_ERRORS as error:
            raise translated(error) from error

    async def _mended(self, error: exceptions.ResponseError) -> None:
        if not str(error).startswith("NOGROUP"):
            raise translated(error) from error
        await self._mend()


class AskingReader:
    """One command a lane, shared with everybody's pipelines; asks again until the time is over."""

    def __init__(self, commands: Commands, mend: Callable[[], Awaitable[None]]) -> None:
        self._commands = commands
        self._mend = mend

    async def read(self, lanes: tuple[str, ...], *, consumer: str, count: int, block_ms: int) -> list[Entry]:
        """As `Reader.read`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + block_ms / 1000
        while True:
            found = await asyncio.gather(*(self._ask(lane, consumer, count) for lane in lanes))
            entries = [entry for part in found for entry in part]
            if entries or loop.time() >= end:
                return entries
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _ask(self, lane: str, consumer: str, count: int) -> list[Entry]:
        command: tuple[Argument, ...] = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", lane, ">")
        try:
            return _entries(await self._commands.run(*command))
        except exceptions.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._mend()
            return []


def _entries(reply: Any) -> list[Entry]:
    """From redis-py's reading of an XREADGROUP reply; entries that were deleted meanwhile have no fields."""
    return [(lane.decode(), entry, fields) for lane, entries in reply or [] for entry, fields in entries if fields]
