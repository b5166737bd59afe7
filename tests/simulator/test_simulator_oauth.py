"""Google's token endpoint: which assertions it takes."""

import json
import time
from typing import Any

import pytest

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.faults import Answer, Fault, Match
from gateway.simulator.oauth import GOOGLE_AUDIENCE
from gateway.simulator.server import Simulator
from tests.support.h2client import H2Client
from tests.support.simulated import assertion, exchange


@pytest.mark.parametrize(
    "claims",
    [{}, {"aud": GOOGLE_AUDIENCE}, {"scope": "a https://www.googleapis.com/auth/cloud-platform"}],
)
async def test_a_good_assertion_earns_an_access_token(
    fcm: H2Client, simulator: Simulator, control: SimulatorControl, claims: dict[str, Any]
) -> None:
    reply = await exchange(fcm, assertion(simulator.credentials, **claims))
    granted = json.loads(reply.body)
    assert (reply.status, granted["expires_in"], granted["token_type"]) == (200, 3599, "Bearer")
    assert (await control.stats()).oauth_tokens == 1


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "https://elsewhere.example/token"}, "invalid_grant"),
        ({"iss": "stranger@example.com"}, "invalid_grant"),
        ({"exp": NOW - 120}, "invalid_grant"),
        ({"iat": NOW, "exp": NOW + 3700}, "invalid_grant"),
        ({"iat": NOW + 600, "exp": NOW + 900}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"scope": None}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
    ],
)
async def test_a_spoilt_assertion_earns_400(
    fcm: H2Client, simulator: Simulator, claims: dict[str, Any], error: str
) -> None:
    reply = await exchange(fcm, assertion(simulator.credentials, **claims))
    assert (reply.status, json.loads(reply.body)["error"]) == (400, error)


async def test_a_foreign_signature_and_a_foreign_grant_are_refused(fcm: H2Client, simulator: Simulator) -> None:
    good = assertion(simulator.credentials)
    unsigned = await exchange(fcm, good[:-8] + "AAAAAAAA")
    other = await exchange(fcm, good, grant_type="password")
    assert json.loads(unsigned.body)["error"] == "invalid_grant"
    assert json.loads(other.body)["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        (Answer(status=400, reason="invalid_grant"), (400, '"error":"invalid_grant"')),
        (Answer(status=503, body=""), (503, "")),
        (Answer(status=200, body="<html>"), (200, "<html>")),
    ],
)
async def test_the_endpoint_can_be_scripted(
    fcm: H2Client, simulator: Simulator, control: SimulatorControl, what: Answer, answer: tuple[int, str]
) -> None:
    await control.add_fault(Fault(what=what, match=Match(provider="oauth"), delay_ms=20))
    started = time.monotonic()
    reply = await exchange(fcm, assertion(simulator.credentials))
    status, part = answer
    assert (reply.status, part in reply.body.decode()) == (status, True)
    assert time.monotonic() - started >= 0.02
    assert (await exchange(fcm, assertion(simulator.credentials))).status == 200
