"""Who may push to APNs: provider tokens, the rules of one connection, certificates."""

import asyncio
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.credentials import KEY_ID, SPARE_KEY_ID, TEAM_ID
from gateway.simulator.provider_tokens import ConnectionTokens, TokenVerifier
from gateway.simulator.server import Simulator
from tests.support.h2client import H2Client, open_h2
from tests.support.simulated import TOKEN, provider_token, push, reason_of

MINUTE_MS = 60_000


async def test_without_a_token_nothing_is_pushed(apns: H2Client) -> None:
    reply = await push(apns, None)
    assert (reply.status, reason_of(reply)) == (403, "MissingProviderToken")


@pytest.mark.parametrize("authorization", ["", "bearer", "bearer ", "basic abc"])
async def test_what_is_no_bearer_token_is_a_missing_one(apns: H2Client, authorization: str) -> None:
    reply = await push(apns, None, authorization=authorization)
    assert reason_of(reply) == "MissingProviderToken"


@pytest.mark.parametrize(
    ("key_id", "claims", "reason"),
    [
        (KEY_ID, {}, ""),
        (SPARE_KEY_ID, {}, ""),
        ("UNKNOWNKEY", {}, "InvalidProviderToken"),
        (KEY_ID, {"iss": "OTHERTEAM0"}, "InvalidProviderToken"),
        (KEY_ID, {"iat": "now"}, "InvalidProviderToken"),
        (KEY_ID, {"iat": 1.5}, "InvalidProviderToken"),
        (KEY_ID, {"iat": int(time.time()) + 3600}, "InvalidProviderToken"),
        (KEY_ID, {"iat": int(time.time()) - 3700}, "ExpiredProviderToken"),
        (KEY_ID, {"iat": int(time.time()) - 1800}, ""),
    ],
)
async def test_key_team_and_age_of_a_token_are_checked(
    apns: H2Client, simulator: Simulator, key_id: str, claims: dict[str, object], reason: str
) -> None:
    reply = await push(apns, provider_token(simulator.credentials, key_id=key_id, claims=claims))
    assert (reply.status, reason_of(reply)) == (403 if reason else 200, reason)


@pytest.mark.parametrize("spoilt", ["garbage", "a.b.c", "signature", "algorithm", "kid"])
async def test_a_token_that_is_not_signed_by_our_key_is_invalid(
    apns: H2Client, simulator: Simulator, spoilt: str
) -> None:
    claims = {"iss": TEAM_ID, "iat": int(time.time())}
    foreign = ec.generate_private_key(ec.SECP256R1())
    token = {
        "signature": jwt.encode(claims, foreign, "ES256", headers={"kid": KEY_ID}),
        "algorithm": jwt.encode(claims, "k" * 32, "HS256", headers={"kid": KEY_ID}),
        "kid": jwt.encode(claims, foreign, "ES256"),
    }.get(spoilt, spoilt)
    assert reason_of(await push(apns, token)) == "InvalidProviderToken"


async def test_one_stream_until_the_first_valid_token_then_a_thousand(apns: H2Client, bearer: str) -> None:
    await push(apns, "wrong")
    assert apns.streams_of_peer == [1]
    await push(apns, bearer)
    assert apns.streams_of_peer == [1, 1000]
    replies = await asyncio.gather(*(push(apns, bearer) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}


async def test_a_third_token_within_twenty_minutes_is_one_too_many(apns: H2Client, simulator: Simulator) -> None:
    tokens = [provider_token(simulator.credentials, age_seconds=age) for age in (30, 20, 10)]
    replies = [await push(apns, token) for token in tokens]
    assert [(reply.status, reason_of(reply)) for reply in replies] == [
        (200, ""),
        (200, ""),
        (429, "TooManyProviderTokenUpdates"),
    ]
    assert (await push(apns, tokens[1])).status == 200


def test_twenty_minutes_later_a_connection_may_change_its_token_again() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    rules = ConnectionTokens(TokenVerifier({KEY_ID: key.public_key()}, TEAM_ID))
    issued = range(1000, 1003)
    tokens = [jwt.encode({"iss": TEAM_ID, "iat": at}, key, "ES256", headers={"kid": KEY_ID}) for at in issued]
    start = 1_000_000
    assert [rules.check(f"bearer {token}", start) for token in tokens] == ["", "", "TooManyProviderTokenUpdates"]
    assert rules.check(f"bearer {tokens[2]}", start + 21 * MINUTE_MS) == ""


def test_a_token_that_was_good_expires_on_the_same_connection() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    rules = ConnectionTokens(TokenVerifier({KEY_ID: key.public_key()}, TEAM_ID))
    token = "bearer " + jwt.encode({"iss": TEAM_ID, "iat": 1000}, key, "ES256", headers={"kid": KEY_ID})
    assert [rules.check(token, at) for at in (1_000_000, 4_600_000, 4_600_001)] == ["", "", "ExpiredProviderToken"]


async def test_a_connection_is_bound_to_the_key_it_began_with(
    apns: H2Client, simulator: Simulator, bearer: str
) -> None:
    await push(apns, bearer)
    spare = provider_token(simulator.credentials, key_id=SPARE_KEY_ID)
    reply = await push(apns, spare)
    assert (reply.status, reason_of(reply)) == (403, "UnrelatedKeyIdInToken")
    async with open_h2(str(simulator.announcement()["apns_url"]), simulator.credentials.ca_file) as another:
        assert (await push(another, spare)).status == 200


async def test_a_client_certificate_replaces_the_token_and_allows_its_own_topic_only(
    simulator: Simulator, control: SimulatorControl
) -> None:
    url, files = str(simulator.announcement()["apns_url"]), simulator.credentials
    async with open_h2(url, files.ca_file, certificate=files.client_certificate_file) as client:
        assert (await push(client, "ignored")).status == 200
        assert client.streams_of_peer == [1000]
        refused = await push(client, None, token="b2" * 32, apns_topic="com.example.other")
        assert (refused.status, reason_of(refused)) == (400, "TopicDisallowed")
    assert await control.phone(TOKEN) is not None
