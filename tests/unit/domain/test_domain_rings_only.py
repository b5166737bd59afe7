"""A phone that is registered with its VoIP token alone."""

import pytest

from gateway.domain.device import Device, Provider, Token
from gateway.domain.push import PushKind

VOIP = Token("b" * 64)


def device(token: Token, voip_token: Token | None, provider: Provider = Provider.APNS) -> Device:
    return Device(
        tenant="acme",
        extension="1001",
        device_id="phone",
        app="ios",
        provider=provider,
        token=token,
        voip_token=voip_token,
    )


@pytest.mark.parametrize("kind", PushKind)
def test_it_is_rung_and_nothing_else(kind: PushKind) -> None:
    phone = device(VOIP, VOIP)

    assert phone.rings_only
    assert phone.token_for(kind) == (VOIP if kind is PushKind.CALL_INCOMING else None)
    assert phone.takes(kind) is (kind is PushKind.CALL_INCOMING)


@pytest.mark.parametrize(
    ("phone", "alert", "ring"),
    [
        (device(Token("a" * 64), VOIP), Token("a" * 64), VOIP),
        (device(Token("a" * 64), None), Token("a" * 64), None),
        (device(VOIP, None, Provider.FCM), VOIP, VOIP),
    ],
)
def test_other_phones_are_told_by_their_token(phone: Device, alert: Token, ring: Token | None) -> None:
    assert not phone.rings_only
    assert phone.token_for(PushKind.CALL_MISSED) == alert
    assert phone.token_for(PushKind.CALL_INCOMING) == ring
