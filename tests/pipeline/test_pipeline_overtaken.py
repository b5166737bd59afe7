"""However pushes overtake each other, the icon ends with the present number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.domain.event import EventKind
from gateway.domain.presence import StatusSettings
from gateway.domain.push import PushKind
from tests.support.pipeline import EXTENSION, Pipeline
from tests.support.store import ALL_LANES, TestClock, until


def sent(pipeline: Pipeline) -> list[tuple[PushKind, int | None]]:
    return [(one.push.kind, one.push.badge) for one in pipeline.ios.sent]


@asynccontextmanager
async def on_its_way(pipeline: Pipeline, count: int = 1) -> AsyncIterator[None]:
    """So many missed calls are being told, and arrive at the end of the block."""
    for _ in range(count):
        await pipeline.accept()
    leases = await pipeline.store.queue.take("slow", lanes=ALL_LANES, count=100, block_ms=0)
    pipeline.ios.gate.clear()
    slow = [asyncio.create_task(pipeline.services.delivery.deliver(lease)) for lease in leases]

    async def begun() -> bool:
        return pipeline.ios.in_flight == len(leases)

    await until(begun)
    yield
    pipeline.ios.gate.set()
    await asyncio.gather(*slow)


async def accept_push(pipeline: Pipeline, *, accept: bool) -> None:
    settings = StatusSettings(accept_push_notifications=accept)
    await pipeline.services.presence.change_settings(pipeline.tenant, EXTENSION, "available", lambda _: settings)


async def seen(pipeline: Pipeline) -> None:
    await pipeline.services.inbox.mark_seen(pipeline.tenant, EXTENSION, None)


async def test_a_number_that_was_overtaken_is_told_again(pipeline: Pipeline) -> None:
    await pipeline.register()
    async with on_its_way(pipeline):
        await pipeline.accept()
    await pipeline.deliver_all()
    assert sent(pipeline) == [(PushKind.CALL_MISSED, 1), (PushKind.CALL_MISSED, 2), (PushKind.BADGE, 2)]


async def test_what_is_still_right_is_not_told_again(pipeline: Pipeline) -> None:
    await pipeline.register()
    for _ in range(3):
        await pipeline.accept()
        await pipeline.deliver_all()
    assert [kind for kind, _ in sent(pipeline)] == [PushKind.CALL_MISSED] * 3


async def test_several_that_are_overtaken_at_once_are_corrected_by_one(pipeline: Pipeline, clock: TestClock) -> None:
    await pipeline.register(kinds=frozenset({PushKind.CALL_MISSED, PushKind.BADGE}))
    async with on_its_way(pipeline, 5):
        await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=4)
    await pipeline.deliver_all()
    assert sent(pipeline)[5:] == [(PushKind.BADGE, 9)] * 2, "the mailbox's own, and one correction"


async def test_a_correction_that_was_overtaken_is_corrected(pipeline: Pipeline) -> None:
    await pipeline.register()
    async with on_its_way(pipeline):
        await pipeline.accept()
    await pipeline.deliver_waiting()
    pipeline.clock.pass_seconds(5)
    await pipeline.store.queue.move_due(pipeline.clock())
    async with on_its_way(pipeline, 0):
        await seen(pipeline)
    await pipeline.deliver_all()
    assert pipeline.ios.phones["iphone"].badge == 0
    assert sent(pipeline)[-1] == (PushKind.BADGE, 0)


async def test_who_has_turned_pushes_off_is_not_corrected(pipeline: Pipeline) -> None:
    await pipeline.register()
    async with on_its_way(pipeline):
        await accept_push(pipeline, accept=False)
        await seen(pipeline)
    await pipeline.deliver_all()
    assert sent(pipeline) == [(PushKind.CALL_MISSED, 1)]


async def test_a_phone_that_takes_no_badges_is_not_corrected(pipeline: Pipeline) -> None:
    await pipeline.register(kinds=frozenset({PushKind.CALL_MISSED}))
    async with on_its_way(pipeline):
        await pipeline.accept(EventKind.VOICEMAIL_MAILBOX, mailbox_new=4)
    await pipeline.deliver_all()
    assert sent(pipeline) == [(PushKind.CALL_MISSED, 1)]


async def test_a_call_that_is_taken_back_while_it_is_told_needs_no_other_correction(pipeline: Pipeline) -> None:
    await pipeline.register()
    call: dict[str, Any] = {"call_id": "the-call"}
    await pipeline.accept(EventKind.CALL_MISSED, **call)
    async with on_its_way(pipeline, 0):
        pass
    await pipeline.accept(EventKind.CALL_ANSWERED, **call)
    await pipeline.deliver_all()
    assert [kind for kind, _ in sent(pipeline)] == [PushKind.CALL_MISSED, PushKind.CALL_WITHDRAWN]
