"""Seen is seen, once, on every phone."""

import asyncio
from typing import Any

import pytest

from gateway.domain.device import Provider
from gateway.domain.event import EventKind
from gateway.domain.presence import StatusSettings
from gateway.domain.push import PushKind
from gateway.settings import Settings
from tests.support.pipeline import EXTENSION, TENANT, Pipeline, a_pipeline

NO_PUSH = StatusSettings(accept_push_notifications=False)


async def seen(pipeline: Pipeline, *event_ids: str) -> int:
    """Mark these seen; without any: all."""
    return await pipeline.services.inbox.mark_seen(pipeline.tenant, EXTENSION, event_ids or None)


async def unseen(pipeline: Pipeline) -> int:
    items, _ = await pipeline.store.inbox.list(TENANT, EXTENSION, limit=500)
    return sum(not item.seen for item in items)


def told(pipeline: Pipeline) -> list[tuple[PushKind, int | None]]:
    """Kinds and badges that the iPhone was sent."""
    return [(sent.push.kind, sent.push.badge) for sent in pipeline.ios.sent]


async def test_the_badge_falls_on_every_phone(pipeline: Pipeline) -> None:
    await pipeline.register()
    await pipeline.register("android", provider=Provider.FCM)
    first, _ = await pipeline.accept(), await pipeline.accept(EventKind.VOICEMAIL_NEW)
    await pipeline.deliver_all()
    assert await seen(pipeline, first.event_id) == 1
    await pipeline.deliver_all()
    assert (await unseen(pipeline), await pipeline.badge()) == (1, 1)
    for phone in (pipeline.ios.phones["iphone"], pipeline.android.phones["android"]):
        assert (phone.badge, phone.received[-1].kind) == (1, PushKind.BADGE)
        assert phone.kinds == [PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW]


async def test_seen_twice_and_unknown_ids_change_nothing_and_tell_nobody(pipeline: Pipeline) -> None:
    await pipeline.register()
    first = await pipeline.accept()
    await pipeline.accept()
    assert [await seen(pipeline, first.event_id, "01JNONE") for _ in range(3)] == [1, 1, 1]
    assert await seen(pipeline, "01JNONE") == 1
    await pipeline.deliver_all()
    assert [kind for kind, _ in told(pipeline)].count(PushKind.BADGE) == 1


async def test_all_empties_the_count_also_of_what_only_the_mailbox_knew(pipeline: Pipeline) -> None:
    await pipeline.register()
    await pipeline.accept()
    pipeline.clock.pass_seconds(1)
    await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=4)
    assert await pipeline.badge() == 5
    assert await seen(pipeline) == 0
    assert await unseen(pipeline) == 0
    pipeline.clock.pass_seconds(1)
    await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=4)
    assert await pipeline.badge() == 4
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 4


async def test_a_long_inbox_is_seen_whole(pipeline: Pipeline) -> None:
    for number in range(230):
        await pipeline.accept(EventKind.CALL_MISSED, call_id=f"c{number}")
    assert await seen(pipeline) == 0
    assert await unseen(pipeline) == 0


async def test_the_same_item_seen_at_one_moment_at_two_gateways_counts_once(
    pipeline: Pipeline, settings: Settings
) -> None:
    await pipeline.register()
    other = a_pipeline(settings, pipeline.store, pipeline.clock)
    receipts = [await pipeline.accept() for _ in range(10)]
    badges = await asyncio.gather(*(seen(each, receipt.event_id) for receipt in receipts for each in (pipeline, other)))
    assert min(badges) == await pipeline.badge() == 0
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 0


async def test_seen_and_new_calls_at_one_moment_are_both_counted(pipeline: Pipeline) -> None:
    old = [await pipeline.accept() for _ in range(10)]
    await asyncio.gather(
        *(seen(pipeline, receipt.event_id) for receipt in old), *(pipeline.accept() for _ in range(10))
    )
    assert (await pipeline.badge(), await unseen(pipeline)) == (10, 10)


async def test_an_extension_never_heard_of_has_an_empty_inbox(pipeline: Pipeline) -> None:
    assert (await seen(pipeline), await seen(pipeline, "01JNONE"), await pipeline.badge()) == (0, 0, 0)


@pytest.mark.parametrize(
    "change", [{"muted": True}, {"kinds": frozenset({PushKind.CALL_MISSED})}], ids=["muted", "none"]
)
async def test_a_phone_that_takes_no_badges_is_sent_none(pipeline: Pipeline, change: dict[str, Any]) -> None:
    await pipeline.register(**change)
    await pipeline.accept()
    assert await seen(pipeline) == 0
    await pipeline.deliver_all()
    assert PushKind.BADGE not in [kind for kind, _ in told(pipeline)]


async def test_while_pushes_are_off_seen_is_kept_and_not_told(pipeline: Pipeline) -> None:
    await pipeline.register()
    await pipeline.services.presence.change_settings(pipeline.tenant, EXTENSION, "available", lambda state: NO_PUSH)
    await pipeline.accept()
    assert (await seen(pipeline), await unseen(pipeline)) == (0, 0)
    await pipeline.deliver_all()
    assert pipeline.ios.sent == []
