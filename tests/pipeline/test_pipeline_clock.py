"""Time plays tricks: the clock is put right by an hour, or nothing could be sent for six."""

import pytest

from gateway.domain.device import Provider
from gateway.domain.event import EventKind
from gateway.domain.outcome import TryLater
from gateway.domain.presence import Endpoint, RingStrategy, StatusSettings
from gateway.domain.push import PushKind, PushState
from gateway.pipeline.intake import Receipt
from tests.support.pipeline import EXTENSION, TENANT, Pipeline
from tests.support.store import ALL_LANES, TestClock

HOUR = 3600


async def test_after_six_hours_without_a_provider_only_what_is_still_true_and_in_time_is_sent(
    pipeline: Pipeline, clock: TestClock
) -> None:
    await pipeline.register()
    pipeline.ios.circuit.opens_at = clock() + 6 * HOUR * 1000
    missed = await pipeline.accept()
    answered = await pipeline.accept(call_id="answered")
    too_old = await pipeline.accept(occurred_at=clock() - 7 * HOUR * 1000)
    replaced = await pipeline.accept(call_id="a message")
    ringing = await pipeline.accept(EventKind.CALL_INCOMING)
    mailbox = await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=3, occurred_at=clock() - 9000)
    await pipeline.deliver_waiting()
    clock.pass_seconds(60)
    voicemail = await pipeline.accept(EventKind.VOICEMAIL_NEW, call_id="a message", message_id="m")
    await pipeline.accept(EventKind.CALL_ANSWERED, call_id="answered", answered_by="1999")
    await pipeline.deliver_all()
    assert pipeline.ios.sent == []

    clock.pass_seconds(6 * HOUR)
    await pipeline.deliver_all(seconds=20)

    assert sorted(one.push.kind for one in pipeline.ios.sent) == [PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW]
    assert {one.push.badge for one in pipeline.ios.sent} == {await pipeline.badge()} == {6}
    states = {name: await _state(pipeline, receipt) for name, receipt in _named(locals()).items()}
    assert states == {
        "missed": PushState.ACCEPTED,
        "answered": PushState.WITHDRAWN,
        "too_old": PushState.EXPIRED,
        "replaced": PushState.WITHDRAWN,
        "ringing": PushState.EXPIRED,
        "mailbox": PushState.EXPIRED,
        "voicemail": PushState.ACCEPTED,
    }
    assert await pipeline.waiting() == 0


async def _state(pipeline: Pipeline, receipt: Receipt) -> PushState:
    """Of the push that the event's decision planned."""
    records = await pipeline.store.journal.pushes(TENANT, receipt.event_id)
    (planned,) = receipt.decision.pushes
    return next(record.state for record in records if record.push.push_id == planned.push_id)


def _named(found: dict[str, object]) -> dict[str, Receipt]:
    return {name: value for name, value in found.items() if isinstance(value, Receipt)}


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_put_right_by_an_hour_loses_and_doubles_nothing(
    pipeline: Pipeline, clock: TestClock, hours: int
) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="ServiceUnavailable"))
    deferred = await pipeline.accept(call_id="deferred")
    await pipeline.deliver_waiting()
    queued = await pipeline.accept(call_id="queued")
    leased = await pipeline.store.queue.take("slow", lanes=ALL_LANES, count=1, block_ms=0)

    clock.pass_seconds(hours * HOUR)

    again = await pipeline.accept(EventKind.CALL_MISSED, call_id="queued")
    assert (again.event_id, again.status) == (queued.event_id, "duplicate")
    after = await pipeline.accept(call_id="after")
    for lease in leased:
        await pipeline.services.delivery.deliver(lease)
    await pipeline.deliver_all(seconds=20)
    assert await pipeline.push_state(after) is PushState.ACCEPTED
    assert await pipeline.push_state(queued) is PushState.ACCEPTED
    assert await pipeline.push_state(deferred) is PushState.ACCEPTED
    assert pipeline.ios.phones["iphone"].kinds == [PushKind.CALL_MISSED] * 3
    assert pipeline.ios.phones["iphone"].badge == await pipeline.badge() == 3


async def test_a_phone_that_rings_in_the_second_stage_rings_in_time_though_the_clock_is_put_back(
    pipeline: Pipeline, clock: TestClock
) -> None:
    """Held by the clock of before it would ring an hour after the caller has hung up."""
    await pipeline.register()
    later = RingStrategy(ring_first=(Endpoint.EXTENSION_ENDPOINT,), ring_secondly=(Endpoint.MOBILE_CLIENT,))
    settings = StatusSettings(ring_strategy=later)
    await pipeline.services.presence.change_settings(pipeline.tenant, EXTENSION, "available", lambda _: settings)
    await pipeline.deliver_waiting()
    ringing = await pipeline.accept(EventKind.CALL_INCOMING)
    clock.pass_seconds(5 - HOUR)
    await pipeline.deliver_waiting()
    assert pipeline.ios.sent == []
    clock.pass_seconds(16)  # the step is known to within ten seconds
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(ringing) is PushState.ACCEPTED


async def test_a_clock_that_is_put_forward_rings_no_call_that_is_over(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register("android", provider=Provider.FCM)
    pipeline.android.script.append(TryLater(reason="UNAVAILABLE"))
    ringing = await pipeline.accept(EventKind.CALL_INCOMING)
    await pipeline.deliver_waiting()
    clock.pass_seconds(HOUR)
    await pipeline.deliver_all(seconds=10)
    assert await pipeline.push_state(ringing) is PushState.EXPIRED
    assert len(pipeline.android.sent) == 1
