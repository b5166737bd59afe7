"""What is late, untrue, unwanted or nobody's any more is not sent."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.event import EventKind
from gateway.domain.outcome import (
    Accepted,
    Answer,
    AppTrouble,
    NotSent,
    Outcome,
    Refused,
    TokenGone,
    TryLater,
    Unknown,
)
from gateway.domain.push import PushKind, PushState
from gateway.settings import Settings
from gateway.store import Store
from tests.support.pipeline import ANDROID, EXTENSION, IOS, TENANT, Pipeline, a_pipeline
from tests.support.store import ALL_LANES, TestClock

ACCEPTED, DEFERRED, DEAD, GONE = PushState.ACCEPTED, PushState.DEFERRED, PushState.DEAD, PushState.TOKEN_GONE
KEPT = Answer(outcome=AppTrouble(reason="InvalidProviderToken", after_seconds=60))
"""As a sender answers while its circuit is open: nothing went out."""
FORBIDDEN = Answer(outcome=AppTrouble(reason="InvalidProviderToken"), status=403, milliseconds=9)


@pytest.mark.parametrize(("late_by", "sent"), [(0, 1), (1, 0)], ids=["at its deadline", "after its deadline"])
async def test_nothing_is_sent_after_its_deadline(pipeline: Pipeline, late_by: int, sent: int) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    pipeline.clock.now = (await pipeline.push(receipt)).push.deadline + late_by
    await pipeline.deliver_waiting()
    assert len(pipeline.ios.sent) == sent
    assert await pipeline.push_state(receipt) is (ACCEPTED if sent else PushState.EXPIRED)


async def test_a_retry_that_would_come_too_late_is_expired_now(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipt = await pipeline.accept(EventKind.CALL_INCOMING)
    pipeline.ios.script.append(TryLater(reason="TooManyRequests", after_seconds=3600))
    await pipeline.deliver_waiting()
    record = await pipeline.push(receipt)
    assert (record.state, [one.outcome for one in record.attempts]) == (PushState.EXPIRED, ["try_later"])


async def test_what_was_withdrawn_while_it_waited_is_not_sent(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipt = await pipeline.accept(EventKind.CALL_MISSED, call_id="c1")
    await pipeline.accept(EventKind.CALL_ANSWERED, call_id="c1", answered_by="1002")
    await pipeline.deliver_all()
    assert pipeline.ios.sent == []
    assert await pipeline.push_state(receipt) is PushState.WITHDRAWN


async def test_what_was_withdrawn_while_it_waited_for_its_retry_is_not_sent_again(pipeline: Pipeline) -> None:
    await pipeline.register()
    pipeline.ios.script.append(TryLater(reason="Shutdown"))
    receipt = await pipeline.accept(EventKind.CALL_MISSED, call_id="c1")
    await pipeline.deliver_waiting()
    await pipeline.accept(EventKind.CALL_ANSWERED, call_id="c1", answered_by="1002")
    await pipeline.deliver_all()
    assert len(pipeline.ios.sent) == 1
    assert await pipeline.push_state(receipt) is PushState.WITHDRAWN


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        (Accepted(), [PushKind.CALL_MISSED, PushKind.CALL_WITHDRAWN]),
        (Unknown(reason="timeout"), [PushKind.CALL_MISSED, PushKind.CALL_WITHDRAWN]),
        (TryLater(reason="Shutdown"), [PushKind.CALL_MISSED]),
        (NotSent(reason="no_connection"), [PushKind.CALL_MISSED]),
        (Refused(reason="PayloadTooLarge"), [PushKind.CALL_MISSED]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Outcome) else "",
)
async def test_a_push_withdrawn_while_it_is_on_its_way_is_replaced_where_a_phone_may_have_it(
    pipeline: Pipeline, outcome: Outcome, kinds: list[PushKind]
) -> None:
    await pipeline.register()
    pipeline.ios.script.append(outcome)
    pipeline.ios.gate.clear()
    receipt = await pipeline.accept(EventKind.CALL_MISSED, call_id="c1")
    sending = asyncio.create_task(pipeline.deliver_waiting())
    await pipeline.ios.began.wait()
    await pipeline.accept(EventKind.CALL_ANSWERED, call_id="c1", answered_by="1002")
    pipeline.ios.gate.set()
    await sending
    await pipeline.deliver_all()
    assert [sent.push.kind for sent in pipeline.ios.sent] == kinds
    assert len({sent.push.collapse_id for sent in pipeline.ios.sent}) == 1
    assert await pipeline.push_state(receipt) in (ACCEPTED, PushState.WITHDRAWN)
    phone = pipeline.ios.phones.get("iphone")
    assert phone is None or (phone.kinds, phone.badge) == ([PushKind.CALL_WITHDRAWN], 0)


async def test_a_phone_that_moved_to_another_extension_gets_nothing_of_the_old_one(pipeline: Pipeline) -> None:
    device = await pipeline.register()
    receipt = await pipeline.accept()
    await pipeline.register("iphone", "1002", token=device.token, voip_token=device.voip_token)
    await pipeline.deliver_all()
    assert pipeline.ios.sent == []
    assert await pipeline.push_state(receipt) is GONE


async def test_a_deleted_phone_gets_nothing(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    await pipeline.store.devices.delete(TENANT, EXTENSION, "iphone")
    await pipeline.deliver_all()
    assert (await pipeline.push_state(receipt), pipeline.ios.sent) == (GONE, [])


async def test_a_phone_that_has_to_register_again_gets_nothing_more(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipts = [await pipeline.accept(), await pipeline.accept()]
    pipeline.ios.script.append(TokenGone(reason="Unregistered"))
    await pipeline.deliver_waiting()
    assert [await pipeline.push_state(receipt) for receipt in receipts] == [GONE, GONE]
    assert len(pipeline.ios.sent) == 1


@pytest.mark.parametrize(
    "change",
    [{"muted": True}, {"kinds": frozenset({PushKind.VOICEMAIL_NEW})}],
    ids=["muted", "does not take the kind any more"],
)
async def test_a_phone_that_wants_it_no_more_is_not_told(pipeline: Pipeline, change: dict[str, Any]) -> None:
    device = await pipeline.register()
    receipt = await pipeline.accept()
    await pipeline.store.devices.register(replace(device, **change))
    await pipeline.deliver_all()
    assert (await pipeline.push_state(receipt), pipeline.ios.sent) == (PushState.WITHDRAWN, [])


async def test_an_erased_extensions_pushes_are_not_sent(pipeline: Pipeline) -> None:
    await pipeline.register()
    await pipeline.accept()
    await pipeline.store.extensions.erase(TENANT, EXTENSION)
    await pipeline.deliver_all()
    assert (pipeline.ios.sent, await pipeline.waiting()) == ([], 0)


async def test_an_app_that_is_configured_no_more_makes_a_dead_letter_that_can_be_replayed(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock
) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    without = a_pipeline(settings, store, clock)
    del without.senders[IOS]
    await without.deliver_waiting()
    record = await store.dead_letters.get((await pipeline.push(receipt)).push.push_id)
    assert record is not None
    assert record.attempts[-1].reason == "the app is no longer configured"
    assert await store.dead_letters.replay(record.push.push_id, clock())
    await pipeline.deliver_waiting()
    assert await pipeline.push_state(receipt) is ACCEPTED


@pytest.mark.parametrize(
    ("left", "reason"),
    [({"tenants": ()}, "the tenant is no longer configured"), ({"apps": (ANDROID,)}, "the app is no longer one of")],
    ids=["tenant", "tenant's app"],
)
async def test_a_tenant_that_is_configured_otherwise_makes_a_dead_letter(
    pipeline: Pipeline, left: dict[str, object], reason: str
) -> None:
    settings, store, clock = pipeline.services.settings, pipeline.store, pipeline.clock
    await pipeline.register()
    receipt = await pipeline.accept()
    tenants = (pipeline.tenant.model_copy(update=left),) if "apps" in left else ()
    without = a_pipeline(settings.model_copy(update={"tenants": tenants}), store, clock)
    without.services.settings.__dict__.pop("_tenants_by_id", None)
    await without.deliver_waiting()
    record = await pipeline.push(receipt)
    assert record.state is DEAD
    assert record.attempts[-1].reason.startswith(reason)
    assert without.ios.sent == []


async def test_a_push_that_another_worker_settled_is_not_sent_again(pipeline: Pipeline) -> None:
    await pipeline.register()
    receipt = await pipeline.accept()
    (mine,) = await pipeline.store.queue.take("slow", lanes=ALL_LANES, count=1, block_ms=0)
    (theirs,) = await pipeline.store.queue.reclaim("quick", min_idle_ms=0, count=1)
    await pipeline.services.delivery.deliver(theirs)
    await pipeline.services.delivery.deliver(mine)
    assert len(pipeline.ios.sent) == 1
    assert len((await pipeline.push(receipt)).attempts) == 1
