"""What a PBX is asked to do with a queue agent because the presence changed (POLICY 6), and what came of it."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.event import Millis
from gateway.domain.presence import AgentAction


class AgentOrderState(StrEnum):
    """How far an order is. The value is public in `agent_actions`."""

    WAITING = "waiting"
    """Not done yet; tried again until it is, or until its time is over."""
    DONE = "done"
    """The PBX did it."""
    REFUSED = "refused"
    """The PBX will not do it; the error says why."""
    WITHDRAWN = "withdrawn"
    """The presence changed again before it was done."""
    EXPIRED = "expired"
    """The PBX could not be asked in time."""
    NO_CONNECTOR = "no_connector"
    """The extension's PBX has no connector: nobody can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOrder:
    """One action for one queue."""

    order_id: str
    """The same at every attempt: the PBX's side can tell a repeat by it."""
    status: str
    """The presence status that asks for it."""
    queue: str
    """Number of the queue."""
    action: AgentAction
    """Never `do_nothing`."""
    reason: str | None = None
    """Why an agent pauses."""
    source: str | None = None
    """The PBX that is asked; None: no connector."""
    asked_at: Millis
    """When the presence changed."""
    state: AgentOrderState = AgentOrderState.WAITING
    attempts: int = 0
    at: Millis
    """The last attempt; before the first, and without one, when the presence changed."""
    error: str | None = None
    """Of the last attempt."""


@dataclass(frozen=True, slots=True)
class Done:
    """The PBX did it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The PBX answered, and will not do it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """It is not known to be done, and may be later: no answer, a broken one, no login."""

    reason: str
    after_seconds: float | None = None
    """Not sooner than this; None: nothing was said."""


AgentOutcome: TypeAlias = Done | Refused | Trouble
"""What came of one attempt. Reasons name no secret, no token and no caller."""

_NAMESPACE = uuid.UUID("0d2b63c0-6f0e-5c55-8a55-7a4f6d3c3b18")


def derive_order_id(tenant: str, extension: str, rev: int, queue: str) -> str:
    """The order's id from what it is about: `rev` is the version of the extension that the change was decided on."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((tenant, extension, str(rev), queue))))
