"""Pushes that were given up. They stay until somebody replays or drops them."""

import asyncio
import heapq
import itertools

from gateway.domain.event import Millis
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.keys import ShardKeys
from gateway.store.lua import DROP, REPLAY
from gateway.store.paging import newest
from gateway.store.results import PushRecord


class DeadLetters:
    """Lists and works off dead letters. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def list(self, *, after: str | None = None, limit: int = 50) -> tuple[PushRecord, ...]:
        """Up to `limit` dead letters, the last that died first; from the one after the push id `after` on, also when
        that was replayed or dropped meanwhile. An unknown `after` gives nothing."""
        shards = self._access.layout.shards
        bound = None
        if after is not None and (bound := await self._died(after)) is None:
            return ()
        searches = await asyncio.gather(
            *(newest(self._access, shard.dead, after=bound, limit=limit, wanted=lambda _: True) for shard in shards)
        )
        listed = ([(member, shard) for member in found] for shard, (found, _) in zip(shards, searches, strict=True))
        merged = heapq.merge(*listed, key=lambda pair: pair[0], reverse=True)
        shown = itertools.islice(merged, limit)
        records = await asyncio.gather(*(self._record(shard, member.partition("|")[2]) for member, shard in shown))
        return tuple(record for record in records if record is not None)

    async def get(self, push_id: str) -> PushRecord | None:
        """One dead letter; None if this push is none."""
        shard = await self._shard(push_id)
        return await self._record(shard, push_id) if shard is not None else None

    async def replay(self, push_id: str, now: Millis, *, rev: int | None = None) -> bool:
        """Queue it again, with its attempts forgiven. False: no dead letter, past its deadline, withdrawn, or its
        extension is no longer at `rev` (None: at any)."""
        shard = await self._shard(push_id)
        if shard is None:
            return False
        names = (shard.push(push_id), shard.dead)
        expected = "" if rev is None else rev
        return bool(await self._access.commands.call(REPLAY, names, push_id, now, self._access.retention, expected))

    async def drop(self, push_id: str) -> bool:
        """Give it up for good; the history keeps it for the retention. False: it is no dead letter."""
        shard = await self._shard(push_id)
        if shard is None:
            return False
        names = (shard.push(push_id), shard.dead)
        return bool(await self._access.commands.call(DROP, names, self._access.retention))

    async def count(self) -> int:
        """How many there are."""
        run = self._access.commands.run
        return sum(await asyncio.gather(*(run("ZCARD", shard.dead) for shard in self._access.layout.shards)))

    async def _shard(self, push_id: str) -> ShardKeys | None:
        """Where the dead letter is: its id does not tell, so all are asked, in one round trip."""
        shards = self._access.layout.shards
        run = self._access.commands.run
        found = await asyncio.gather(*(run("HEXISTS", shard.push(push_id), "dead") for shard in shards))
        return next((shard for shard, there in zip(shards, found, strict=True) if there), None)

    async def _died(self, push_id: str) -> str | None:
        """Where in the list the push is, or was."""
        run = self._access.commands.run
        found = await asyncio.gather(
            *(run("HGET", shard.push(push_id), "died") for shard in self._access.layout.shards)
        )
        return next((member.decode() for member in found if member is not None), None)

    async def _record(self, shard: ShardKeys, push_id: str) -> PushRecord | None:
        return codec.push_record(
            await self._access.commands.run("HMGET", shard.push(push_id), *codec.PUSH_RECORD_FIELDS)
        )
