"""Pushes over the real protocols, against the simulator: they arrive, and every answer becomes what its table says."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog.testing

from gateway.domain.device import Environment
from gateway.domain.errors import ConfigurationError
from gateway.domain.outcome import Accepted, Answer, AppTrouble, Refused, TokenGone, TokenRefused, TryLater
from gateway.domain.push import PushKind
from gateway.providers import open_senders
from gateway.providers.circuit import CircuitLimits
from gateway.providers.senders import ProviderOptions
from gateway.settings import Settings
from gateway.simulator import faults
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess
from gateway.simulator.views import PhoneState
from tests.support.provider_rig import ANDROID, IOS, Rig, a_push, android_app, clock, ios_app, rig_of
from tests.support.provider_rig import simulator_in_background as background

QUICK = ProviderOptions(circuit=CircuitLimits(configuration_pause=150, quota_pause=150, storm_pause=100))


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with background(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
async def control(simulator: SimulatorProcess) -> AsyncIterator[SimulatorControl]:
    async with simulator.control() as client:
        await client.reset()
        yield client


@pytest.fixture
async def ios(simulator: SimulatorProcess) -> AsyncIterator[Rig]:
    async with rig_of(ios_app(simulator), QUICK) as rig:
        yield rig


@pytest.fixture
async def android(simulator: SimulatorProcess) -> AsyncIterator[Rig]:
    async with rig_of(android_app(simulator), QUICK) as rig:
        yield rig


def outcomes(answers: list[Answer]) -> set[type]:
    return {type(answer.outcome) for answer in answers}


async def test_an_iphone_shows_the_missed_call_and_apple_answers_with_the_push_id(
    ios: Rig, control: SimulatorControl
) -> None:
    phone, push = ios.phone(), a_push()

    answer = await ios.send(phone, push)

    assert answer.outcome == Accepted(provider_id=push.push_id)
    assert answer.status == 200
    assert 0 <= answer.milliseconds < 5000
    seen = await control.wait_for_phone(phone.token.reveal(), lambda it: it.last is not None)
    assert (seen.environment, seen.badge) == (Environment.PRODUCTION, 1)
    assert seen.received[0].headers["apns-collapse-id"] == push.collapse_id


@pytest.mark.parametrize("fid", [False, True], ids=["token", "fid"])
async def test_an_android_phone_shows_the_missed_call(android: Rig, control: SimulatorControl, fid: bool) -> None:
    phone = android.phone(fid=fid)
    target = phone.token.reveal()
    if fid:
        await control.set_phone(target, provider=phone.provider)

    answer = await android.send(phone)

    assert isinstance(answer.outcome, Accepted)
    assert answer.outcome.provider_id.startswith("projects/")
    assert await control.wait_for_phone(target, lambda it: it.last is not None)


async def test_ringing_goes_to_the_voip_token_and_topic(
    ios: Rig, control: SimulatorControl, simulator: SimulatorProcess
) -> None:
    phone = ios.phone()
    assert phone.voip_token is not None

    answer = await ios.send(phone, a_push(PushKind.CALL_INCOMING))

    assert isinstance(answer.outcome, Accepted)
    seen = await control.wait_for_phone(phone.voip_token.reveal(), lambda it: bool(it.rings))
    assert seen.topic == f"{simulator.topic}.voip"
    assert await control.phone(phone.token.reveal()) is None


async def test_ringing_without_a_voip_token_is_refused_without_asking_apple(
    ios: Rig, control: SimulatorControl
) -> None:
    phone = replace(ios.phone(), voip_token=None)

    assert (await ios.send(phone, a_push(PushKind.CALL_INCOMING))).outcome == Refused(reason="no_voip_token")
    assert (await control.stats()).pushes == 0


async def test_each_environment_is_its_own_service(ios: Rig, control: SimulatorControl) -> None:
    sandbox = ios.phone(environment=Environment.SANDBOX)

    assert isinstance((await ios.send(sandbox)).outcome, Accepted)
    assert isinstance((await ios.send(ios.phone())).outcome, Accepted)
    moved = replace(sandbox, environment=Environment.PRODUCTION)
    assert (await ios.send(moved)).outcome == TokenRefused(reason="BadDeviceToken")

    seen = await control.phone(sandbox.token.reveal())
    assert seen is not None
    assert seen.environment is Environment.SANDBOX


async def test_a_certificate_proves_the_app_as_well_as_a_key(simulator: SimulatorProcess) -> None:
    async with rig_of(ios_app(simulator, by_certificate=True)) as rig:
        assert isinstance((await rig.send(rig.phone())).outcome, Accepted)
        assert outcomes(await rig.burst(50)) == {Accepted}
        expires_at = rig.sender.health().credential_expires_at
    assert expires_at is not None
    assert expires_at > clock()


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (PhoneState.BAD, TokenRefused(reason="BadDeviceToken")),
        (PhoneState.UNREGISTERED, TokenGone(reason="Unregistered", since=1_790_000_000_000)),
        (PhoneState.EXPIRED, TokenGone(reason="ExpiredToken", since=1_790_000_000_000)),
        (PhoneState.WRONG_TOPIC, Refused(reason="DeviceTokenNotForTopic")),
        (PhoneState.THROTTLED, TryLater(reason="TooManyRequests")),
    ],
)
async def test_what_becomes_of_an_iphones_token(
    ios: Rig, control: SimulatorControl, state: PhoneState, outcome: object
) -> None:
    phone = ios.phone()
    await control.set_phone(phone.token.reveal(), state=state, since=1_790_000_000_000)

    assert (await ios.send(phone)).outcome == outcome
    assert isinstance((await ios.send(ios.phone())).outcome, Accepted)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (PhoneState.BAD, TokenRefused(reason="INVALID_ARGUMENT.token")),
        (PhoneState.UNREGISTERED, TokenGone(reason="UNREGISTERED")),
        (PhoneState.SENDER_MISMATCH, Refused(reason="SENDER_ID_MISMATCH")),
    ],
)
async def test_what_becomes_of_an_android_phones_token(
    android: Rig, control: SimulatorControl, state: PhoneState, outcome: object
) -> None:
    phone = android.phone()
    await control.set_phone(phone.token.reveal(), state=state)

    assert (await android.send(phone)).outcome == outcome
    assert isinstance((await android.send(android.phone())).outcome, Accepted)


async def test_one_throttled_android_phone_waits_alone(android: Rig, control: SimulatorControl) -> None:
    throttled = android.phone()
    await control.set_phone(throttled.token.reveal(), state=PhoneState.THROTTLED)
    for _ in range(5):
        answer = await android.send(throttled)
        assert isinstance(answer.outcome, AppTrouble)
        assert (answer.outcome.reason, answer.outcome.configuration) == ("QUOTA_EXCEEDED", False)
        assert answer.outcome.after_seconds is not None
        assert answer.outcome.after_seconds > 0
        assert isinstance((await android.send(android.phone())).outcome, Accepted)


async def test_googles_retry_after_comes_with_the_outcome(android: Rig, control: SimulatorControl) -> None:
    phone = android.phone()
    what = faults.Answer(status=503, reason="UNAVAILABLE", retry_after=7)
    await control.script(what, token=phone.token.reveal())

    answer = await android.send(phone)

    assert (answer.outcome, answer.status) == (TryLater(reason="UNAVAILABLE", after_seconds=7), 503)


async def test_credentials_that_are_not_believed_keep_the_pushes_until_one_probe_is_accepted(
    ios: Rig, control: SimulatorControl
) -> None:
    await control.answer_with(403, "InvalidProviderToken", provider="apns", count=None)
    first = await ios.send(ios.phone())
    assert first.outcome == AppTrouble(reason="InvalidProviderToken")

    kept = await ios.burst(50)

    assert {answer.status for answer in kept} == {None}
    assert {answer.outcome.reason for answer in kept if isinstance(answer.outcome, AppTrouble)} == {
        "InvalidProviderToken"
    }
    assert (await control.stats()).pushes == 1
    health = ios.sender.health()
    assert (health.up, health.circuit, health.last_error) == (False, "open", "InvalidProviderToken")
    assert health.retry_at is not None
    assert ios.sender.capacity() == 800  # of the sandbox

    await control.clear_faults()
    await _until_admitted(ios, await_environment=Environment.PRODUCTION)
    assert ios.sender.health().up
    assert ios.sender.health().last_accepted_at is not None
    assert ios.sender.capacity() == 1600


async def _until_admitted(rig: Rig, *, await_environment: Environment) -> None:
    for _ in range(200):
        answer = await rig.send(rig.phone(environment=await_environment))
        if isinstance(answer.outcome, Accepted):
            return
        assert isinstance(answer.outcome, AppTrouble)
        await _pause(answer.outcome)
    raise AssertionError("it never closed")


async def _pause(trouble: AppTrouble) -> None:
    await asyncio.sleep(min(max(trouble.after_seconds or 0, 0.01), 0.5))


async def test_trouble_with_the_sandbox_does_not_stop_production(ios: Rig, control: SimulatorControl) -> None:
    fault = faults.Fault(
        what=faults.Answer(status=403, reason="BadEnvironmentKeyIdInToken"),
        match=faults.Match(environment=Environment.SANDBOX),
        count=None,
    )
    await control.add_fault(fault)

    sandbox = await ios.send(ios.phone(environment=Environment.SANDBOX))

    assert sandbox.outcome == AppTrouble(reason="BadEnvironmentKeyIdInToken")
    assert outcomes(await ios.burst(20)) == {Accepted}
    assert ios.sender.circuit.admits(clock())
    assert ios.sender.health().circuit == "open"


async def test_a_wrong_topic_does_not_cost_every_phone_its_push(ios: Rig, control: SimulatorControl) -> None:
    await control.answer_with(400, "DeviceTokenNotForTopic", provider="apns", count=None)

    answers = [await ios.send(ios.phone()) for _ in range(40)]

    refused = [answer for answer in answers if isinstance(answer.outcome, Refused)]
    assert len(refused) == 20
    assert outcomes(answers) == {Refused, AppTrouble}
    assert (await control.stats()).pushes == 20


async def test_a_storm_of_server_errors_opens_the_circuit(android: Rig, control: SimulatorControl) -> None:
    await control.answer_with(503, "UNAVAILABLE", provider="fcm", count=None)

    answers = [await android.send(android.phone()) for _ in range(25)]

    assert [type(answer.outcome) for answer in answers] == [TryLater] * 20 + [AppTrouble] * 5
    await control.clear_faults()
    await _until_admitted(android, await_environment=Environment.PRODUCTION)


async def test_neither_logs_nor_health_nor_outcomes_hold_a_token_a_number_or_a_url(
    ios: Rig, android: Rig, control: SimulatorControl
) -> None:
    said: list[object] = []
    with structlog.testing.capture_logs() as logs:
        for rig in (ios, android):
            for what in (
                faults.Answer(status=400, reason="Weird reason {}"),
                faults.RstStream(code=2),
                faults.Reset(),
                faults.GoAway(code=11, debug={"reason": "Shutdown"}),
            ):
                phone = rig.phone()
                token = phone.token.reveal()
                await control.script(what, token=token)
                said.extend((await rig.send(phone), rig.sender.health(), phone, token[-4:]))
                assert token not in repr([logs, said])
    assert "+4915112345678" not in repr([logs, said])
    assert "https://" not in repr([logs, said])
    assert any(entry.get("unlisted") == "unreadable" for entry in logs)


async def test_apps_with_unusable_files_do_not_open_and_each_problem_names_its_key(
    simulator: SimulatorProcess, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.p8"
    bad.write_text("not a key")
    apps = (ios_app(simulator, key_file=bad), android_app(simulator, service_account_file=bad))

    with pytest.raises(ConfigurationError) as raised:
        async with open_senders(Settings(apps=apps), clock=clock):
            pass

    assert [problem.loc for problem in raised.value.problems] == [
        f"apps.{IOS}.apns.key_file",
        f"apps.{ANDROID}.fcm.service_account_file",
    ]
