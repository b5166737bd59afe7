"""A dead letter is sent again only if it would be sent today, and then once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.domain.device import DeviceState
from gateway.domain.event import Disposition, EventKind
from gateway.domain.outcome import Refused
from gateway.domain.presence import StatusSettings
from gateway.domain.push import PushState
from gateway.domain.settlement import DeviceChange
from gateway.pipeline.intake import Receipt
from gateway.pipeline.replay import NotReplayed, Refusal, Replay, Replayed
from tests.support.pipeline import ANDROID, EXTENSION, TENANT, Pipeline
from tests.support.store import TestClock

CALL = "the call"


def a_replay(pipeline: Pipeline) -> Replay:
    return Replay(pipeline.services.settings, pipeline.store, pipeline.clock)


async def dead_letter(pipeline: Pipeline, kind: EventKind = EventKind.CALL_MISSED) -> Receipt:
    """A push that its provider refused."""
    await pipeline.register()
    pipeline.ios.script.append(Refused(reason="BadTopic"))
    receipt = await pipeline.accept(kind, call_id=CALL)
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(receipt) is PushState.DEAD
    return receipt


def push_id(receipt: Receipt) -> str:
    return receipt.decision.pushes[0].push_id


async def test_a_dead_letter_that_still_holds_is_sent_under_the_same_id(pipeline: Pipeline) -> None:
    receipt = await dead_letter(pipeline)
    assert await a_replay(pipeline).replay(push_id(receipt)) == Replayed()
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(receipt) is PushState.ACCEPTED
    assert [sent.push.push_id for sent in pipeline.ios.sent] == [push_id(receipt)] * 2
    assert len({sent.push.collapse_id for sent in pipeline.ios.sent}) == 1


async def test_many_replays_at_once_send_once(pipeline: Pipeline) -> None:
    receipt = await dead_letter(pipeline)
    outcomes = await asyncio.gather(*(a_replay(pipeline).replay(push_id(receipt)) for _ in range(10)))
    assert outcomes.count(Replayed()) == 1
    assert outcomes.count(NotReplayed(Refusal.NO_DEAD_LETTER)) == 9
    await pipeline.deliver_waiting()
    assert len(pipeline.ios.sent) == 2


async def switch_push_off(pipeline: Pipeline) -> None:
    state = await pipeline.store.extensions.load(TENANT, EXTENSION)
    settings = StatusSettings(accept_push_notifications=False)
    assert await pipeline.store.extensions.save(state, settings=("available", settings))


async def answer_the_call(pipeline: Pipeline) -> None:
    await pipeline.accept(EventKind.CALL_ENDED, call_id=CALL, disposition=Disposition.ANSWERED_ELSEWHERE)


async def leave_a_voicemail(pipeline: Pipeline) -> None:
    await pipeline.accept(EventKind.VOICEMAIL_NEW, call_id=CALL)


async def pass_half_a_day(pipeline: Pipeline) -> None:
    pipeline.clock.pass_seconds(43_201)


async def delete_the_device(pipeline: Pipeline) -> None:
    assert await pipeline.store.devices.delete(TENANT, EXTENSION, "iphone")


async def mute_the_device(pipeline: Pipeline) -> None:
    await pipeline.register(muted=True)


async def drop_it(pipeline: Pipeline) -> None:
    for letter in await pipeline.store.dead_letters.list():
        await pipeline.store.dead_letters.drop(letter.push.push_id)


async def erase_the_extension(pipeline: Pipeline) -> None:
    await pipeline.store.extensions.erase(TENANT, EXTENSION)


MEANWHILE = {
    "the deadline has passed": (pass_half_a_day, "expired"),
    "push was switched off": (switch_push_off, "push_disabled"),
    "somebody else answered": (answer_the_call, "answered_elsewhere"),
    "the caller left a voicemail": (leave_a_voicemail, "superseded_by_voicemail"),
    "the device was deleted": (delete_the_device, "no_device"),
    "the device was muted": (mute_the_device, "no_device"),
    "it was dropped": (drop_it, "no_dead_letter"),
    "the extension was erased": (erase_the_extension, "no_dead_letter"),
}


@pytest.mark.parametrize(("happens", "why"), MEANWHILE.values(), ids=MEANWHILE)
async def test_what_would_not_be_sent_now_is_not_replayed(
    pipeline: Pipeline, happens: Callable[[Pipeline], Awaitable[None]], why: str
) -> None:
    receipt = await dead_letter(pipeline)
    await happens(pipeline)
    assert await a_replay(pipeline).replay(push_id(receipt)) == NotReplayed(why)
    sent = len(pipeline.ios.sent)
    await pipeline.deliver_waiting()
    assert push_id(receipt) not in [one.push.push_id for one in pipeline.ios.sent[sent:]]


async def test_what_changes_between_the_look_and_the_step_is_looked_at_again(pipeline: Pipeline) -> None:
    receipt = await dead_letter(pipeline)
    state = await pipeline.store.extensions.load(TENANT, EXTENSION)
    await switch_push_off(pipeline)
    assert not await pipeline.store.dead_letters.replay(push_id(receipt), pipeline.clock(), rev=state.rev)
    assert await pipeline.store.dead_letters.get(push_id(receipt)) is not None


@pytest.mark.parametrize(
    ("left", "why"), [(None, Refusal.NO_TENANT), ((ANDROID,), Refusal.NO_APP)], ids=["no tenant", "no app"]
)
async def test_what_is_configured_no_more_gets_nothing(
    pipeline: Pipeline, left: tuple[str, ...] | None, why: Refusal
) -> None:
    receipt = await dead_letter(pipeline)
    tenants = () if left is None else (pipeline.tenant.model_copy(update={"apps": left}),)
    settings = pipeline.services.settings.model_copy(update={"tenants": tenants})
    settings.__dict__.pop("_tenants_by_id", None)
    assert await Replay(settings, pipeline.store, pipeline.clock).replay(push_id(receipt)) == NotReplayed(why)


async def test_a_device_that_is_retired_gets_nothing_until_it_registers_again(
    pipeline: Pipeline, clock: TestClock
) -> None:
    receipt = await dead_letter(pipeline)
    device = await pipeline.store.devices.get(TENANT, EXTENSION, "iphone")
    assert device is not None
    retired = DeviceChange(registered_at=device.registered_at, state=DeviceState.NEEDS_REREGISTER)
    assert await pipeline.store.devices.apply(device, retired)
    assert await a_replay(pipeline).replay(push_id(receipt)) == NotReplayed(Refusal.NO_DEVICE)
    await pipeline.store.devices.register(replace(device, registered_at=clock() + 1, state=DeviceState.ACTIVE))
    assert await a_replay(pipeline).replay(push_id(receipt)) == Replayed()
