"""How a worker without work learns that there is some: by one blocking command where all lanes are on one server, by
waiting a little and looking again in a cluster, where one command cannot listen to several shards."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from redis.asyncio import Redis

from gateway.store.unavailable import CLIENT_ERRORS, translated

LOOK_AGAIN_SECONDS = 0.02
"""Between two looks into the empty lanes of a cluster."""


class Bell(Protocol):
    """Wakes workers. It may ring for nothing, and it tells nothing but to look into the lanes."""

    def heard(self, bells: tuple[str, ...]) -> Mapping[str, str]:
        """How often each has rung so far. To be asked before a look into the lanes: a ring after it is not missed."""

    async def rings(self, heard: Mapping[str, str], *, block_ms: int) -> bool:
        """Wait until one of them rings, at most `block_ms`. False: all stayed silent. Raises `StoreUnavailable`."""


class BlockingBell:
    """Listens on a connection of its own: it may wait while others work. Takes nothing out, so that a listener that
    gives up disturbs nobody."""

    def __init__(self, client: Redis) -> None:
        self._client: Any = client
        self._heard: dict[str, str] = {}

    def heard(self, bells: tuple[str, ...]) -> Mapping[str, str]:
        """As `Bell.heard`: the id of the last entry."""
        return {bell: self._heard.get(bell, "0") for bell in bells}

    async def rings(self, heard: Mapping[str, str], *, block_ms: int) -> bool:
        """As `Bell.rings`."""
        command = ("XREAD", "BLOCK", block_ms, "STREAMS", *heard, *heard.values())
        try:
            reply = await self._client.execute_command(*command)
        except CLIENT_ERRORS as error:
            raise translated(error) from error
        for (
            bell
        ) in heard:  # a store that was emptied may begin with smaller ids: after a silence all are asked for anew
            self._heard.pop(bell, None)
        for bell, entries in reply or ():
            self._heard[bell.decode()] = entries[-1][0].decode()
        return bool(reply)


class AskingBell:
    """Rings after a little while, whether there is something or not."""

    def heard(self, bells: tuple[str, ...]) -> Mapping[str, str]:
        """As `Bell.heard`: nothing is."""
        return {}

    async def rings(self, heard: Mapping[str, str], *, block_ms: int) -> bool:
        """As `Bell.rings`."""
        await asyncio.sleep(min(LOOK_AGAIN_SECONDS, block_ms / 1000))
        return True
