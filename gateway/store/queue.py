"""The queue of pushes. A lane is a stream for each tenant that has something in it, and an order of turns; a lease is
an entry of the pending list of a stream's consumer group.

A push leaves its lane only by `settle`, in the atomic step that records what came of it. What a worker took and did
not settle comes back by `reclaim`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from gateway.domain.event import Millis
from gateway.domain.push import Lane
from gateway.domain.settlement import Settlement
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.bell import Bell
from gateway.store.devices import Devices
from gateway.store.exchange import Argument
from gateway.store.keys import ShardKeys, decoded, encoded
from gateway.store.lua import DEPTH, DUE, FORGET, LOAD, RECLAIM, RENEW, SETTLE, TAKE, Script
from gateway.store.results import LaneDepth, Lease, Loaded, Settled

MOST_BLOCK_MS = 1000
"""A blocking read waits no longer, so that it ends well within the socket's timeout."""

Place: TypeAlias = tuple[ShardKeys, Lane]
"""A lane in one shard."""


class Queue:
    """Leases pushes to workers. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access, devices: Devices, bell: Bell) -> None:
        self._access = access
        self._devices = devices
        self._bell = bell

    async def take(self, consumer: str, *, lanes: tuple[Lane, ...], count: int, block_ms: int) -> list[Lease]:
        """Up to about `count` pushes of these lanes, for this consumer alone; waits up to `block_ms` (at most 1000)
        for the first. Lanes are not ordered here: ask for the more urgent one first. Within a lane tenants take turns.

        Each lane of each shard gives an equal part: where there are more of them than `count`, one push of each may
        come.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + min(block_ms, MOST_BLOCK_MS) / 1000
        places = [(shard, lane) for shard in self._access.layout.shards for lane in lanes]
        bells = tuple(shard.bell(lane) for shard, lane in places)
        while True:
            heard = self._bell.heard(bells)
            leases = await self._from(places, TAKE, consumer, max(1, count // len(places)))
            left_ms = round((end - loop.time()) * 1000)
            if leases or left_ms <= 0 or not await self._bell.rings(heard, block_ms=left_ms):
                return leases

    async def reclaim(self, consumer: str, *, min_idle_ms: int, count: int) -> list[Lease]:
        """Up to about `count` leases that nobody renewed for `min_idle_ms`: their worker is gone, or hangs."""
        places = [(shard, lane) for shard in self._access.layout.shards for lane in Lane]
        return await self._from(places, RECLAIM, consumer, min_idle_ms, max(1, count // len(places)))

    async def renew(self, consumer: str, leases: list[Lease]) -> tuple[Lease, ...]:
        """Leases begin anew. Returns those that are still this consumer's; the others were reclaimed or settled."""
        by_stream: dict[tuple[str, str], dict[str, Lease]] = defaultdict(dict)
        for lease in leases:
            by_stream[self._shard(lease).lane(lease.lane), encoded(lease.tenant)][lease.entry_id] = lease
        held = await asyncio.gather(
            *(
                self._access.commands.call(RENEW, (lane,), tenant, consumer, *entries)
                for (lane, tenant), entries in by_stream.items()
            )
        )
        return tuple(
            entries[entry.decode()] for entries, kept in zip(by_stream.values(), held, strict=True) for entry in kept
        )

    async def load(self, lease: Lease) -> Loaded | None:
        """The push as it is now, with its device. None: it was erased; the lease has ended."""
        shard = self._shard(lease)
        names = (shard.push(lease.push_id), shard.lane(lease.lane))
        reply = await self._access.commands.call(LOAD, names, encoded(lease.tenant), lease.entry_id)
        if reply is None:
            return None
        loaded = codec.loaded(reply, self._access.seals)
        device = loaded.device
        token = device.token_for(loaded.push.kind) if device is not None else None
        if device is None or token is None or await self._devices.owns(device, token):
            return loaded
        return codec.without_device(loaded)

    async def settle(self, lease: Lease, settlement: Settlement) -> Settled | None:
        """End a lease, in one atomic step. None: somebody else settled it, and nothing was written.

        A push that became untrue meanwhile is not deferred but ends as `withdrawn`; what replaces it is queued where
        it was accepted, or where an attempt without an answer leaves open whether a phone has it.
        """
        shard = self._shard(lease)
        names = (shard.push(lease.push_id), shard.lane(lease.lane), shard.later, shard.dead)
        reply = await self._access.commands.call(SETTLE, names, *self._settlement(lease, settlement))
        if reply == 0:
            return None
        return Settled(unread=codec.UNREAD.validate_json(reply) if isinstance(reply, bytes) else None)

    async def move_due(self, now: Millis, limit: int = 200) -> int:
        """Put pushes whose time has come into their lanes; at most `limit` of each shard. Returns how many.

        A clock that is put back by more than a minute takes the waiting pushes with it.
        """
        moved = await asyncio.gather(
            *(
                self._access.commands.call(DUE, (shard.later, shard.clock), now, limit, shard.push_prefix)
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
                self._access.commands.call(FORGET, (lane,), consumer)
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
            encoded(lease.tenant),
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

    async def _from(self, places: list[Place], script: Script, *arguments: Argument) -> list[Lease]:
        """What a script leases out of each of these lanes."""
        replies = await asyncio.gather(
            *(self._access.commands.call(script, (shard.lane(lane),), *arguments) for shard, lane in places)
        )
        return [lease for place, reply in zip(places, replies, strict=True) for lease in _leases(place, reply)]


def _leases(place: Place, reply: Sequence[Any]) -> Iterator[Lease]:
    """From tenants, each with its entries."""
    shard, lane = place
    for tenant, entries in zip(reply[::2], reply[1::2], strict=True):
        name = decoded(tenant.decode())
        for entry, fields in entries:
            yield Lease(shard=shard.number, lane=lane, tenant=name, entry_id=entry.decode(), push_id=fields[1].decode())
