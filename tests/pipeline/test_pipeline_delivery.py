"""A push leaves the queue only together with what came of it; and what is not to be sent is not sent."""

import asyncio

import pytest

from gateway.domain.device import DeviceState, Environment, Provider
from gateway.domain.event import EventKind
from gateway.domain.outcome import (
    Accepted,
    Answer,
    AppTrouble,
    NotSent,
    Outcome,
    Refused,
    TokenGone,
    TokenRefused,
    TryLater,
    Unknown,
)
from gateway.domain.presence import StatusSettings
from gateway.domain.push import Lane, PushState
from tests.support.facts import MOBILE_SECONDLY
from tests.support.pipeline import EXTENSION, IOS, TENANT, Pipeline
from tests.support.servers import Server
from tests.support.store import ALL_LANES, TestClock

ACCEPTED, DEFERRED, DEAD, GONE = PushState.ACCEPTED, PushState.DEFERRED, PushState.DEAD, PushState.TOKEN_GONE
KEPT = Answer(outcome=AppTrouble(reason="InvalidProviderToken", after_seconds=60))
"""As a sender answers while its circuit is open: nothing went out."""
FORBIDDEN = Answer(outcome=AppTrouble(reason="InvalidProviderToken"), status=403, milliseconds=9)


@pytest.mark.parametrize(
    ("outcome", "state", "attempts", "counted"),
    [
        (Accepted(), ACCEPTED, ["accepted"], None),
        (TokenGone(reason="Unregistered"), GONE, ["token_gone"], None),
        (TokenRefused(reason="BadDeviceToken"), DEFERRED, ["token_refused"], 0),
        (TryLater(reason="ServiceUnavailable"), DEFERRED, ["try_later"], 1),
        (FORBIDDEN, DEFERRED, ["app_trouble"], 0),
        (KEPT, DEFERRED, [], 0),
        (Refused(reason="PayloadTooLarge"), DEAD, ["refused"], None),
        (NotSent(reason="no_connection"), DEFERRED, ["not_sent"], 1),
        (Unknown(reason="timeout"), DEFERRED, ["unknown"], 1),
        (ValueError("a mistake of ours"), DEFERRED, ["unknown"], 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Outcome | Answer | Exception) else "",
)
async def test_every_outcome_ends_the_lease_in_its_way(
    pipeline: Pipeline, outcome: Outcome | Answer | Exception, state: PushState, attempts: list[str], counted: int
) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    pipeline.ios.script.append(outcome)
    await pipeline.deliver_waiting()
    record = await pipeline.push(receipt)
    assert (record.state, [attempt.outcome for attempt in record.attempts]) == (state, attempts)
    assert await pipeline.waiting() == 0
    assert await pipeline.store.dead_letters.count() == (state is DEAD)
    if counted is not None:
        pipeline.clock.pass_seconds(120)
        await pipeline.store.queue.move_due(pipeline.clock())
        (lease,) = await pipeline.store.queue.take("w", lanes=ALL_LANES, count=10, block_ms=0)
        loaded = await pipeline.store.queue.load(lease)
        assert loaded is not None
        assert loaded.attempts == counted


async def test_an_accepted_push_is_noted_with_its_device(pipeline: Pipeline, clock: TestClock) -> None:
    device = await pipeline.register()
    pipeline.ios.script += [TryLater(reason="Shutdown"), Refused(reason="PayloadTooLarge")]
    await pipeline.accept()
    await pipeline.deliver_all()
    failed = await pipeline.store.devices.get(TENANT, EXTENSION, device.device_id)
    assert failed is not None
    assert (failed.state, failed.last_error) == (DeviceState.ACTIVE, "PayloadTooLarge")
    await pipeline.accept()
    await pipeline.deliver_waiting()
    noted = await pipeline.store.devices.get(TENANT, EXTENSION, device.device_id)
    assert noted is not None
    assert (noted.last_accepted_at, noted.last_error) == (clock(), None)


@pytest.mark.parametrize(
    ("since", "state", "device_state"),
    [
        (-1, DEFERRED, DeviceState.ACTIVE),
        (0, GONE, DeviceState.NEEDS_REREGISTER),
        (None, GONE, DeviceState.NEEDS_REREGISTER),
    ],
    ids=["dead before it registered", "dead since it registered", "dead by proof without a time"],
)
async def test_a_token_is_retired_unless_it_was_registered_after_its_death(
    pipeline: Pipeline, since: int | None, state: PushState, device_state: DeviceState
) -> None:
    device = await pipeline.register()
    died = None if since is None else device.registered_at + since
    pipeline.ios.script.append(TokenGone(reason="Unregistered", since=died))
    receipt = await pipeline.accept()
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(receipt) is state
    found = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert found is not None
    assert found.state is device_state


async def test_a_phone_that_registered_while_its_old_token_died_stays_active(pipeline: Pipeline) -> None:
    device = await pipeline.register()
    pipeline.ios.gate.clear()
    pipeline.ios.script.append(TokenGone(reason="Unregistered"))
    receipt = await pipeline.accept()
    sending = asyncio.create_task(pipeline.deliver_waiting())
    await pipeline.ios.began.wait()
    pipeline.clock.pass_seconds(1)
    fresh = await pipeline.register(token=device.token)
    pipeline.ios.gate.set()
    await sending
    assert await pipeline.push_state(receipt) is GONE
    found = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert found == fresh


async def test_a_refused_token_is_tried_once_in_the_other_environment_and_retired_then(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script += [TokenRefused(reason="BadDeviceToken"), TokenRefused(reason="BadDeviceToken")]
    receipt = await pipeline.accept()
    await pipeline.deliver_all()
    environments = [sent.device.environment for sent in pipeline.ios.sent]
    assert environments == [Environment.PRODUCTION, Environment.SANDBOX]
    assert await pipeline.push_state(receipt) is GONE
    device = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert device is not None
    assert (device.state, device.environment) == (DeviceState.NEEDS_REREGISTER, Environment.PRODUCTION)


async def test_a_token_of_the_other_environment_stays_there(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TokenRefused(reason="BadDeviceToken"))
    for _ in range(2):
        await pipeline.accept()
        await pipeline.deliver_all()
    environments = [sent.device.environment for sent in pipeline.ios.sent]
    assert environments == [Environment.PRODUCTION, Environment.SANDBOX, Environment.SANDBOX]


async def test_a_retry_obeys_the_providers_retry_after(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="TooManyRequests", after_seconds=30))
    await pipeline.accept()
    await pipeline.deliver_waiting()
    pipeline.clock.pass_seconds(29.9)
    await pipeline.deliver_waiting()
    assert len(pipeline.ios.sent) == 1
    pipeline.clock.pass_seconds(0.2)
    await pipeline.deliver_waiting()
    assert len(pipeline.ios.sent) == 2


async def test_a_repeat_has_the_same_ids_and_the_attempts_are_told(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script += [Unknown(reason="timeout"), NotSent(reason="refused_stream"), TryLater(reason="Shutdown")]
    receipt = await pipeline.accept()
    await pipeline.deliver_all()
    assert len({(sent.push.push_id, sent.push.collapse_id) for sent in pipeline.ios.sent}) == 1
    record = await pipeline.push(receipt)
    assert [attempt.outcome for attempt in record.attempts] == ["unknown", "not_sent", "try_later", "accepted"]
    waits = [later.at - sooner.at for sooner, later in zip(record.attempts, record.attempts[1:], strict=False)]
    assert all(wait >= 500 for wait in waits)


async def test_trouble_of_the_app_uses_up_no_attempt_however_long_it_lasts(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    pipeline.ios.script.append(FORBIDDEN)
    await pipeline.deliver_waiting()
    for _ in range(50):
        pipeline.ios.script.append(KEPT)
        pipeline.clock.pass_seconds(62)
        await pipeline.deliver_waiting()
    assert len(pipeline.ios.sent) == 51
    pipeline.clock.pass_seconds(62)
    await pipeline.deliver_waiting()
    record = await pipeline.push(receipt)
    assert record.state is ACCEPTED
    assert [attempt.outcome for attempt in record.attempts] == ["app_trouble", "accepted"]


async def test_while_the_circuit_is_open_pushes_are_kept_unsent(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    pipeline.ios.circuit.opens_at = clock() + 60_000
    receipt = await pipeline.accept()
    await pipeline.deliver_waiting()
    record = await pipeline.push(receipt)
    assert (record.state, record.attempts, pipeline.ios.sent) == (DEFERRED, (), [])
    pipeline.clock.pass_seconds(62)
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(receipt) is ACCEPTED


async def test_what_cannot_wait_for_its_app_is_expired_at_once(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    pipeline.ios.circuit.opens_at = clock() + 60_000
    receipt = await pipeline.accept(EventKind.CALL_INCOMING)
    await pipeline.deliver_waiting()
    assert (await pipeline.push_state(receipt), pipeline.ios.sent) == (PushState.EXPIRED, [])


async def test_one_apps_trouble_touches_no_other_app(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    await pipeline.register("android", provider=Provider.FCM)
    pipeline.ios.circuit.opens_at = clock() + 60_000
    await pipeline.accept()
    await pipeline.deliver_waiting()
    assert (len(pipeline.ios.sent), len(pipeline.android.sent)) == (0, 1)


async def test_an_outage_after_sending_is_waited_for_and_nothing_is_sent_twice(
    pipeline: Pipeline, server: Server
) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    pipeline.ios.gate.clear()
    sending = asyncio.create_task(pipeline.deliver_waiting())
    await pipeline.ios.began.wait()
    server.kill()
    pipeline.ios.gate.set()
    await asyncio.sleep(0.1)
    server.start()
    await sending
    assert (await pipeline.push_state(receipt), await pipeline.waiting()) == (ACCEPTED, 0)
    assert len(pipeline.ios.sent) == 1


async def test_ringing_in_the_second_stage_waits_and_is_called_off_when_answered(pipeline: Pipeline) -> None:
    await pipeline.register()
    ring = StatusSettings(ring_strategy=MOBILE_SECONDLY)
    await pipeline.services.presence.change_settings(pipeline.tenant, EXTENSION, "available", lambda state: ring)
    for call in ("c1", "c2"):
        await pipeline.accept(EventKind.CALL_INCOMING, call_id=call)
    await pipeline.accept(EventKind.CALL_ANSWERED, call_id="c1")
    await pipeline.deliver_waiting()
    assert pipeline.ios.sent == []
    pipeline.clock.pass_seconds(15)
    await pipeline.deliver_waiting()
    assert pipeline.ios.phones["iphone"].rings == ["c2"]


async def test_a_late_repeat_of_an_earlier_push_shows_the_present_badge(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="Shutdown"))
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await pipeline.accept()
    await pipeline.deliver_waiting()
    await pipeline.deliver_all()
    assert [sent.push.badge for sent in pipeline.ios.sent] == [1, 2, 2]
    assert pipeline.ios.phones["iphone"].badge == 2


async def test_lanes_are_by_urgency(pipeline: Pipeline) -> None:
    await pipeline.register()
    await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=2)
    await pipeline.accept(EventKind.CALL_MISSED)
    await pipeline.accept(EventKind.CALL_INCOMING)
    depths = {lane: depth.depth for lane, depth in (await pipeline.store.queue.depth()).items()}
    assert depths == {Lane.RING: 1, Lane.ALERT: 1, Lane.BADGE: 1}


async def test_metrics_tell_outcomes_retries_and_times(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="Shutdown"))
    await pipeline.accept(EventKind.CALL_MISSED, occurred_at=pipeline.clock() - 40_000)
    await pipeline.deliver_waiting()
    pipeline.clock.pass_seconds(4)
    await pipeline.deliver_waiting()
    text = pipeline.services.metrics.render().decode()
    device = f'app="{IOS}",kind="call.missed"'
    for line in (
        f'push_gateway_pushes_total{{{device},outcome="try_later",provider="apns"}} 1.0',
        f'push_gateway_pushes_total{{{device},outcome="accepted",provider="apns"}} 1.0',
        f'push_gateway_retries_total{{app="{IOS}",provider="apns",reason="try_later"}} 1.0',
        f'push_gateway_provider_seconds_count{{app="{IOS}",provider="apns"}} 2.0',
        'push_gateway_delivery_seconds_sum{kind="call.missed"} 4.0',
    ):
        assert line in text, line
