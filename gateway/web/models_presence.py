"""Bodies about presence, profile and call plan."""

from typing import Annotated, Self, TypeAlias

from pydantic import Field, StringConstraints

from gateway.domain.agent_action import AgentOrder, AgentOrderState
from gateway.domain.event import Direction
from gateway.domain.extension import ExtensionState
from gateway.domain.forwarding import Destination
from gateway.domain.presence import (
    STATUSES,
    AgentAction,
    AnySettings,
    DoNotDisturbSettings,
    Endpoint,
    Information,
    Presence,
    Profile,
    Status,
    StatusSettings,
)
from gateway.policy.call_plan import CallPlan
from gateway.web.models import AnswerModel, RequestModel, Timestamp

SettingsBody: TypeAlias = StatusSettings | DoNotDisturbSettings
ProfileBody: TypeAlias = Profile


class PresenceBody(RequestModel):
    """The status from now on."""

    status: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(examples=["away"])
    information: Information | None = None
    """A note beside it; absent: the note of the status's settings."""


class AgentActionAnswer(AnswerModel):
    """What the PBX was asked to do with a queue agent because the status changed."""

    queue: str
    action: AgentAction
    reason: str | None = Field(description="Why an agent pauses.")
    status: str = Field(description="The presence status that asked for it.")
    state: AgentOrderState
    attempts: int
    at: Timestamp = Field(description="The last attempt; before the first, when the status changed.")
    error: str | None = Field(description="Of the last attempt.")

    @classmethod
    def of(cls, order: AgentOrder) -> Self:
        """The order as data."""
        return cls(
            queue=order.queue,
            action=order.action,
            reason=order.reason,
            status=order.status,
            state=order.state,
            attempts=order.attempts,
            at=order.at,
            error=order.error,
        )


class PresenceAnswer(AnswerModel):
    """Current status, and the settings of every status."""

    status: str
    information: str
    since: Timestamp | None = Field(description="null: never set.")
    set_by: str
    settings: dict[str, SettingsBody] = Field(description="By status, the tenant's custom ones included.")
    agent_actions: tuple[AgentActionAnswer, ...] = Field(
        description="One per queue of the profile for each change of status that switches agents, the newest change's "
        "first; a few earlier ones follow."
    )

    @classmethod
    def of(cls, state: ExtensionState, presence: Presence, custom_statuses: tuple[str, ...]) -> Self:
        """The extension's presence."""
        _, applies = state.settings_for(presence.status, custom_statuses)
        note = presence.information if presence.information is not None else applies.information
        return cls(
            status=presence.status,
            information=note,
            since=presence.since or None,
            set_by=presence.set_by,
            settings={status: settings_of(state, status) for status in (*Status, *custom_statuses)},
            agent_actions=tuple(map(AgentActionAnswer.of, state.agent_orders)),
        )


def settings_of(state: ExtensionState, status: str) -> AnySettings:
    """The settings of a status, stored or default."""
    return state.settings_for(status, (status,))[1]


def is_known(status: str, custom_statuses: tuple[str, ...]) -> bool:
    """Whether the status has settings of its own."""
    return status in STATUSES or status in custom_statuses


class CallPlanQuery(RequestModel):
    """Which calls."""

    direction: Direction = Direction.INBOUND


class CallStageAnswer(AnswerModel):
    """Endpoints that begin to ring at the same time."""

    endpoints: tuple[Endpoint, ...]
    after_seconds: int


class MobileNumberAnswer(AnswerModel):
    """The mobile number that rings along."""

    number: str
    prefix: str


class CallPlanAnswer(AnswerModel):
    """How the PBX would distribute a call right now."""

    status: str
    forward_always: Destination | None
    stages: tuple[CallStageAnswer, ...]
    ring_mobile_number: MobileNumberAnswer | None
    ring_timeout_seconds: int | None
    on_no_answer: Destination | None
    on_busy: Destination | None

    @classmethod
    def of(cls, plan: CallPlan) -> Self:
        """The plan as data."""
        mobile = plan.ring_mobile_number
        return cls(
            status=plan.status,
            forward_always=plan.forward_always,
            stages=tuple(
                CallStageAnswer(endpoints=stage.endpoints, after_seconds=stage.after_seconds) for stage in plan.stages
            ),
            ring_mobile_number=None
            if mobile is None
            else MobileNumberAnswer(number=mobile.number, prefix=mobile.prefix),
            ring_timeout_seconds=plan.ring_timeout_seconds,
            on_no_answer=plan.on_no_answer,
            on_busy=plan.on_busy,
        )
