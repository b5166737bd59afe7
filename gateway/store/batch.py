"""Group commit: concurrent callers share one round trip, and with it one fsync of the store.

The first command of a loop iteration schedules a flush for the end of that iteration. While batches are in flight,
further commands collect, so that batches grow with the load and a lone caller waits for nobody. Nothing is ever
sent twice by itself: a timeout leaves open whether a command ran, and only its caller knows whether it may repeat it.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

from redis import exceptions

from gateway.store.exchange import Argument, Command, Exchange
from gateway.store.lua import Script
from gateway.store.unavailable import CLIENT_ERRORS, translated

MOST_COMMANDS = 64
"""In one batch: bounds how long the server does nothing else. Measured: with larger ones server and gateway wait for
each other, smaller ones wait more often for the disk."""
MOST_IN_FLIGHT = 4
"""Batches at once: one is executed while others are composed, on their way, or read."""


class Commands(Protocol):
    """What the rooms of the store speak to."""

    async def run(self, *command: Argument) -> Any:
        """The reply to one command. Raises `StoreUnavailable`."""

    async def call(self, script: Script, keys: "tuple[str, ...]", *arguments: Argument) -> Any:
        """The reply of one script, atomic. All keys are of one shard. Raises `StoreUnavailable`."""


class Batch:
    """Sends what concurrent callers ask for in shared batches."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._scheduled = False
        self._flying: set[asyncio.Task[None]] = set()

    async def run(self, *command: Argument) -> Any:
        """The reply to one command. Raises `StoreUnavailable`; `ResponseError` for a mistake of ours."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, future))
        self._schedule(loop)
        return await future

    async def call(self, script: Script, keys: tuple[str, ...], *arguments: Argument) -> Any:
        """The reply of one script. A server that does not know the script (restarted, failed over) learns it."""
        try:
            return await self.run("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            return await self.run("EVAL", script.source, len(keys), *keys, *arguments)

    async def close(self) -> None:
        """Wait for what is in flight. Nothing may be asked afterwards."""
        while self._flying or self._waiting:
            self._flush()
            await asyncio.gather(*self._flying)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled and len(self._flying) < MOST_IN_FLIGHT:
            self._scheduled = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._flying) < MOST_IN_FLIGHT:
            size = min(MOST_COMMANDS, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(size)]
            task = asyncio.get_running_loop().create_task(self._send(batch))
            self._flying.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if self._waiting:
            self._schedule(asyncio.get_running_loop())

    async def _send(self, batch: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        try:
            replies = await self._exchange.send([command for command, _ in batch])
        except CLIENT_ERRORS as error:
            replies = [error] * len(batch)
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), reply in zip(batch, replies, strict=True):
            if future.done():
                continue
            if isinstance(reply, Exception):
                future.set_exception(_raised(reply))
            else:
                future.set_result(reply)


def _raised(error: Exception) -> Exception:
    translation = translated(error)
    if translation is not error:
        translation.__cause__ = error
    return translation
