"""A test push says how far it came."""

import pytest

from gateway.domain.device import DeviceState, Environment, Provider
from gateway.domain.outcome import Answer, Outcome, Refused, TokenGone, TokenRefused, TryLater
from gateway.domain.push import PushKind
from gateway.pipeline import diagnosis
from tests.support.pipeline import ANDROID, EXTENSION, IOS, TENANT, Pipeline

BAD = TokenRefused(reason="BadDeviceToken")


async def diagnosed(pipeline: Pipeline, device_id: str = "iphone") -> diagnosis.TestReport:
    return await pipeline.services.diagnosis.test(pipeline.tenant, EXTENSION, device_id)


def stages(report: diagnosis.TestReport) -> list[tuple[str, bool]]:
    return [(stage.name, stage.ok) for stage in report.stages]


GOOD = [("registered", True), ("app", True), ("credentials", True)]


async def test_all_stages_are_good(pipeline: Pipeline) -> None:
    device = await pipeline.register()
    report = await diagnosed(pipeline)
    assert (stages(report), report.ok) == ([*GOOD, ("provider", True)], True)
    assert report.stages[0].detail == f"apns token …{device.token.hint}"
    assert report.stages[-1].detail == "accepted in 7 ms (HTTP 200)"
    (sent,) = pipeline.ios.sent
    assert (sent.push.kind, sent.push.badge) == (PushKind.TEST, None)
    found = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert found is not None
    assert found.last_accepted_at == pipeline.clock()


async def test_a_device_that_is_not_registered_ends_it(pipeline: Pipeline) -> None:
    report = await diagnosed(pipeline)
    assert (stages(report), report.ok) == ([("registered", False)], False)


async def test_a_device_whose_token_was_retired_says_why(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TokenGone(reason="Unregistered"))
    assert stages(await diagnosed(pipeline)) == [*GOOD, ("provider", False)]
    again = await diagnosed(pipeline)
    assert stages(again) == [("registered", False)]
    assert again.stages[0].detail == f"{DeviceState.NEEDS_REREGISTER}: Unregistered"


async def test_a_muted_device_is_tested_and_told_so(pipeline: Pipeline) -> None:
    await pipeline.register(muted=True)
    report = await diagnosed(pipeline)
    assert report.ok
    assert "muted" in report.stages[0].detail


async def test_a_phone_that_can_only_be_rung_is_told_so(pipeline: Pipeline) -> None:
    device = await pipeline.register()
    await pipeline.register("ringer", token=device.token, voip_token=device.token)
    report = await diagnosed(pipeline, "ringer")
    assert stages(report) == [("registered", False)]
    assert pipeline.ios.sent == []


async def test_an_app_that_is_not_configured_ends_it(pipeline: Pipeline) -> None:
    await pipeline.register()
    del pipeline.senders[IOS]
    assert stages(await diagnosed(pipeline)) == [("registered", True), ("app", False)]


async def test_an_app_that_is_not_the_tenants_ends_it(pipeline: Pipeline) -> None:
    await pipeline.register()
    other = pipeline.tenant.model_copy(update={"apps": (ANDROID,)})
    report = await pipeline.services.diagnosis.test(other, EXTENSION, "iphone")
    assert stages(report) == [("registered", True), ("app", False)]


async def test_while_the_circuit_is_open_nothing_is_sent_and_the_reason_is_told(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.up = False
    pipeline.ios.circuit.opens_at = pipeline.clock() + 1000
    report = await diagnosed(pipeline)
    assert stages(report) == [*GOOD[:2], ("credentials", False)]
    assert report.stages[-1].detail == "circuit open: InvalidProviderToken; pushes are kept"
    assert pipeline.ios.sent == []


async def test_a_circuit_that_lets_one_push_through_is_probed_by_the_test(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.up = False
    report = await diagnosed(pipeline)
    assert (report.ok, report.stages[2].detail) == (True, "circuit closed: InvalidProviderToken; this push probes it")


async def test_a_token_of_the_other_environment_is_found_in_one_test(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(BAD)
    report = await diagnosed(pipeline)
    assert (report.ok, report.stages[-1].detail) == (True, "accepted in 7 ms (HTTP 200), in sandbox")
    device = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert device is not None
    assert (device.environment, device.state) == (Environment.SANDBOX, DeviceState.ACTIVE)


async def test_a_token_that_neither_environment_knows_is_retired(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script += [BAD, BAD]
    report = await diagnosed(pipeline)
    assert (report.ok, report.stages[-1].detail) == (False, "token_refused: BadDeviceToken (HTTP 200)")
    device = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert device is not None
    assert (device.environment, device.state) == (Environment.PRODUCTION, DeviceState.NEEDS_REREGISTER)


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (Answer(outcome=Refused(reason="BadTopic"), status=400), "refused: BadTopic (HTTP 400)"),
        (Answer(outcome=TryLater(reason="Shutdown"), status=503), "try_later: Shutdown (HTTP 503)"),
        (Answer(outcome=TokenGone(reason="UNREGISTERED"), status=404), "token_gone: UNREGISTERED (HTTP 404)"),
    ],
    ids=["refused", "try later", "token gone"],
)
async def test_the_providers_answer_is_told_as_it_is(pipeline: Pipeline, outcome: Outcome, detail: str) -> None:
    await pipeline.register("android", provider=Provider.FCM)
    pipeline.android.script.append(outcome)
    report = await diagnosed(pipeline, "android")
    assert (report.ok, report.stages[-1].detail) == (False, detail)
