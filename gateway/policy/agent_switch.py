"""Agent status auto switch: what a change of presence asks of the queues, and what follows from an attempt. Pure.

POLICY 6, after "Agent Status Auto Switch" of Yeastar's "Configure Presence Settings".
"""

from collections.abc import Iterator
from dataclasses import replace

from gateway.domain.agent_action import (
    AgentOrder,
    AgentOrderState,
    AgentOutcome,
    Done,
    Refused,
    derive_order_id,
)
from gateway.domain.event import Millis
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import AgentAction, AgentStatusAutoSwitch, Presence, Status
from gateway.policy.retry import backoff_seconds

PATIENCE: Millis = 12 * 3_600_000
"""How long a PBX is asked; whoever came back from lunch the day before needs no pause."""
REMEMBERED = 16
"""Orders of earlier changes that stay visible."""
REASON_LENGTH = 200


def ordered(
    state: ExtensionState, presence: Presence, *, custom_statuses: tuple[str, ...], source: str | None, now: Millis
) -> tuple[AgentOrder, ...] | None:
    """All orders of the extension once `presence` replaces the present one, the newest change's first; None: the
    status is the same, and nothing changes.

    One order per queue of the profile, in the profile's order; what an earlier change still waits for is withdrawn.
    `source` is the PBX that can be asked.
    """
    if presence.status == state.presence.status:
        return None
    earlier = tuple(_withdrawn(order, now) for order in state.agent_orders)
    fresh = tuple(_fresh(state, presence, _switch(state, presence, custom_statuses), source, now))
    if not fresh and earlier == state.agent_orders:
        return None
    return (*fresh, *earlier[:REMEMBERED])


def next_order(orders: tuple[AgentOrder, ...]) -> AgentOrder | None:
    """The one to be carried out now; None: none waits."""
    return next((order for order in orders if order.state is AgentOrderState.WAITING), None)


def with_outcome(order: AgentOrder, outcome: AgentOutcome, *, now: Millis, dice: float) -> tuple[AgentOrder, Millis]:
    """The order after an attempt, and when its extension is looked at again."""
    tried = replace(order, attempts=order.attempts + 1, at=now, error=None)
    if isinstance(outcome, Done):
        return replace(tried, state=AgentOrderState.DONE), now
    if isinstance(outcome, Refused):
        return replace(tried, state=AgentOrderState.REFUSED, error=outcome.reason[:REASON_LENGTH]), now
    due = now + round(max(outcome.after_seconds or 0.0, backoff_seconds(order.attempts, dice)) * 1000)
    failed = replace(tried, error=outcome.reason[:REASON_LENGTH])
    if due > order.asked_at + PATIENCE:
        return replace(failed, state=AgentOrderState.EXPIRED), now
    return failed, due


def _switch(state: ExtensionState, presence: Presence, custom_statuses: tuple[str, ...]) -> AgentStatusAutoSwitch:
    _, settings = state.settings_for(presence.status, custom_statuses)
    switch = settings.agent_status_auto_switch
    # An undeclared status has the settings of `available`, but logs nobody in: that belongs to `available` alone.
    if switch.action is AgentAction.LOG_IN and presence.status != Status.AVAILABLE:
        return AgentStatusAutoSwitch()
    return switch


def _fresh(
    state: ExtensionState, presence: Presence, switch: AgentStatusAutoSwitch, source: str | None, now: Millis
) -> Iterator[AgentOrder]:
    if switch.action is AgentAction.DO_NOTHING:
        return
    for queue in dict.fromkeys(state.profile.queues):
        yield AgentOrder(
            order_id=derive_order_id(state.tenant, state.extension, state.rev, queue),
            status=presence.status,
            queue=queue,
            action=switch.action,
            reason=switch.pause_reason,
            source=source,
            asked_at=now,
            at=now,
            state=AgentOrderState.WAITING if source is not None else AgentOrderState.NO_CONNECTOR,
        )


def _withdrawn(order: AgentOrder, now: Millis) -> AgentOrder:
    if order.state is not AgentOrderState.WAITING:
        return order
    return replace(order, state=AgentOrderState.WITHDRAWN, at=now)
