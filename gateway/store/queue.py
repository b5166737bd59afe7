"""The queue of pushes: lanes are streams with one consumer group, a lease is an entry of the group's pending list.

A push leaves its lane only by `settle`, in the atomic step that records what came of it. What a worker took and did
not settle comes back by `reclaim`.
"""

import asyncio
from collections import defaultdict
from typing import Any

from gateway.domain.event import Millis
from gateway.domain.push import Lane
from gateway.domain.settlement import Settlement
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.devices import Devices
from gateway.store.keys import GROUP, ShardKeys
from gateway.store.lua import DEPTH, DUE, FORGET, LOAD, RENEW, SETTLE
from gateway.store.reading import Reader
from gateway.store.results import LaneDepth, Lease, Loaded

MOST_BLOCK_MS = 1000
"""A blocking read waits no longer, so that it ends well within the socket's timeout."""


class Queue:
    """Leases pushes to workers. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access, devices: Devices, reader: Reader) -> None:
        self._access = access
        self._devices = devices
        self._reader = reader

    async def take(self, consumer: str, *, lanes: tuple[Lane, ...], count: int, block_ms: int) -> list[Lease]:
        """Up to about `count` pushes of these lanes, for this consumer alone; waits up to `block_ms` (at most 1000)
        for the first. Lanes are not ordered here: ask for the more urgent one first.

        Several lanes or shards are read by one command that bounds each of them: where they are more than `count`,
        one entry of each may come.
        """
        streams = {shard.lane(lane): (shard.number, lane) for shard in self._access.layout.shards for lane in lanes}
        each = max(1, count // len(streams))
        found = await self._reader.read(
            tuple(streams), consumer=consumer, count=each, block_ms=min(block_ms, MOST_BLOCK_MS)
        )
        return [
            Lease(shard=streams[name][0], lane=streams[name][1], entry_id=entry.decode(), push_id=fields[b"p"].decode())
            for name, entry, fields in found
        ]

    async def reclaim(self, consumer: str, *, min_idle_ms: int, count: int) -> list[Lease]:
        """Up to about `count` leases that nobody renewed for `min_idle_ms`: their worker is gone, or hangs."""
        pairs = [(shard, lane) for shard in self._access.layout.shards for lane in Lane]
        each = max(1, count // len(pairs))
        found = await asyncio.gather(*(self._reclaim(*pair, consumer, min_idle_ms, each) for pair in pairs))
        return [lease for leases in found for lease in leases]

    async def renew(self, consumer: str, leases: list[Lease]) -> tuple[Lease, ...]:
        """Leases begin anew. Returns those that are still this consumer's; the others were reclaimed or settled."""
        by_lane: dict[str, dict[str, Lease]] = defaultdict(dict)
        for lease in leases:
            by_lane[self._shard(lease).lane(lease.lane)][lease.entry_id] = lease
        held = await asyncio.gather(
            *(
                self._access.commands.call(RENEW, (lane,), GROUP, consumer, *entries)
                for lane, entries in by_lane.items()
            )
        )
        return tuple(
            entries[entry.decode()] for entries, kept in zip(by_lane.values(), held, strict=True) for entry in kept
        )

    async def load(self, lease: Lease) -> Loaded | None:
        """The push as it is now, with its device. None: it was erased; the lease has ended."""
        shard = self._shard(lease)
        names = (shard.push(lease.push_id), shard.lane(lease.lane))
        reply = await self._access.commands.call(LOAD, names, GROUP, lease.entry_id)
        if reply is None:
            return None
        loaded = codec.loaded(reply, self._access.seals)
        device = loaded.device
        token = device.token_for(loaded.push.kind) if device is not None else None
        if device is None or token is None or await self._devices.owns(device, token):
            return loaded
        return codec.without_device(loaded)

    async def settle(self, lease: Lease, settlement: Settlement) -> bool:
        """End a lease, in one atomic step. False: somebody else settled it, and nothing was written.

        A push that became untrue meanwhile is not deferred but ends as `withdrawn`; what replaces it is queued where
        it was accepted, or where an attempt without an answer leaves open whether a phone has it.
        """
        shard = self._shard(lease)
        names = (shard.push(lease.push_id), shard.lane(lease.lane), shard.later, shard.dead)
        reply = await self._access.commands.call(SETTLE, names, *self._settlement(lease, settlement))
        return bool(reply)

    async def move_due(self, now: Millis, limit: int = 200) -> int:
        """Put pushes whose time has come into their lanes; at most `limit` of each shard. Returns how many."""
        moved = await asyncio.gather(
            *(
                self._access.commands.call(DUE, (shard.later,), now, limit, shard.push_prefix)
                for shard in self._access.layout.shards
            )
        )
        return sum(moved)

    async def depth(self) -> dict[Lane, LaneDepth]:
        """How full each lane is, over all shards."""
        replies = await asyncio.gather(
            *(self._access.commands.call(DEPTH, shard.lanes) for shard in self._access.layout.shards)
        )
        depths = {}
        for index, lane in enumerate(Lane):
            ages = [reply[2 * index + 1] for reply in replies if reply[2 * index + 1] >= 0]
            depths[lane] = LaneDepth(
                depth=sum(reply[2 * index] for reply in replies), oldest_ms=max(ages) if ages else None
            )
        return depths

    async def forget_consumer(self, consumer: str) -> None:
        """A worker is gone. Lanes in which it still holds leases keep it until they are reclaimed."""
        await asyncio.gather(
            *(
                self._access.commands.call(FORGET, (lane,), GROUP, consumer)
                for shard in self._access.layout.shards
                for lane in shard.lanes
            )
        )

    def _shard(self, lease: Lease) -> ShardKeys:
        return self._access.layout.shards[lease.shard]

    def _settlement(self, lease: Lease, settlement: Settlement) -> tuple[codec.Field, ...]:
        now, attempt, change = self._access.clock(), settlement.attempt, settlement.device
        fields = tuple(codec.flat(codec.change_fields(change))) if change is not None else ()
        return (
            GROUP,
            lease.entry_id,
            lease.push_id,
            self._shard(lease).push_prefix,
            settlement.state.value,
            now,
            settlement.due if settlement.due is not None else now,
            codec.ATTEMPT.dump_json(attempt) if attempt is not None else "",
            int(settlement.counts),
            int(attempt is not None and attempt.leaves_open),
            f"{now:013d}|{lease.push_id}",
            change.registered_at if change is not None and fields else "",
            *fields,
        )

    async def _reclaim(self, shard: ShardKeys, lane: Lane, consumer: str, min_idle_ms: int, count: int) -> list[Lease]:
        leases: list[Lease] = []
        cursor: bytes | str = "0-0"
        while True:
            wanted = count - len(leases)
            reply: Any = await self._access.commands.run(
                "XAUTOCLAIM", shard.lane(lane), GROUP, consumer, min_idle_ms, cursor, "COUNT", wanted
            )
            cursor, entries = reply[0], reply[1]
            leases += [
                Lease(
                    shard=shard.number,
                    lane=lane,
                    entry_id=entry.decode(),
                    push_id=codec.fields_of(fields)[b"p"].decode(),
                )
                for entry, fields in filter(None, entries)
            ]
            if cursor == b"0-0" or len(leases) >= count:
                return leases
