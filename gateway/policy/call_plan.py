"""How the PBX would distribute a call right now, from the settings of the current status (POLICY 7)."""

from dataclasses import dataclass

from gateway.domain.event import Direction
from gateway.domain.extension import ExtensionState
from gateway.domain.forwarding import VOICEMAIL, AlwaysCallForwarding, Destination, ForwardingCondition
from gateway.domain.presence import DoNotDisturbSettings, Endpoint, RingMobileSimultaneously, RingStrategy
from gateway.domain.tenant_policy import TenantPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStage:
    """Endpoints that begin to ring at the same time."""

    endpoints: tuple[Endpoint, ...]
    after_seconds: int
    """From the beginning of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNumber:
    """The user's mobile number, which rings together with the extension."""

    number: str
    prefix: str
    """Of the outbound route; dialled before the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What the PBX does with a call. With `forward_always` nothing rings and the rest is None."""

    status: str
    forward_always: Destination | None = None
    stages: tuple[RingStage, ...] = ()
    ring_mobile_number: MobileNumber | None = None
    ring_timeout_seconds: int | None = None
    on_no_answer: Destination | None = None
    """None: the call is not forwarded; it rings out."""
    on_busy: Destination | None = None


def call_plan(state: ExtensionState, direction: Direction, policy: TenantPolicy) -> CallPlan:
    """The plan for a call of `direction` at the extension as it is; an undeclared status has that of `available`."""
    status = state.presence.status
    _, settings = state.settings_for(status, policy.custom_statuses)
    if isinstance(settings, DoNotDisturbSettings):
        always = _always(settings.call_forwarding, direction)
        return CallPlan(status=status, forward_always=always, on_busy=None if always else VOICEMAIL)
    forwarding = settings.call_forwarding
    rules = forwarding.internal if direction is Direction.INTERNAL else forwarding.external
    always = _destination(rules.always)
    if always is not None:
        return CallPlan(status=status, forward_always=always)
    return CallPlan(
        status=status,
        stages=_stages(settings.ring_strategy, min(policy.ring_first_seconds, settings.ring_timeout_seconds)),
        ring_mobile_number=_mobile(settings.ring_mobile_simultaneously, state.profile.mobile_number),
        ring_timeout_seconds=settings.ring_timeout_seconds,
        on_no_answer=_destination(rules.no_answer),
        on_busy=_destination(rules.when_busy),
    )


def _always(forwarding: AlwaysCallForwarding, direction: Direction) -> Destination | None:
    return _destination((forwarding.internal if direction is Direction.INTERNAL else forwarding.external).always)


def _destination(condition: ForwardingCondition) -> Destination | None:
    return condition.destination if condition.enabled else None


def _stages(strategy: RingStrategy, ring_first_seconds: int) -> tuple[RingStage, ...]:
    planned = ((strategy.ring_first, 0), (strategy.ring_secondly, ring_first_seconds))
    return tuple(RingStage(endpoints=endpoints, after_seconds=after) for endpoints, after in planned if endpoints)


def _mobile(along: RingMobileSimultaneously, number: str | None) -> MobileNumber | None:
    return MobileNumber(number=number, prefix=along.prefix) if along.enabled and number is not None else None
