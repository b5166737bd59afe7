"""Forgetting an extension: nothing about it stays, not even that its events were ever accepted."""

import asyncio
from collections.abc import Iterable
from typing import Any

from gateway.store import agent_actions, codec, synchronised
from gateway.store.access import Access
from gateway.store.devices import release
from gateway.store.keys import ExtensionKeys, ShardKeys, decoded
from gateway.store.lua import ERASE
from gateway.store.paging import id_of
from gateway.store.results import Move

STEP = 200
"""Events, or dead letters, looked at in one round trip."""


class Erasure:
    """Erases extensions."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._commands = access.commands

    async def erase(self, tenant: str, extension: str) -> dict[str, int]:
        """Erase an extension; what could be sent goes first. See `Extensions.erase`."""
        keys = self._access.layout.extension(tenant, extension)
        names = (keys.record, keys.device_ids, keys.inbox, keys.inbox_order)
        record, devices, items = await self._commands.call(ERASE, names, keys.device_prefix)
        await agent_actions.forget(self._access, keys)
        await synchronised.forget(self._access, keys)
        await self._release(tenant, extension, devices)
        events, pushes = await self._history(tenant, keys)
        pushes += await self._loose_pushes(keys)
        pushes += await self._dead_letters(keys)
        moves = await self._moves(tenant, extension)
        return {
            "presence": record,
            "devices": len(devices),
            "inbox": items,
            "events": events,
            "pushes": pushes,
            "moves": moves,
        }

    async def _release(self, tenant: str, extension: str, devices: Any) -> None:
        await asyncio.gather(
            *(
                release(self._access, key.decode(), (tenant, extension, decoded(device_id.decode())))
                for device_id, owned in devices
                for key in owned
                if key is not None
            )
        )

    async def _history(self, tenant: str, keys: ExtensionKeys) -> tuple[int, int]:
        """Events with their guards, calls and pushes: up to the newest one of now, in steps."""
        last = await self._commands.run("ZREVRANGE", keys.history, 0, 0)
        events = pushes = 0
        while last:
            bound = f"[{last[0].decode()}"
            members = await self._commands.run("ZRANGEBYLEX", keys.history, "-", bound, "LIMIT", 0, STEP)
            if not members:
                break
            pushes += await self._events(tenant, keys, [member.decode() for member in members])
            events += len(members)
        return events, pushes

    async def _events(self, tenant: str, keys: ExtensionKeys, members: list[str]) -> int:
        shard = keys.shard
        names = [shard.event(tenant, id_of(member)) for member in members]
        rows = await asyncio.gather(*(self._commands.run("HMGET", name, "guards", "pushes", "call") for name in names))
        guards, pushes, calls = ([word for row in rows for word in _words(row[part])] for part in range(3))
        erased = await self._pushes(shard, pushes)
        await self._delete((*guards, *calls, *names))
        await self._commands.run("ZREM", shard.history(tenant), *members)
        await self._commands.run("ZREM", keys.history, *members)
        return erased

    async def _loose_pushes(self, keys: ExtensionKeys) -> int:
        push_ids = [item.decode() for item in await self._commands.run("ZRANGE", keys.loose_pushes, 0, -1)]
        erased = await self._pushes(keys.shard, push_ids)
        await self._delete((keys.loose_pushes,))
        return erased

    async def _dead_letters(self, keys: ExtensionKeys) -> int:
        """Dead letters outlive the history that names them: all of the shard are looked at."""
        mine: list[str] = []
        at = 0
        while members := await self._commands.run("ZRANGE", keys.shard.dead, at, at + STEP - 1):
            push_ids = [member.decode().partition("|")[2] for member in members]
            owners = await asyncio.gather(
                *(self._commands.run("HGET", keys.shard.push(push_id), "extension") for push_id in push_ids)
            )
            mine += [push_id for push_id, owner in zip(push_ids, owners, strict=True) if owner == keys.record.encode()]
            at += STEP
        return await self._pushes(keys.shard, mine)

    async def _pushes(self, shard: ShardKeys, push_ids: list[str]) -> int:
        """Push records, wherever they wait. Their lane entries end when a worker finds nothing behind them."""
        if not push_ids:
            return 0
        members = await asyncio.gather(
            *(self._commands.run("HGET", shard.push(push_id), "dead") for push_id in push_ids)
        )
        erased = await self._delete(shard.push(push_id) for push_id in push_ids)
        await self._commands.run("ZREM", shard.later, *push_ids)
        dead = [member for member in members if member is not None]
        if dead:
            await self._commands.run("ZREM", shard.dead, *dead)
        return erased

    async def _moves(self, tenant: str, extension: str) -> int:
        """Lines of the tenant's audit list that name the extension."""
        key = self._access.layout.moves(tenant)
        lines = [line for line in await self._commands.run("LRANGE", key, 0, -1) if _names(line, extension)]
        await asyncio.gather(*(self._commands.run("LREM", key, 0, line) for line in set(lines)))
        return len(lines)

    async def _delete(self, names: Iterable[str]) -> int:
        unique = tuple(dict.fromkeys(names))
        return int(await self._commands.run("UNLINK", *unique)) if unique else 0


def _words(value: bytes | None) -> list[str]:
    return value.decode().split() if value else []


def _names(line: bytes, extension: str) -> bool:
    move: Move = codec.MOVE.validate_json(line)
    return any(place is not None and place.extension == extension for place in (move.origin, move.target))
