"""What was last agreed with a PBX about each extension, who is to be read again, and who of several processes reads."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.event import Millis
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.keys import ExtensionKeys, decoded


class Side(StrEnum):
    """Who said that something changed."""

    PBX = "pbx"
    HERE = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rereading:
    """One extension that has to be synchronised."""

    tenant: str
    extension: str
    side: Side
    at: Millis


class Synchronised:
    """Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def load(self, tenant: str, extension: str) -> dict[str, str]:
        """What was remembered, by what it is about."""
        keys = self._access.layout.extension(tenant, extension)
        fields = codec.fields_of(await self._access.commands.run("HGETALL", keys.synchronised))
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def save(self, tenant: str, extension: str, remembered: Mapping[str, str]) -> None:
        """Remember this; what is not named stays."""
        keys = self._access.layout.extension(tenant, extension)
        if remembered:
            await self._access.commands.run("HSET", keys.synchronised, *codec.flat(dict(remembered)))

    async def ask(self, tenant: str, extension: str, source: str, side: Side) -> None:
        """The extension changed just now: whoever synchronises this source reads it again."""
        keys = self._access.layout.extension(tenant, extension)
        await self._access.commands.run(
            "ZADD", keys.shard.rereadings(source), self._access.clock(), f"{side}:{keys.place}"
        )

    async def asked(self, source: str) -> list[Rereading]:
        """Take all that were asked for. Interrupted, they are found by the next whole reading."""
        run = self._access.commands.run
        names = [shard.rereadings(source) for shard in self._access.layout.shards]
        found: list[Rereading] = []
        for name, entries in zip(
            names, await asyncio.gather(*(run("ZRANGE", name, 0, -1, "WITHSCORES") for name in names)), strict=True
        ):
            for member, score in _pairs(entries):
                if await run("ZREM", name, member):
                    found.append(_rereading(member.decode(), int(float(score))))
        return found

    async def claim(self, source: str, holder: str, *, milliseconds: int) -> bool:
        """Whether this holder is the one that synchronises the source, from now on for so long."""
        name = self._access.layout.synchroniser(source)
        run = self._access.commands.run
        if await run("SET", name, holder, "NX", "PX", milliseconds):
            return True
        if await run("GET", name) != holder.encode():
            return False
        return bool(await run("PEXPIRE", name, milliseconds))


async def forget(access: Access, keys: ExtensionKeys) -> None:
    """Nothing is known of what an extension's PBX had."""
    await access.commands.run("UNLINK", keys.synchronised)


def _pairs(entries: list[object]) -> list[tuple[bytes, bytes]]:
    """Members with scores, whether the client paired them or left them flat."""
    if entries and isinstance(entries[0], (tuple, list)):
        return [(pair[0], pair[1]) for pair in entries if isinstance(pair, (tuple, list))]
    flat = [entry for entry in entries if isinstance(entry, bytes)]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _rereading(member: str, at: Millis) -> Rereading:
    side, tenant, extension = member.split(":")
    return Rereading(tenant=decoded(tenant), extension=decoded(extension), side=Side(side), at=at)
