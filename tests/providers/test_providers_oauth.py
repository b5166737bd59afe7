"""Google's token endpoint and Apple's provider token, when they are slow, wrong or out of date."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.outcome import Accepted, AppTrouble, TryLater
from gateway.providers import open_senders
from gateway.providers.access_token import TokenTimes
from gateway.providers.circuit import CircuitLimits
from gateway.providers.provider_token import GRID_SECONDS, LAG_SECONDS
from gateway.providers.senders import ProviderOptions
from gateway.settings import Settings
from gateway.simulator import faults
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import Rig, android_app, clock, ios_app, rig_of
from tests.support.provider_rig import simulator_in_background as background

OPTIONS = ProviderOptions(
    circuit=CircuitLimits(configuration_pause=100, quota_pause=100, longest_pause=100),
    token_times=TokenTimes(flight=1.0, first_retry=0.05, repeat_failure=0.05),
)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """One whose access tokens live two seconds."""
    with background(tmp_path_factory.mktemp("simulator"), access_token_seconds=2) as running:
        yield running


@pytest.fixture
async def control(simulator: SimulatorProcess) -> AsyncIterator[SimulatorControl]:
    async with simulator.control() as client:
        await client.reset()
        yield client


async def accepted_again(rig: Rig, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not isinstance((answer := await rig.send(rig.phone())).outcome, Accepted):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.05)


async def test_pushes_wait_for_a_slow_token_endpoint_while_the_loop_runs_on(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    await control.script(faults.Answer(), provider="oauth", delay_ms=400)
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        burst = asyncio.create_task(rig.burst(50))
        longest, before = 0.0, time.monotonic()
        while not burst.done():
            await asyncio.sleep(0.01)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()

        assert Counter(type(answer.outcome) for answer in burst.result()) == {Accepted: 50}
        assert longest < 0.3
        assert (await control.stats()).oauth_tokens == 1


TROUBLES: list[tuple[faults.What, str, bool]] = [
    (faults.Answer(status=503, reason="unavailable"), "oauth_unavailable", False),
    (faults.Answer(status=429, reason="slow_down"), "oauth_unavailable", False),
    (faults.Answer(status=200, body="<html>"), "oauth_garbage", False),
    (faults.Answer(status=200, body="{}"), "oauth_garbage", False),
    (faults.Answer(status=200, body='{"access_token": 7, "expires_in": 3599}'), "oauth_garbage", False),
    (faults.Answer(status=200, body='{"access_token": "a\\nb", "expires_in": 3599}'), "oauth_garbage", False),
    (faults.Answer(status=200, body='{"access_token": "a", "expires_in": "soon"}'), "oauth_garbage", False),
    (faults.Answer(status=200, body='{"access_token": "a", "expires_in": -5}'), "oauth_garbage", False),
    (faults.Answer(status=200, body="[]"), "oauth_garbage", False),
    (faults.Answer(status=400, reason="invalid_grant"), "oauth_invalid_grant", True),
    (faults.Answer(status=401, reason="unauthorized_client"), "oauth_refused", True),
    (faults.Reset(), "oauth_unreachable", False),
    (faults.NoAnswer(), "oauth_timeout", False),
]


@pytest.mark.parametrize(("what", "reason", "configuration"), TROUBLES, ids=lambda value: repr(value)[:60])
async def test_without_a_token_the_pushes_are_kept_and_go_when_there_is_one(
    simulator: SimulatorProcess, control: SimulatorControl, what: faults.What, reason: str, configuration: bool
) -> None:
    await control.script(what, provider="oauth", count=None)
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        outcome = (await rig.send(rig.phone())).outcome
        assert isinstance(outcome, AppTrouble)
        assert (outcome.reason, outcome.configuration) == (reason, configuration)
        assert rig.sender.health().last_error == reason
        assert (await control.stats()).count("fcm") == 0

        await control.clear_faults()
        await accepted_again(rig)


async def test_a_token_endpoint_that_cannot_be_reached_is_named_so(simulator: SimulatorProcess, tmp_path: Path) -> None:
    account: dict[str, Any] = json.loads(simulator.service_account_file.read_text())
    elsewhere = tmp_path / "service-account.json"
    elsewhere.write_text(json.dumps({**account, "token_uri": "https://127.0.0.1:1/token"}))
    async with rig_of(android_app(simulator, service_account_file=elsewhere), OPTIONS) as rig:
        outcome = (await rig.send(rig.phone())).outcome
    assert isinstance(outcome, AppTrouble)
    assert outcome.reason == "oauth_unreachable"


async def test_the_token_endpoint_is_trusted_by_the_same_authorities(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator, ca_file=None), OPTIONS) as rig:
        outcome = (await rig.send(rig.phone())).outcome
    assert isinstance(outcome, AppTrouble)
    assert outcome.reason == "oauth_unreachable"
    assert (await control.stats()).count("oauth") == 0


async def test_no_push_meets_the_end_of_a_token_for_it_is_renewed_ahead(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        until = time.monotonic() + 2.6
        while time.monotonic() < until:
            assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
            await asyncio.sleep(0.02)
    stats = await control.stats()
    assert stats.count("fcm", status=401) == 0
    assert stats.oauth_tokens == 2


async def test_the_old_token_serves_while_its_renewal_fails(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        await accepted_again(rig)
        await control.answer_with(503, "unavailable", provider="oauth", count=2)
        until = time.monotonic() + 2.4
        while time.monotonic() < until:
            assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
            await asyncio.sleep(0.02)
    assert (await control.stats()).count("oauth", status=503) == 2


async def test_a_token_that_google_no_longer_believes_is_replaced_once_for_all(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        await accepted_again(rig)
        await control.reset()
        await control.revoke_oauth_tokens()

        assert Counter(type(answer.outcome) for answer in await rig.burst(50)) == {Accepted: 50}
        assert (await control.stats()).oauth_tokens == 1


async def test_a_fresh_token_that_is_not_believed_either_is_the_apps_trouble(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        await control.script(
            faults.Answer(status=401, body='{"error": {"code": 401, "status": "UNAUTHENTICATED"}}'),
            provider="fcm",
            count=None,
        )
        assert (await rig.send(rig.phone())).outcome == AppTrouble(reason="UNAUTHENTICATED")
        assert (await control.stats()).count("fcm", status=401) == 2


async def test_when_no_fresh_token_can_be_had_that_is_the_reason(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        await accepted_again(rig)
        await control.answer_with(400, "invalid_grant", provider="oauth", count=None)
        await control.revoke_oauth_tokens()
        assert (await rig.send(rig.phone())).outcome == AppTrouble(reason="oauth_invalid_grant")


async def test_a_third_partys_401_costs_no_token(simulator: SimulatorProcess, control: SimulatorControl) -> None:
    async with rig_of(android_app(simulator), OPTIONS) as rig:
        await accepted_again(rig)
        await control.answer_with(401, "THIRD_PARTY_AUTH_ERROR", provider="fcm")
        tokens = (await control.stats()).oauth_tokens
        await rig.send(rig.phone())
        assert (await control.stats()).oauth_tokens == tokens
        assert (await control.stats()).count("fcm", status=401) == 1


def clock_behind(*, age: int) -> int:
    """How far (ms, never ahead) to move the clock so that the provider token on the grid is so many seconds old."""
    phase = (clock() // 1000 - LAG_SECONDS) % GRID_SECONDS
    return -((phase + LAG_SECONDS - age) % GRID_SECONDS) * 1000


async def test_a_provider_token_that_apple_calls_expired_is_made_anew_when_it_is_old_enough(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    shift = clock_behind(age=1230)
    async with open_senders(Settings(apps=(ios_app(simulator),)), clock=lambda: clock() + shift) as senders:
        (rig,) = (Rig(sender) for sender in senders.values())
        await control.answer_with(403, "ExpiredProviderToken", provider="apns")
        assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
    assert (await control.stats()).count("apns", status=403) == 1


async def test_a_young_provider_token_that_apple_calls_expired_means_a_wrong_clock(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    shift = clock_behind(age=60)
    async with open_senders(Settings(apps=(ios_app(simulator),)), clock=lambda: clock() + shift) as senders:
        (rig,) = (Rig(sender) for sender in senders.values())
        await control.answer_with(403, "ExpiredProviderToken", provider="apns", count=None)
        assert (await rig.send(rig.phone())).outcome == AppTrouble(reason="ExpiredProviderToken")
    assert (await control.stats()).count("apns", status=403) == 1


async def test_a_key_unrelated_to_the_connection_gets_a_new_connection_and_the_push_goes(
    simulator: SimulatorProcess, control: SimulatorControl
) -> None:
    async with rig_of(ios_app(simulator), OPTIONS) as rig:
        await accepted_again(rig)
        await control.answer_with(403, "UnrelatedKeyIdInToken", provider="apns")
        assert isinstance((await rig.send(rig.phone())).outcome, Accepted)


@pytest.mark.parametrize(("status", "reason"), [(503, "Shutdown"), (400, "IdleTimeout")])
async def test_a_connection_that_apple_gives_up_is_left_for_a_new_one(
    simulator: SimulatorProcess, control: SimulatorControl, status: int, reason: str
) -> None:
    async with rig_of(ios_app(simulator), OPTIONS) as rig:
        await rig.burst(10)
        before = (await control.stats()).connections[0].total
        await control.answer_with(status, reason, provider="apns")
        assert (await rig.send(rig.phone())).outcome == TryLater(reason=reason)
        assert Counter(type(answer.outcome) for answer in await rig.burst(10)) == {Accepted: 10}
        assert (await control.stats()).connections[0].total == before + 1


async def test_a_wrong_key_is_the_apps_trouble(simulator: SimulatorProcess) -> None:
    async with rig_of(ios_app(simulator, key_file=simulator.spare_key_file), OPTIONS) as rig:
        outcome = (await rig.send(rig.phone())).outcome
    assert outcome == AppTrouble(reason="InvalidProviderToken")
