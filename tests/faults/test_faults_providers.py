"""The provider as a whole is not well, or does not believe us: pushes are kept, the circuit says why, and all go when
it is over."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.device import Provider
from gateway.domain.event import EventKind
from gateway.domain.push import PushState
from gateway.pipeline.intake import Receipt
from gateway.providers.circuit import CircuitLimits
from gateway.providers.provider_token import GRID_SECONDS, LAG_SECONDS
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from gateway.simulator.views import PhoneState
from tests.support.provider_rig import clock, within
from tests.support.store import until
from tests.support.whole import OPTIONS, RealClock, Whole, open_whole

APNS, FCM = Provider.APNS, Provider.FCM


async def outcomes(whole: Whole, receipts: list[Receipt]) -> Counter[str]:
    records = [await whole.push(receipt) for receipt in receipts]
    return Counter(one.outcome for record in records for one in record.attempts)


async def requests(whole: Whole, provider: Provider) -> int:
    return (await whole.control.stats()).count(provider.value)


@pytest.mark.parametrize("provider", [APNS, FCM])
async def test_a_storm_opens_the_circuit_and_all_go_when_it_is_over(whole: Whole, provider: Provider) -> None:
    extensions = await whole.register_many(120, provider)
    reason = "ServiceUnavailable" if provider is APNS else "UNAVAILABLE"
    await whole.control.answer_with(503, reason, provider=provider.value, count=None)
    receipts = await whole.missed_by(extensions)
    await whole.until_circuit("open", provider)
    assert await whole.ready() == (200, "degraded")
    during = await requests(whole, provider)
    other = await whole.register_many(5, FCM if provider is APNS else APNS)
    await whole.all_end(await whole.missed_by(other))

    await whole.control.clear_faults()
    with within(8):
        records = await whole.all_end(receipts)

    assert during < 200  # what was in flight when it opened, and probes
    assert max(len(record.attempts) for record in records) <= 4
    await whole.until_circuit("closed", provider)
    assert await whole.ready() == (200, "ok")
    shown = [await whole.shown(extension) for extension in extensions]
    assert shown == [[record.push.push_id] for record in records]


async def test_one_throttled_iphone_waits_alone(whole: Whole) -> None:
    throttled, *others = await whole.register_many(40)
    await whole.control.set_phone(whole.phones[throttled], state=PhoneState.THROTTLED)
    told = await whole.missed(throttled)
    with within(4):
        await whole.all_end(await whole.missed_by(others))
    assert (await whole.circuit())[0] == "closed"
    await whole.control.set_phone(whole.phones[throttled], state=PhoneState.OK)
    record = await whole.ends(told)
    assert {one.reason for one in record.attempts} == {"TooManyRequests", ""}


async def test_a_projects_quota_keeps_every_push_until_googles_retry_after(whole: Whole) -> None:
    extensions = await whole.register_many(60, FCM)
    what = faults.Answer(status=429, reason="QUOTA_EXCEEDED", retry_after=1)
    await whole.control.script(what, provider="fcm", count=None)
    receipts = await whole.missed_by(extensions)
    await whole.until_circuit("open", FCM)
    opened = asyncio.get_running_loop().time()
    told = await requests(whole, FCM)
    await whole.control.clear_faults()
    records = await whole.all_end(receipts)
    assert asyncio.get_running_loop().time() - opened > 0.7
    assert told <= 90
    assert (await whole.circuit(FCM))[0] == "closed"
    assert all(one.outcome in ("app_trouble", "accepted") for record in records for one in record.attempts)


async def test_one_throttled_android_phone_is_repeated_no_sooner_than_google_asks(whole: Whole) -> None:
    throttled, *others = await whole.register_many(10, FCM)
    await whole.control.script(
        faults.Answer(status=429, reason="QUOTA_EXCEEDED", retry_after=1), token=whole.phones[throttled]
    )
    told = await whole.missed(throttled)
    await whole.all_end(await whole.missed_by(others))
    first, last = (await whole.ends(told)).attempts
    assert last.at - first.at >= 1000
    assert (await whole.circuit(FCM))[0] == "closed"


@pytest.mark.parametrize(
    ("status", "reason", "most"),
    [
        (403, "InvalidProviderToken", 3),
        (403, "ExpiredProviderToken", 6),
        (429, "TooManyProviderTokenUpdates", 90),
    ],
)
async def test_credentials_that_are_not_believed_cost_no_push_anything(
    whole: Whole, status: int, reason: str, most: int
) -> None:
    (first,) = await whole.register_many(1)
    await whole.control.answer_with(status, reason, provider="apns", count=None)
    told = await whole.missed(first)
    extensions = await whole.register_many(60)
    if status == 403:
        await whole.until_circuit("open")
    receipts = [told, *await whole.missed_by(extensions)]
    await whole.until_circuit("open")
    assert (await whole.circuit())[1] == reason
    asked = await requests(whole, APNS)

    await whole.control.clear_faults()
    with within(6):
        await whole.all_end(receipts)

    assert asked <= most
    assert set(await outcomes(whole, receipts)) <= {"app_trouble", "accepted"}
    await whole.until_circuit("closed")


async def test_an_expired_provider_token_is_made_anew_within_the_same_attempt(
    store_url: str, simulator: SimulatorProcess
) -> None:
    phase = (clock() // 1000 - LAG_SECONDS) % GRID_SECONDS
    behind = (phase + LAG_SECONDS - 1230) % GRID_SECONDS
    async with open_whole(store_url, simulator, clock=RealClock(-behind * 1000)) as whole:
        extensions = await whole.register_many(30)
        await whole.control.answer_with(403, "ExpiredProviderToken", provider="apns")
        receipts = await whole.missed_by(extensions)
        await whole.all_end(receipts)
        assert await outcomes(whole, receipts) == {"accepted": 30}
        assert (await whole.control.stats()).count("apns", status=403) == 1
        assert (await whole.circuit())[0] == "closed"


OAUTH: list[tuple[faults.What, str]] = [
    (faults.NoAnswer(), "oauth_timeout"),
    (faults.Answer(status=503, reason="unavailable"), "oauth_unavailable"),
    (faults.Answer(status=200, body="<html>welcome</html>"), "oauth_garbage"),
]
"""What else its token endpoint may do, is played to the sender alone in tests/providers."""


@pytest.mark.parametrize(("what", "reason"), OAUTH, ids=[reason for _, reason in OAUTH])
async def test_without_an_access_token_pushes_wait_and_iphones_are_told(
    store_url: str, simulator: SimulatorProcess, what: faults.What, reason: str
) -> None:
    async with simulator.control() as control:
        await control.reset()
        await control.script(what, provider="oauth", count=None)
        async with open_whole(store_url, simulator, reset=False) as whole:
            android, ios = await whole.register_many(20, FCM), await whole.register_many(5)
            receipts = await whole.missed_by(android)
            with within(3):
                await whole.all_end(await whole.missed_by(ios))
                await whole.until_circuit("open", FCM)
            assert (await whole.circuit(FCM))[1] == reason
            assert await requests(whole, FCM) == 0
            await control.clear_faults()
            with within(4):
                await whole.all_end(receipts)
            assert set(await outcomes(whole, receipts)) == {"accepted"}


async def test_ringing_that_waited_too_long_for_an_access_token_is_not_sent(
    store_url: str, simulator: SimulatorProcess
) -> None:
    """The token comes, and the caller has hung up."""
    async with simulator.control() as control:
        await control.reset()
        await control.script(faults.Answer(), provider="oauth", delay_ms=900)
        options = replace(OPTIONS, token_times=replace(OPTIONS.token_times, flight=5.0))
        async with open_whole(store_url, simulator, reset=False, options=options) as whole:
            late, patient = await whole.register_many(2, FCM)
            began = whole.pipeline.clock() - 29_500
            ring = await whole.pipeline.accept(EventKind.CALL_INCOMING, extension=late, occurred_at=began)
            told = await whole.missed(patient)
            with within(4):
                record = await whole.ends(ring, PushState.EXPIRED)
                await whole.ends(told)
            assert [(one.outcome, one.reason) for one in record.attempts] == [("not_sent", "too_late")]
            assert await control.phone(whole.phones[late]) is None


async def test_an_account_whose_token_endpoint_is_nowhere_keeps_the_pushes(
    store_url: str, simulator: SimulatorProcess, tmp_path: Path
) -> None:
    account: dict[str, Any] = json.loads(simulator.service_account_file.read_text())
    elsewhere = tmp_path / "service-account.json"
    elsewhere.write_text(json.dumps({**account, "token_uri": "https://oauth.test.invalid/token"}))
    elsewhere.chmod(0o600)
    async with open_whole(store_url, simulator, android={"service_account_file": elsewhere}) as whole:
        receipts = await whole.missed_by(await whole.register_many(10, FCM))
        await whole.until_circuit("open", FCM)
        assert (await whole.circuit(FCM))[1] == "oauth_unreachable"
        assert {(await whole.push(receipt)).attempts for receipt in receipts} == {()}


async def test_a_wrong_topic_opens_the_circuit_and_deletes_nobody(store_url: str, simulator: SimulatorProcess) -> None:
    limits = CircuitLimits(suspicion_pause=400)
    async with open_whole(store_url, simulator, options=replace(OPTIONS, circuit=limits)) as whole:
        extensions = await whole.register_many(150)
        await whole.control.answer_with(400, "DeviceTokenNotForTopic", provider="apns", count=None)
        receipts = [await whole.missed(extension) for extension in extensions[:25]]
        await whole.until_circuit("open")
        receipts += await whole.missed_by(extensions[25:])
        assert {(await whole.device(extension)).state for extension in extensions} == {"active"}
        await whole.control.clear_faults()

        async def settled() -> bool:
            states = {(await whole.push(receipt)).state for receipt in receipts}
            return states <= {PushState.ACCEPTED, PushState.DEAD}

        await until(settled, seconds=8)
        states = Counter([(await whole.push(receipt)).state for receipt in receipts])
        assert states[PushState.DEAD] <= 30
        assert {(await whole.device(extension)).state for extension in extensions} == {"active"}
        for dead in await whole.pipeline.store.dead_letters.list(after=None, limit=100):
            assert await whole.pipeline.store.dead_letters.replay(dead.push.push_id, whole.pipeline.clock())
        await whole.all_end(receipts)


@pytest.mark.parametrize(
    ("url", "ca_file", "reasons"),
    [
        ("https://127.0.0.1:1", "own", {"connect_failed"}),
        ("https://apns.test.invalid", "own", {"dns_failed"}),
        (None, None, {"connect_failed"}),
    ],
    ids=["refused", "no DNS", "an unknown authority"],
)
async def test_without_a_connection_pushes_wait_and_the_circuit_says_why(
    store_url: str, simulator: SimulatorProcess, url: str | None, ca_file: str | None, reasons: set[str]
) -> None:
    ios = {**({"url": url} if url else {}), **({} if ca_file else {"ca_file": None})}
    async with open_whole(store_url, simulator, ios=ios) as whole:
        extensions = await whole.register_many(30)
        android = await whole.register_many(5, Provider.FCM)
        receipts = await whole.missed_by(extensions)
        with within(5):
            await whole.until_circuit("open")
            await whole.all_end(await whole.missed_by(android))
        records = [await whole.push(receipt) for receipt in receipts]
        assert {record.state for record in records} <= {PushState.DEFERRED, PushState.QUEUED}
        assert {one.outcome for record in records for one in record.attempts} == {"not_sent"}
        assert (await whole.circuit())[1] in reasons
        assert (await whole.circuit(Provider.FCM))[0] == "closed"
        assert await whole.ready() == (200, "degraded")
