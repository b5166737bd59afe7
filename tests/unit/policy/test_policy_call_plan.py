"""How a call would be distributed right now (POLICY 7)."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.event import Direction
from gateway.domain.extension import ExtensionState
from gateway.domain.forwarding import VOICEMAIL, Destination, DestinationKind
from gateway.domain.presence import DoNotDisturbSettings, Endpoint, Presence, Profile, StatusSettings, settings_model
from gateway.domain.tenant_policy import TenantPolicy
from gateway.policy.call_plan import CallPlan, MobileNumber, RingStage, call_plan

POLICY = TenantPolicy(custom_statuses=("training",))
ALL = tuple(Endpoint)
TO_1002 = Destination(kind=DestinationKind.EXTENSION, value="1002")


def plan(
    status: str = "available",
    *,
    direction: Direction = Direction.INBOUND,
    policy: TenantPolicy = POLICY,
    profile: Profile | None = None,
    settings_of: str | None = None,
    **settings: Any,
) -> CallPlan:
    applies = settings_of or status
    state = ExtensionState(
        tenant="acme",
        extension="1001",
        presence=Presence(status=status),
        settings={applies: settings_model(applies).model_validate(settings)},
        profile=profile or Profile(),
    )
    return call_plan(state, direction, policy)


def forwarding(direction: str, **conditions: Any) -> dict[str, Any]:
    return {direction: conditions}


ALWAYS = {"enabled": True, "destination": TO_1002.model_dump()}
OFF = {"enabled": False, "destination": TO_1002.model_dump()}


def test_by_default_everything_rings_and_voicemail_takes_the_rest() -> None:
    assert plan() == CallPlan(
        status="available",
        stages=(RingStage(endpoints=ALL, after_seconds=0),),
        ring_timeout_seconds=30,
        on_no_answer=VOICEMAIL,
        on_busy=VOICEMAIL,
    )


@pytest.mark.parametrize(
    ("configured", "direction", "forwarded"),
    [
        ("internal", Direction.INTERNAL, True),
        ("internal", Direction.INBOUND, False),
        ("external", Direction.INBOUND, True),
        ("external", Direction.INTERNAL, False),
    ],
)
@pytest.mark.parametrize("status", ["available", "do_not_disturb"])
def test_always_forwarding_leaves_nothing_else(
    status: str, configured: str, direction: Direction, forwarded: bool
) -> None:
    found = plan(status, direction=direction, call_forwarding=forwarding(configured, always=ALWAYS))

    assert (found == CallPlan(status=status, forward_always=TO_1002)) is forwarded


def test_a_destination_whose_condition_is_off_is_not_used() -> None:
    found = plan(call_forwarding=forwarding("external", always=OFF, no_answer=OFF, when_busy=OFF))

    assert (found.forward_always, found.on_no_answer, found.on_busy) == (None, None, None)
    assert found.stages


def test_do_not_disturb_rings_nowhere_and_is_busy_to_voicemail() -> None:
    assert plan("do_not_disturb") == CallPlan(status="do_not_disturb", on_busy=VOICEMAIL)


@pytest.mark.parametrize(
    ("ring_first_seconds", "timeout", "after"), [(15, 30, 15), (60, 30, 30), (15, 5, 5), (1, 300, 1)]
)
def test_the_second_stage_begins_within_the_ring_timeout(ring_first_seconds: int, timeout: int, after: int) -> None:
    found = plan(
        policy=TenantPolicy(ring_first_seconds=ring_first_seconds),
        ring_timeout_seconds=timeout,
        ring_strategy={"ring_first": ["extension_endpoint"], "ring_secondly": ["mobile_client", "web_client"]},
    )

    assert found.stages == (
        RingStage(endpoints=(Endpoint.EXTENSION_ENDPOINT,), after_seconds=0),
        RingStage(endpoints=(Endpoint.MOBILE_CLIENT, Endpoint.WEB_CLIENT), after_seconds=after),
    )
    assert found.ring_timeout_seconds == timeout


def test_a_strategy_without_endpoints_has_no_stage() -> None:
    assert plan(ring_strategy={"ring_first": []}).stages == ()


@pytest.mark.parametrize(
    ("enabled", "number", "rings"),
    [(True, "+491511", MobileNumber(number="+491511", prefix="0")), (True, None, None), (False, "+491511", None)],
)
def test_the_mobile_number_rings_along(enabled: bool, number: str | None, rings: MobileNumber | None) -> None:
    found = plan(profile=Profile(mobile_number=number), ring_mobile_simultaneously={"enabled": enabled, "prefix": "0"})

    assert found.ring_mobile_number == rings


def test_a_declared_status_has_its_own_settings() -> None:
    assert plan("training", ring_timeout_seconds=7).ring_timeout_seconds == 7


def test_an_undeclared_status_has_those_of_available() -> None:
    found = plan("out for a walk", settings_of="available", ring_timeout_seconds=7)

    assert (found.status, found.ring_timeout_seconds) == ("out for a walk", 7)


def test_what_was_never_stored_is_the_default() -> None:
    state = ExtensionState(tenant="acme", extension="1001")

    for status, model in (("away", StatusSettings), ("do_not_disturb", DoNotDisturbSettings)):
        now = replace(state, presence=Presence(status=status))
        _, settings = now.settings_for(status, ())
        stored = replace(now, settings={status: model()})
        assert isinstance(settings, model)
        assert call_plan(now, Direction.INBOUND, POLICY) == call_plan(stored, Direction.INBOUND, POLICY)
