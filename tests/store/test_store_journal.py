"""What is kept: history, inbox, webhook ids, and for how long."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.decision import Action, EventRecord, Reason
from gateway.domain.effects import Effects
from gateway.domain.event import EventKind
from gateway.domain.extension import InboxItem, InboxKind, Unread
from gateway.policy.decide import decide
from gateway.store import Claim, Store, open_store
from gateway.store.writes import INBOX_MOST
from tests.support.facts import facts
from tests.support.servers import Server
from tests.support.store import (
    EXTENSION,
    TENANT,
    TestClock,
    a_push,
    a_record,
    new_event_id,
    settings,
    store_event,
    store_pushes,
    take_all,
)


async def events_of(store: Store, clock: TestClock) -> list[EventRecord]:
    """Twelve events: two extensions, three outcomes, two kinds each; the oldest first."""
    records = []
    outcomes = (
        (Action.FORWARD, Reason.ALLOWED),
        (Action.SUPPRESS, Reason.PUSH_DISABLED),
        (Action.NONE, Reason.EXPIRED),
    )
    for extension in ("1001", "10|02"):
        for action, reason in outcomes:
            for kind in (EventKind.CALL_MISSED, EventKind.CALL_ANSWERED):
                event_id = new_event_id(clock())
                clock.pass_seconds(1)
                record = a_record(
                    event_id, kind=kind, extension=extension, call_id=event_id, action=action, reason=reason
                )
                await store_event(store, Effects(), record)
                records.append(record)
    return records


async def test_a_stored_event_is_decided_again_from_its_facts(store: Store, clock: TestClock) -> None:
    known = facts(event_id=new_event_id(clock()), accept_push=False)
    record = EventRecord(
        event_id=known.event_id, tenant=TENANT, source="hq", received_at=known.now, facts=known, decision=decide(known)
    )
    await store_event(store, Effects(), record)
    kept = await store.journal.get(TENANT, known.event_id)
    assert kept == record
    assert kept is not None
    assert decide(kept.facts) == kept.decision


async def test_history_is_told_newest_first_and_page_by_page(sharded: Store, clock: TestClock) -> None:
    records = await events_of(sharded, clock)
    seen: list[EventRecord] = []
    after = None
    for _ in range(3):
        page = await sharded.journal.list(TENANT, after=after, limit=5)
        seen += page.items
        after = page.next
    assert seen == records[::-1]
    assert after is None


@pytest.mark.parametrize("limit", [1, 12, 100])
async def test_the_last_page_has_no_cursor(sharded: Store, clock: TestClock, limit: int) -> None:
    records = await events_of(sharded, clock)
    page = await sharded.journal.list(TENANT, limit=limit)
    assert len(page.items) == min(limit, len(records))
    assert page.next == (page.items[-1].event_id if limit < len(records) else None)


async def test_history_is_filtered(sharded: Store, clock: TestClock) -> None:
    records = await events_of(sharded, clock)

    async def found(**filters: Any) -> list[EventRecord]:
        page = await sharded.journal.list(TENANT, **filters)
        return list(page.items)[::-1]

    def fitting(**filters: Any) -> list[EventRecord]:
        return [
            record
            for record in records
            if filters.get("extension", record.facts.event.extension) == record.facts.event.extension
            and filters.get("action", record.decision.action) == record.decision.action
            and filters.get("reason", record.decision.reason) == record.decision.reason
            and filters.get("kind", record.facts.event.kind) == record.facts.event.kind
        ]

    for filters in (
        {"extension": "10|02"},
        {"action": Action.SUPPRESS},
        {"reason": Reason.EXPIRED, "extension": "1001"},
        {"kind": EventKind.CALL_ANSWERED, "action": Action.FORWARD},
        {"extension": "unknown"},
    ):
        assert await found(**filters) == fitting(**filters)


async def test_a_rare_filter_gives_a_cursor_rather_than_a_late_answer(
    store: Store, clock: TestClock, server: Server
) -> None:
    wanted = a_record(new_event_id(clock()), action=Action.SUPPRESS, reason=Reason.EXPIRED)
    await store_event(store, Effects(), wanted)
    clock.pass_seconds(60)
    with server.client() as client:
        members = {f"{new_event_id(clock())}|1001|call.missed|forward|allowed": 0 for _ in range(3000)}
        client.zadd(f"pg:{{0}}:h:{TENANT}", members)
    page = await store.journal.list(TENANT, action=Action.SUPPRESS, limit=1)
    assert (page.items, page.next is None) == ((), False)
    pages = 1
    while not page.items:
        page = await store.journal.list(TENANT, action=Action.SUPPRESS, limit=1, after=page.next)
        pages += 1
    assert page.items == (wanted,)
    assert pages < 10


async def test_a_tenant_reads_its_own_history_only(store: Store, clock: TestClock) -> None:
    push = a_push(new_event_id(clock()))
    await store_pushes(store, push)
    for tenant in ("other", "acme:1001", "ac", ""):
        assert await store.journal.get(tenant, push.event_id) is None
        assert await store.journal.pushes(tenant, push.event_id) == ()
        assert (await store.journal.list(tenant)).items == ()
        assert not await store.journal.receipt(tenant, EXTENSION, push.push_id, clock())
    assert not await store.journal.receipt(TENANT, "1002", push.push_id, clock())


async def test_the_first_receipt_of_a_push_counts(store: Store, clock: TestClock) -> None:
    push = a_push(new_event_id(clock()))
    await store_pushes(store, push)
    assert await store.journal.receipt(TENANT, EXTENSION, push.push_id, 5)
    assert await store.journal.receipt(TENANT, EXTENSION, push.push_id, 6)
    assert not await store.journal.receipt(TENANT, EXTENSION, "unknown", 6)
    (record,) = await store.journal.pushes(TENANT, push.event_id)
    assert record.receipt_at == 5


def an_item(event_id: str) -> InboxItem:
    return InboxItem(event_id=event_id, kind=InboxKind.CALL_MISSED, occurred_at=1, call_id="call-1")


async def add_items(store: Store, clock: TestClock, count: int) -> list[InboxItem]:
    items = []
    for _ in range(count):
        item = an_item(new_event_id(clock()))
        clock.pass_seconds(0.001)
        record = a_record(item.event_id, call_id=item.event_id)
        await store_event(store, Effects(inbox_add=item), record)
        items.append(item)
    return items


async def test_the_inbox_is_told_newest_first_and_page_by_page(store: Store, clock: TestClock) -> None:
    items = await add_items(store, clock, 5)
    first, cursor = await store.inbox.list(TENANT, EXTENSION, after=None, limit=3)
    rest, end = await store.inbox.list(TENANT, EXTENSION, after=cursor, limit=3)
    assert [*first, *rest] == items[::-1]
    assert (cursor, end) == (items[2].event_id, None)
    assert await store.inbox.list(TENANT, "1002", after=None, limit=3) == ((), None)


async def test_an_item_that_turned_out_untrue_goes(store: Store, clock: TestClock) -> None:
    kept, untrue = await add_items(store, clock, 2)
    await store_event(
        store,
        Effects(inbox_remove=(untrue.event_id,)),
        a_record(new_event_id(clock()), kind=EventKind.CALL_ANSWERED),
    )
    assert await store.inbox.list(TENANT, EXTENSION, after=None, limit=9) == ((kept,), None)


async def test_the_inbox_holds_the_newest_items(store: Store, server: Server, clock: TestClock) -> None:
    items = await add_items(store, clock, INBOX_MOST + 3)
    found, cursor = await store.inbox.list(TENANT, EXTENSION, after=None, limit=1000)
    assert list(found) == items[:2:-1]
    assert cursor is None
    with server.client() as client:
        assert client.hlen(f"pg:{{0}}:i:{TENANT}:{EXTENSION}") == INBOX_MOST


async def test_seen_items_are_seen_and_the_badge_follows(store: Store, clock: TestClock) -> None:
    older, newer = await add_items(store, clock, 2)
    state = await store.extensions.load(TENANT, EXTENSION)
    badge = a_push(new_event_id(clock()), badge=1)
    unread = Unread(told=1)
    assert await store.extensions.see(state, unread, (newer.event_id, "unknown"), (badge,))
    found, _ = await store.inbox.list(TENANT, EXTENSION, after=None, limit=9)
    assert found == (replace(newer, seen=True), older)
    assert (await store.extensions.load(TENANT, EXTENSION)).unread == unread
    assert [lease.push_id for lease in await take_all(store)] == [badge.push_id]
    assert not await store.extensions.see(state, unread, (older.event_id,), ())


async def test_what_is_older_than_the_retention_goes(server: Server, clock: TestClock) -> None:
    async with open_store(settings(server.url, retention_hours=1), clock=clock) as store:
        (old,) = await add_items(store, clock, 1)
        with server.client() as client:
            kept = {key: client.pttl(key) for key in server.names()}
        lasting = ("pg:layout", "pg:{0}:x:", "pg:{0}:q:")
        assert all(0 < ttl <= 3_600_000 for key, ttl in kept.items() if not key.startswith(lasting))
        clock.pass_seconds(3601)
        (new,) = await add_items(store, clock, 1)
        page = await store.journal.list(TENANT)
        assert [record.event_id for record in page.items] == [new.event_id]
        assert (await store.inbox.list(TENANT, EXTENSION, after=None, limit=9))[0] == (new,)
        assert old.event_id < new.event_id


async def test_a_push_is_remembered_beyond_its_deadline(server: Server, clock: TestClock) -> None:
    async with open_store(settings(server.url, retention_hours=1), clock=clock) as store:
        push = a_push(new_event_id(clock()), deadline=clock() + 86_400_000)
        await store_pushes(store, push)
        with server.client() as client:
            assert client.pttl(f"pg:{{0}}:p:{push.push_id}") > 86_400_000


async def test_the_first_delivery_of_a_webhook_id_gives_the_answer_to_its_repeats(store: Store, server: Server) -> None:
    claims = await asyncio.gather(*(store.deliveries.claim("hq", "msg_1", "d1", (f"e{n}",)) for n in range(20)))
    (first,) = [claim for claim in claims if claim.first]
    assert all(claim == Claim(first=claim is first, digest="d1", event_ids=first.event_ids) for claim in claims)
    assert await store.deliveries.claim("hq", "msg_1", "d2", ("e9",)) == replace(first, first=False)
    assert (await store.deliveries.claim("branch", "msg_1", "d2", ("e9",))).first
    with server.client() as client:
        assert all(0 < client.ttl(key) <= 72 * 3600 for key in server.names() if ":w:" in key)
