"""A VoIP token lives and dies apart from the alert token: neither one's trouble is the other's."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.device import Device, DeviceState, Environment, Provider, Token
from gateway.domain.outcome import Answer, Outcome, TokenGone, TokenRefused
from gateway.domain.push import Push, PushKind, PushState
from gateway.domain.settlement import DeviceChange, Settlement
from gateway.policy.retry import Tried, settle
from tests.support.facts import NOW

REGISTERED = NOW - 3_600_000
IPHONE = Device(
    tenant="acme",
    extension="1001",
    device_id="alice-iphone",
    app="com.example.softphone.ios",
    provider=Provider.APNS,
    token=Token("a" * 64),
    voip_token=Token("b" * 64),
    registered_at=REGISTERED,
)
RINGS_ONLY = replace(IPHONE, token=Token("b" * 64))
GONE, REFUSED = TokenGone(reason="Unregistered", since=NOW), TokenRefused(reason="BadDeviceToken")
RETIRED = DeviceState.NEEDS_REREGISTER


def settled(outcome: Outcome, device: Device = IPHONE, kind: PushKind = PushKind.CALL_INCOMING) -> Settlement:
    push = Push(
        push_id="6f1c0d0e-0000-4000-8000-000000000000",
        event_id="01JEVENT",
        tenant="acme",
        extension="1001",
        device_id=device.device_id,
        kind=kind,
        collapse_id="c",
        occurred_at=NOW,
        deadline=NOW + 30_000,
    )
    answer = Answer(outcome=outcome, status=400)
    return settle(Tried(push=push, device=device, answer=answer, attempts=0, now=NOW, dice=0.0))


def change(**fields: Any) -> DeviceChange:
    return DeviceChange(registered_at=REGISTERED, **fields)


@pytest.mark.parametrize(
    ("outcome", "device", "kind", "expected"),
    [
        (GONE, IPHONE, PushKind.CALL_INCOMING, change(last_error="Unregistered", voip_state=RETIRED)),
        (GONE, IPHONE, PushKind.CALL_MISSED, change(last_error="Unregistered", state=RETIRED)),
        (GONE, RINGS_ONLY, PushKind.CALL_INCOMING, change(last_error="Unregistered", state=RETIRED)),
        (REFUSED, IPHONE, PushKind.CALL_INCOMING, change(voip_environment=Environment.SANDBOX)),
        (
            REFUSED,
            replace(IPHONE, voip_environment=Environment.SANDBOX),
            PushKind.CALL_INCOMING,
            change(last_error="BadDeviceToken", voip_state=RETIRED),
        ),
        (
            REFUSED,
            replace(IPHONE, voip_environment=Environment.SANDBOX),
            PushKind.CALL_MISSED,
            change(environment=Environment.SANDBOX, tried_other_environment=True),
        ),
        (
            REFUSED,
            replace(IPHONE, environment=Environment.SANDBOX, tried_other_environment=True),
            PushKind.CALL_INCOMING,
            change(voip_environment=Environment.PRODUCTION),
        ),
        (
            REFUSED,
            RINGS_ONLY,
            PushKind.CALL_INCOMING,
            change(environment=Environment.SANDBOX, tried_other_environment=True),
        ),
    ],
)
def test_only_the_token_that_was_refused_is_changed(
    outcome: Outcome, device: Device, kind: PushKind, expected: DeviceChange
) -> None:
    assert settled(outcome, device, kind).device == expected


def test_a_voip_token_registered_after_its_death_stays() -> None:
    settlement = settled(TokenGone(reason="Unregistered", since=REGISTERED - 1))
    assert (settlement.state, settlement.device) == (PushState.DEFERRED, None)


def test_a_phone_whose_voip_token_is_dead_is_told_of_everything_but_ringing() -> None:
    device = replace(IPHONE, voip_state=RETIRED)
    assert {kind for kind in PushKind if device.takes(kind)} == set(PushKind) - {PushKind.CALL_INCOMING}
    assert device.state_for(PushKind.CALL_INCOMING) is RETIRED
    assert device.state_for(PushKind.CALL_MISSED) is DeviceState.ACTIVE


def test_a_phone_that_shares_one_environment_rings_where_it_is_told() -> None:
    device = replace(IPHONE, environment=Environment.SANDBOX)
    assert {device.environment_for(kind) for kind in PushKind} == {Environment.SANDBOX}
    apart = replace(device, voip_environment=Environment.PRODUCTION)
    elsewhere = [kind for kind in PushKind if apart.environment_for(kind) is Environment.PRODUCTION]
    assert elsewhere == [PushKind.CALL_INCOMING]
