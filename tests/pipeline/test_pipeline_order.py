"""Every order of a call's events, through the real store and a real worker, ends in the same inbox, badge and phone."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum

import pytest

from gateway.domain.event import Disposition, EventKind, Millis, PbxEvent
from gateway.domain.push import PushKind
from gateway.store import Store
from tests.support.facts import an_event
from tests.support.pipeline import Pipeline, working
from tests.support.store import until

MISSED, VOICEMAIL, ANSWERED = EventKind.CALL_MISSED, EventKind.VOICEMAIL_NEW, EventKind.CALL_ANSWERED
ENDED, MAILBOX = EventKind.CALL_ENDED, EventKind.VOICEMAIL_MAILBOX
AT = {MISSED: 0, ENDED: 1000, ANSWERED: 2000, VOICEMAIL: 3000, MAILBOX: 9000}
"""When each happened, in milliseconds after the call; they arrive in any order."""


class Pace(Enum):
    """When pushes are sent between the events."""

    AT_ONCE = "each is told before the next event"
    AT_THE_END = "all wait until the last event"
    ON_THEIR_WAY = "each is on its way while the next events arrive"


def told(kind: EventKind, extension: str, call_began: Millis) -> PbxEvent:
    return an_event(
        kind,
        occurred_at=call_began + AT[kind],
        extension=extension,
        call_id=f"call of {extension}",
        message_id=f"message of {extension}",
        disposition=Disposition.NO_ANSWER if kind is ENDED else None,
        answered_by="1999" if kind is ANSWERED else None,
        mailbox_new=1,
    )


async def rest(store: Store) -> None:
    """Until no push waits or is being sent."""

    async def still() -> bool:
        return all(lane.depth == 0 for lane in (await store.queue.depth()).values())

    await until(still)


@asynccontextmanager
async def paced(pipeline: Pipeline, pace: Pace) -> AsyncIterator[None]:
    """A worker during the events, or only after the block."""
    if pace is Pace.AT_THE_END:
        yield
    async with working(pipeline.worker()):
        if pace is Pace.ON_THEIR_WAY:
            pipeline.ios.gate.clear()
        if pace is not Pace.AT_THE_END:
            yield
        pipeline.ios.gate.set()
        await rest(pipeline.store)


async def on_their_way(pipeline: Pipeline) -> None:
    """Until every push that waits has been handed to the provider."""

    async def handed_over() -> bool:
        depths = await pipeline.store.queue.depth()
        return pipeline.ios.in_flight == sum(lane.depth for lane in depths.values())

    await until(handed_over)


async def play(pipeline: Pipeline, orders: Sequence[tuple[EventKind, ...]], pace: Pace) -> None:
    """Each order at an extension of its own, all side by side, event by event."""
    began = pipeline.clock()
    pipeline.clock.pass_seconds(20)
    for number in range(len(orders)):
        await pipeline.register(f"phone-{number}", str(1000 + number))
    async with paced(pipeline, pace):
        for step in range(len(orders[0])):
            await asyncio.gather(
                *(pipeline.accept(told(order[step], str(1000 + number), began)) for number, order in enumerate(orders))
            )
            if pace is Pace.AT_ONCE:
                await rest(pipeline.store)
            elif pace is Pace.ON_THEIR_WAY:
                await on_their_way(pipeline)


@pytest.mark.parametrize("pace", Pace, ids=lambda pace: pace.name.lower())
@pytest.mark.parametrize(
    ("events", "inbox", "visible"),
    [
        ((MISSED, VOICEMAIL, ANSWERED, ENDED, MAILBOX), ["voicemail.new"], [PushKind.VOICEMAIL_NEW]),
        ((MISSED, VOICEMAIL, ENDED, MAILBOX), ["voicemail.new"], [PushKind.VOICEMAIL_NEW]),
        ((MISSED, ENDED), ["call.missed"], [PushKind.CALL_MISSED]),
    ],
    ids=["answered elsewhere after a message", "a message", "missed"],
)
async def test_every_order_of_a_calls_events_ends_in_the_same(
    pipeline: Pipeline, pace: Pace, events: tuple[EventKind, ...], inbox: list[str], visible: list[PushKind]
) -> None:
    orders = list(itertools.permutations(events))
    await play(pipeline, orders, pace)
    for number, order in enumerate(orders):
        extension, phone = str(1000 + number), pipeline.ios.phones[f"phone-{number}"]
        found = (await pipeline.inbox_kinds(extension), await pipeline.badge(extension), phone.kinds, phone.badge)
        assert found == (inbox, 1, visible, 1), order


@pytest.mark.parametrize("pace", Pace, ids=lambda pace: pace.name.lower())
async def test_no_order_leaves_a_phone_showing_as_missed_what_was_answered(pipeline: Pipeline, pace: Pace) -> None:
    orders = list(itertools.permutations((MISSED, ANSWERED, ENDED)))
    await play(pipeline, orders, pace)
    for number, order in enumerate(orders):
        extension = str(1000 + number)
        assert (await pipeline.inbox_kinds(extension), await pipeline.badge(extension)) == ([], 0), order
        phone = pipeline.ios.phones.get(f"phone-{number}")
        if phone is not None:
            assert PushKind.CALL_MISSED not in phone.kinds, order
            assert phone.badge == 0, order
