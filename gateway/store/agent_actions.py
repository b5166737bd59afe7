"""Orders to queue agents: kept in the extension's record, written with the presence that asks for them, and found by
their due time. An extension is leased to one worker at a time, so that its orders stay in order."""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import TypeAdapter

from gateway.domain.agent_action import AgentOrder
from gateway.domain.event import Millis
from gateway.store.access import Access
from gateway.store.keys import ExtensionKeys, ShardKeys, decoded
from gateway.store.lua import AGENT_NOTE, AGENT_TAKE

AgentOrders: TypeAlias = tuple[AgentOrder, ...]

AGENT_ORDERS: TypeAdapter[AgentOrders] = TypeAdapter(AgentOrders)
LEASE_MS: Millis = 60_000
"""Longer than any connector takes for one order; after it another worker may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLease:
    """One extension's orders, taken by one worker."""

    tenant: str
    extension: str
    holder: str
    orders: AgentOrders
    """As they are; () when the extension was erased."""
    stored: bytes
    """The same as the store has them: proves that they are still those."""


class AgentActions:
    """Leases orders to workers and notes what came of them. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def take(self, holder: str, *, count: int) -> list[AgentLease]:
        """Extensions with orders that are due, at most `count` of each shard. Whoever takes one notes it."""
        found = await asyncio.gather(*(self._take(shard, holder, count) for shard in self._access.layout.shards))
        return [lease for leases in found for lease in leases]

    async def note(self, lease: AgentLease, orders: AgentOrders, *, due: Millis | None) -> bool:
        """End a lease with the orders as they are now, to be looked at again at `due` (None: none waits).

        False: the presence changed meanwhile, and nothing was noted.
        """
        keys = self._access.layout.extension(lease.tenant, lease.extension)
        names = (keys.record, keys.shard.agents_due, keys.agent_lease)
        changed = AGENT_ORDERS.dump_json(orders) if orders != lease.orders else b""
        reply = await self._access.commands.call(
            AGENT_NOTE,
            names,
            lease.holder,
            keys.place,
            lease.stored,
            changed,
            "" if due is None else due,
            self._access.clock(),
        )
        return bool(reply)

    async def _take(self, shard: ShardKeys, holder: str, count: int) -> list[AgentLease]:
        reply = await self._access.commands.call(
            AGENT_TAKE,
            (shard.agents_due,),
            self._access.clock(),
            count,
            shard.agent_lease_prefix,
            holder,
            LEASE_MS,
            shard.record_prefix,
        )
        return [_lease(place.decode(), stored, holder) for place, stored in zip(reply[::2], reply[1::2], strict=True)]


def orders_of(stored: bytes | None) -> AgentOrders:
    """The orders of an extension's record."""
    return AGENT_ORDERS.validate_json(stored) if stored else ()


async def forget(access: Access, keys: ExtensionKeys) -> None:
    """Nothing is due for an extension any more."""
    await access.commands.run("ZREM", keys.shard.agents_due, keys.place)


def _lease(place: str, stored: bytes, holder: str) -> AgentLease:
    tenant, _, extension = place.partition(":")
    return AgentLease(
        tenant=decoded(tenant), extension=decoded(extension), holder=holder, orders=orders_of(stored), stored=stored
    )
