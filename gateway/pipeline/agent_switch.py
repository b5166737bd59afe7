"""Agent status auto switch: orders go to the PBX, in order, until it did them or the presence changed again."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from gateway.domain.agent_action import AgentOrder, AgentOrderState
from gateway.domain.event import Millis
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import Presence
from gateway.pipeline.pbx import Connector, connected_source
from gateway.policy.agent_switch import next_order, ordered, with_outcome
from gateway.settings import TenantSettings
from gateway.store import AgentLease, Store

logger = structlog.get_logger(__name__)

MOST_AT_ONCE = 16
"""Extensions of one shard that are worked on at once."""


def orders_after(
    tenant: TenantSettings, state: ExtensionState, presence: Presence | None, now: Millis
) -> tuple[AgentOrder, ...] | None:
    """The extension's orders once `presence` is stored; None: they stay as they are. Store both in one step."""
    if presence is None:
        return None
    source = connected_source(tenant, state.profile)
    return ordered(
        state,
        presence,
        custom_statuses=tenant.policy.custom_statuses,
        source=source.name if source is not None else None,
        now=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSwitch:
    """Carries out what changes of presence ordered."""

    store: Store
    connectors: Mapping[str, Connector]
    """By source."""
    clock: Callable[[], Millis]
    dice: Callable[[], float]

    async def turn(self, holder: str) -> int:
        """One attempt for each extension whose turn it is, side by side; returns how many there were.

        `holder` is this worker. Raises `StoreUnavailable`: what was being done then is done again.
        """
        leases = await self.take(holder)
        done = await asyncio.gather(*map(self.attempt, leases), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        return len(leases)

    async def take(self, holder: str) -> list[AgentLease]:
        """Extensions whose turn it is, for this worker alone; each is attempted, or comes back when its lease ends."""
        return await self.store.agent_actions.take(holder, count=MOST_AT_ONCE)

    async def attempt(self, lease: AgentLease) -> None:
        """Carry out the lease's next order, and end the lease."""
        order = next_order(lease.orders)
        if order is None:
            await self.store.agent_actions.note(lease, lease.orders, due=None)
            return
        connector = self.connectors.get(order.source or "")
        if connector is None:
            outcome = replace(order, state=AgentOrderState.NO_CONNECTOR, at=self.clock()), self.clock()
        else:
            answer = await connector.switch_agent(lease.tenant, lease.extension, order)
            outcome = with_outcome(order, answer, now=self.clock(), dice=self.dice())
        after, due = outcome
        orders = tuple(after if one.order_id == order.order_id else one for one in lease.orders)
        kept = await self.store.agent_actions.note(lease, orders, due=due if next_order(orders) else None)
        _log(lease, after, superseded=not kept)


def _log(lease: AgentLease, order: AgentOrder, *, superseded: bool) -> None:
    say = logger.info if order.state is AgentOrderState.DONE else logger.warning
    say(
        "agent action",
        tenant=lease.tenant,
        extension=lease.extension,
        source=order.source,
        order_id=order.order_id,
        status=order.status,
        queue=order.queue,
        action=order.action,
        state=order.state,
        attempts=order.attempts,
        error=order.error,
        superseded=superseded,
    )
