"""Apple's provider token: one at a time for everybody with the key, never too old, never renewed too soon."""

from itertools import pairwise
from typing import Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.provider_token import GRID_SECONDS, LAG_SECONDS, ProviderToken, grid_iat

NOW: Final = 1_795_000_000_000
KEY: Final = ec.generate_private_key(ec.SECP256R1())
OTHER: Final = ec.generate_private_key(ec.SECP256R1())


def token() -> ProviderToken:
    return ProviderToken(team_id="ABCDE12345", key_id="FGHIJ67890", key=KEY)


def iat_of(header: str) -> int:
    claims = jwt.decode(header.removeprefix("bearer "), KEY.public_key(), ["ES256"], options={"verify_iat": False})
    iat = claims["iat"]
    assert isinstance(iat, int)
    return iat


def test_it_is_signed_with_the_key_and_names_team_and_key() -> None:
    header = token().header(NOW)
    encoded = header.removeprefix("bearer ")

    assert header.startswith("bearer ")
    assert jwt.get_unverified_header(encoded) == {"alg": "ES256", "kid": "FGHIJ67890", "typ": "JWT"}
    claims = jwt.decode(encoded, KEY.public_key(), ["ES256"], options={"verify_iat": False})
    assert claims == {"iss": "ABCDE12345", "iat": grid_iat(NOW)}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(encoded, OTHER.public_key(), ["ES256"])


@given(st.integers(NOW, NOW + 10**10))
def test_it_is_between_half_a_minute_and_forty_and_a_half_old(now: int) -> None:
    age = now // 1000 - grid_iat(now)

    assert LAG_SECONDS <= age < GRID_SECONDS + LAG_SECONDS < 3600


@given(st.integers(NOW, NOW + 10**10), st.integers(0, 1_200_000))
def test_it_changes_at_most_once_in_twenty_minutes(now: int, later: int) -> None:
    half = later // 2

    assert len({grid_iat(now), grid_iat(now + half), grid_iat(now + later)}) <= 2


def test_replicas_and_restarts_use_the_same_issue_time() -> None:
    assert iat_of(token().header(NOW)) == iat_of(token().header(NOW + 1000))


def test_it_is_signed_once_and_then_repeated() -> None:
    one = token()

    assert one.header(NOW) is one.header(NOW + 1)


def test_an_expired_one_is_renewed_once_for_all_who_used_it() -> None:
    one = token()
    now = (grid_iat(NOW) + 1500) * 1000
    stale = one.header(now)

    assert one.renew(stale, now)
    fresh = one.header(now)
    assert iat_of(fresh) == now // 1000
    assert one.renew(stale, now)  # another push that was sent with the stale one
    assert one.header(now) == fresh


def test_one_that_is_called_expired_while_young_is_kept_because_the_clock_is_wrong() -> None:
    one = token()
    now = (grid_iat(NOW) + 600) * 1000
    young = one.header(now)

    assert not one.renew(young, now)
    assert one.header(now) == young


@given(st.lists(st.tuples(st.integers(1, 1_500_000), st.booleans()), max_size=30))
def test_whatever_apple_says_two_changes_are_twenty_minutes_apart_and_none_is_an_hour_old(
    steps: list[tuple[int, bool]],
) -> None:
    one, now = token(), NOW
    changes: list[tuple[int, int]] = []
    for step, expired in steps:
        now += step
        if expired:
            one.renew(one.header(now), now)
        iat = iat_of(one.header(now))
        assert 0 <= now // 1000 - iat < 3600
        if not changes or changes[-1][1] != iat:
            changes.append((now, iat))
    for (_, earlier), (at, _) in pairwise(changes):
        assert at // 1000 - earlier >= 1200
