"""What an accepted event changes, all of it in one atomic step of the store."""

from dataclasses import dataclass

from gateway.domain.agent_action import AgentOrder
from gateway.domain.extension import CallState, InboxItem, RecentCall, Unread
from gateway.domain.presence import Presence
from gateway.domain.push import Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A push that is no longer true. Not sent any more if it still waits; if it is being sent just now and gets
    accepted after all, `then` follows it. A push that waits as such a `then` (`pending`) can be withdrawn too: its own
    `then` takes its place."""

    push_id: str
    then: Push | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The writes that follow from a decision; None and empty mean: unchanged."""

    presence: Presence | None = None
    call: CallState | None = None
    unread: Unread | None = None
    recent_calls: tuple[RecentCall, ...] | None = None
    inbox_add: InboxItem | None = None
    inbox_remove: tuple[str, ...] = ()
    """Event ids of inbox items that turned out untrue."""
    pushes: tuple[Push, ...] = ()
    """To queue; those with `not_before` wait."""
    withdrawals: tuple[Withdrawal, ...] = ()
    agent_orders: tuple[AgentOrder, ...] | None = None
    """What the new presence asks of the queues, with what is remembered of earlier orders."""
