"""An event is decided once, stored before it is answered, and never half."""

import asyncio
from dataclasses import replace

import pytest

from gateway.domain.decision import Action, EventRecord, Reason
from gateway.domain.effects import Effects
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import EventKind, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.pipeline.intake import Receipt, ReceiptStatus
from gateway.settings import Settings
from gateway.store import Acceptance, Stale, Store
from gateway.store.extensions import Extensions
from tests.support.facts import an_event
from tests.support.pipeline import EXTENSION, TENANT, Pipeline, a_pipeline
from tests.support.servers import Server
from tests.support.store import TestClock, new_event_id

ACCEPTED, DUPLICATE = ReceiptStatus.ACCEPTED, ReceiptStatus.DUPLICATE


def missed(clock: TestClock, call_id: str, identity: str | None = None) -> PbxEvent:
    return replace(an_event(EventKind.CALL_MISSED, occurred_at=clock(), call_id=call_id), identity=identity)


async def test_fifty_calls_at_one_moment_at_two_gateways_are_all_stored_and_counted(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock
) -> None:
    await pipeline.register()
    other = a_pipeline(settings, store, clock).services
    receipts = await asyncio.gather(
        *(
            pipeline.accept(missed(clock, f"call-{number}"), services=other if number % 2 else None)
            for number in range(50)
        )
    )
    assert [receipt.status for receipt in receipts] == [ACCEPTED] * 50
    assert len({receipt.event_id for receipt in receipts}) == 50
    assert await pipeline.badge() == 50
    assert len(await pipeline.inbox_kinds()) == 50
    await pipeline.deliver_all()
    phone = pipeline.ios.phones["iphone"]
    assert len(phone.shown) == len(phone.received) == 50
    assert {push.badge for push in phone.received} == {50}


@pytest.mark.parametrize("identity", ["cdr-1", None], ids=["by its identity", "by its fact"])
async def test_one_event_at_one_moment_at_two_gateways_has_one_decision_and_one_push(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock, identity: str | None
) -> None:
    await pipeline.register()
    other = a_pipeline(settings, store, clock).services
    event = missed(clock, "the-call", identity)
    receipts = await asyncio.gather(
        *(pipeline.accept(event, services=other if number % 2 else None) for number in range(30))
    )
    assert sorted(receipt.status for receipt in receipts) == [ACCEPTED] + [DUPLICATE] * 29
    assert len({receipt.event_id for receipt in receipts}) == 1
    assert all(receipt.decision == receipts[0].decision for receipt in receipts)
    assert await pipeline.badge() == 1
    await pipeline.deliver_all()
    assert len(pipeline.ios.sent) == 1


async def test_an_extension_that_never_holds_still_is_unavailable_and_nothing_is_stored(
    pipeline: Pipeline, settings: Settings, store: Store, clock: TestClock
) -> None:
    restless = a_pipeline(settings, replace(store, extensions=NeverStill(store.extensions._access)), clock)
    with pytest.raises(StoreUnavailable, match="too often"):
        await restless.accept(missed(clock, "c1"))
    assert (await pipeline.inbox_kinds(), await pipeline.badge()) == ([], 0)
    assert (await pipeline.accept(missed(clock, "c1"))).status is ACCEPTED


class NeverStill(Extensions):
    """Extensions that change between every reading and its writing."""

    async def accept(self, state: ExtensionState, record: EventRecord, effects: Effects) -> Acceptance:
        """Never in time."""
        return Stale()


async def test_a_repeat_of_a_delivery_gets_the_first_answer(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    first = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    clock.pass_seconds(60)
    again = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    assert again == Receipt(event_id=first.event_id, status=DUPLICATE, decision=first.decision)
    assert await pipeline.badge() == 1


async def test_the_same_delivery_id_with_another_body_is_a_duplicate(pipeline: Pipeline, clock: TestClock) -> None:
    first = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1", digest="one")
    other = await pipeline.accept(missed(clock, "c2"), delivery_id="msg_1", digest="another")
    assert (other.status, other.event_id, other.decision) == (DUPLICATE, first.event_id, first.decision)
    assert await pipeline.badge() == 1


async def test_delivery_ids_of_different_sources_do_not_meet(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    arrival = replace(pipeline.arrival("msg_1", "another"), source="crm")
    (receipt,) = await pipeline.services.intake.accept(arrival, (missed(clock, "c2"),))
    assert receipt.status is ACCEPTED


@pytest.mark.parametrize("digest", ["digest", "another"], ids=["the same body", "another body"])
async def test_a_gateway_that_died_between_claim_and_acceptance_loses_nothing(
    pipeline: Pipeline, clock: TestClock, digest: str
) -> None:
    claim = await pipeline.store.deliveries.claim("hq", "msg_1", "digest", (new_event_id(clock()),))
    assert claim.first
    receipt = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1", digest=digest)
    assert (receipt.status, receipt.event_id) == (ACCEPTED, claim.event_ids[0])
    again = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1", digest=digest)
    assert (again.status, again.event_id) == (DUPLICATE, receipt.event_id)


async def test_a_gateway_that_died_within_a_message_stores_the_rest_at_the_repeat(
    pipeline: Pipeline, clock: TestClock
) -> None:
    intake, arrival = pipeline.services.intake, pipeline.arrival("msg_1")
    events = (missed(clock, "c1"), missed(clock, "c2"))
    claim = await pipeline.store.deliveries.claim(
        "hq", "msg_1", "digest", (new_event_id(clock()), new_event_id(clock()))
    )
    event_id = claim.event_ids[0]
    await pipeline.services.intake.accept(replace(arrival, delivery_id=None), events[:1])
    receipts = await intake.accept(arrival, events)
    assert [receipt.status for receipt in receipts] == [DUPLICATE, ACCEPTED]
    assert receipts[1].event_id == claim.event_ids[1] != event_id
    assert await pipeline.badge() == 2


async def test_another_body_of_another_length_is_answered_as_far_as_the_first_is_stored(
    pipeline: Pipeline, clock: TestClock
) -> None:
    intake = pipeline.services.intake
    two = (missed(clock, "c1"), missed(clock, "c2"))
    first = await intake.accept(pipeline.arrival("msg_1", "two"), two)
    shorter = await intake.accept(pipeline.arrival("msg_1", "one"), (missed(clock, "c3"),))
    assert [(one.event_id, one.status) for one in shorter] == [(one.event_id, DUPLICATE) for one in first]
    await pipeline.store.deliveries.claim("hq", "msg_2", "lost", (new_event_id(clock()), new_event_id(clock())))
    (taken,) = await intake.accept(pipeline.arrival("msg_2", "one"), (missed(clock, "c4"),))
    assert taken.status is ACCEPTED


async def test_a_repeat_in_another_delivery_is_told_by_its_fact_whatever_becomes_of_that_delivery(
    pipeline: Pipeline, clock: TestClock
) -> None:
    first = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    for digest in ("digest", "another"):
        again = await pipeline.accept(missed(clock, "c1"), delivery_id="msg_2", digest=digest)
        assert (again.status, again.event_id) == (DUPLICATE, first.event_id)


@pytest.mark.parametrize("fill", [{"queued": 10**9}, {"used_memory": 10**12}], ids=["queue", "memory"])
async def test_a_full_store_refuses_and_remembers_nothing(
    pipeline: Pipeline, settings: Settings, clock: TestClock, fill: dict[str, int]
) -> None:
    capacity = pipeline.services.capacity
    capacity.limits = settings.store.model_copy(update={"max_memory_bytes": 10**9})
    for name, value in fill.items():
        setattr(capacity, name, value)
    with pytest.raises(StoreUnavailable, match="full") as refused:
        await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    assert refused.value.retry_after_seconds > 0
    capacity.queued = capacity.used_memory = 0
    assert (await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")).status is ACCEPTED


async def test_no_limit_of_memory_is_no_limit(pipeline: Pipeline, clock: TestClock) -> None:
    pipeline.services.capacity.used_memory = 10**15
    assert (await pipeline.accept(missed(clock, "c1"))).status is ACCEPTED


async def test_an_extension_never_heard_of_has_no_device_and_an_inbox(pipeline: Pipeline, clock: TestClock) -> None:
    receipt = await pipeline.accept(missed(clock, "c1"))
    assert (receipt.decision.action, receipt.decision.reason) == (Action.SUPPRESS, Reason.NO_DEVICE)
    assert (await pipeline.badge(), await pipeline.inbox_kinds()) == (1, ["call.missed"])


async def test_a_time_in_the_future_counts_as_the_receipt(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    event = replace(missed(clock, "c1"), occurred_at=clock() + 86_400_000)
    receipt = await pipeline.accept(event)
    push = (await pipeline.push(receipt)).push
    assert push.occurred_at == clock()
    assert push.deadline == clock() + 43_200_000


async def test_an_event_too_old_tells_nobody_and_is_in_the_inbox(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register()
    receipt = await pipeline.accept(replace(missed(clock, "c1"), occurred_at=clock() - 43_201_000))
    assert (receipt.decision.action, receipt.decision.reason) == (Action.SUPPRESS, Reason.EXPIRED)
    assert await pipeline.badge() == 1


async def test_an_undeclared_presence_is_kept_as_it_came_and_decides_as_available(
    pipeline: Pipeline, clock: TestClock
) -> None:
    await pipeline.register()
    said = await pipeline.accept(EventKind.PRESENCE_CHANGED, presence="on_the_moon", call_id=None)
    assert said.decision.reason is Reason.STATE_CHANGED
    receipt = await pipeline.accept(missed(clock, "c1"))
    assert receipt.decision.reason is Reason.ALLOWED
    record = await pipeline.store.journal.get(TENANT, receipt.event_id)
    assert record is not None
    assert (record.facts.presence.status, record.facts.settings_of) == ("on_the_moon", "available")


async def test_of_presences_without_identity_the_last_received_wins(pipeline: Pipeline) -> None:
    for status in ("away", "lunch_break", "away", "off_work", "off_work"):
        last = await pipeline.accept(EventKind.PRESENCE_CHANGED, presence=status)
        assert last.status is ACCEPTED
    assert last.decision.reason is Reason.STATE_UNCHANGED
    state = await pipeline.store.extensions.load(TENANT, EXTENSION)
    assert (state.presence.status, state.presence.set_by) == ("off_work", "pbx:hq")


async def test_presences_at_one_moment_leave_one_of_them(pipeline: Pipeline, settings: Settings) -> None:
    other = a_pipeline(settings, pipeline.store, pipeline.clock).services
    statuses = ["away", "lunch_break", "business_trip", "off_work"] * 5
    receipts = await asyncio.gather(
        *(
            pipeline.accept(EventKind.PRESENCE_CHANGED, presence=status, services=other if at % 2 else None)
            for at, status in enumerate(statuses)
        )
    )
    assert {receipt.status for receipt in receipts} == {ACCEPTED}
    assert (await pipeline.store.extensions.load(TENANT, EXTENSION)).presence.status in statuses


async def test_one_extensions_flood_does_not_hold_up_another(pipeline: Pipeline, clock: TestClock) -> None:
    order: list[str] = []

    async def accept(extension: str, call: str) -> None:
        await pipeline.accept(EventKind.CALL_MISSED, extension=extension, call_id=call)
        order.append(extension)

    await asyncio.gather(*(accept("1001", f"c{number}") for number in range(100)), accept("1002", "c"))
    assert order.index("1002") < 20


async def test_metrics_count_each_event_once_and_its_repeats(pipeline: Pipeline, clock: TestClock) -> None:
    for _ in range(3):
        await pipeline.accept(missed(clock, "c1"))
    text = pipeline.services.metrics.render().decode()
    labels = 'action="suppress",kind="call.missed",reason="no_device",source="hq"'
    assert f"push_gateway_events_total{{{labels}}} 1.0" in text
    assert 'push_gateway_duplicates_total{source="hq"} 2.0' in text


async def test_an_outage_is_said_and_what_was_refused_may_be_repeated(
    pipeline: Pipeline, server: Server, clock: TestClock
) -> None:
    await pipeline.register()
    server.kill()
    with pytest.raises(StoreUnavailable):
        await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")
    server.start()
    assert (await pipeline.accept(missed(clock, "c1"), delivery_id="msg_1")).status is ACCEPTED
