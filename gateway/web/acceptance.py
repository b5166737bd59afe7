"""From parsed events to the answer: each way of posting ends here."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog
from aiohttp import web

from gateway.domain.errors import GatewayError, InvalidInput, StoreUnavailable
from gateway.domain.event import PbxEvent
from gateway.pipeline.intake import Arrival
from gateway.pipeline.services import Services
from gateway.settings import TenantSettings
from gateway.web.keys import CALLER, RECEIVED_AT
from gateway.web.models_events import EventAnswer, RejectedAnswer, ResultsAnswer
from gateway.web.problems import problem_answer

log = structlog.get_logger(__name__)


def arrival_of(request: web.Request, tenant: TenantSettings, source: str, body: bytes) -> Arrival:
    """How the events of this request reached the gateway."""
    return Arrival(
        tenant=tenant,
        source=source,
        received_at=request[RECEIVED_AT],
        delivery_id=request[CALLER].delivery_id,
        digest=hashlib.sha256(body).hexdigest(),
    )


async def accept_one(services: Services, arrival: Arrival, event: PbxEvent) -> EventAnswer:
    """One event, stored when this returns."""
    receipts = await services.intake.accept(arrival, (event,))
    return EventAnswer.of(receipts[0])


async def accept_all(services: Services, arrival: Arrival, events: Sequence[PbxEvent]) -> ResultsAnswer:
    """The events of one message of a PBX: all are stored when this returns, or the PBX has to repeat them."""
    receipts = await services.intake.accept(arrival, events)
    return ResultsAnswer(results=tuple(EventAnswer.of(receipt) for receipt in receipts))


async def accept_batch(services: Services, arrival: Arrival, items: Sequence[PbxEvent | InvalidInput]) -> ResultsAnswer:
    """Each item for itself: those of one extension in order, extensions side by side.

    Raises `StoreUnavailable` when the store was away for every item that could have been stored: then nothing is.
    """
    results: list[EventAnswer | GatewayError] = [StoreUnavailable() for _ in items]
    by_extension: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        if isinstance(item, InvalidInput):
            results[index] = item
        else:
            by_extension.setdefault(item.extension, []).append(index)

    async def accept_in_order(indexes: Iterable[int]) -> None:
        for index in indexes:
            item = items[index]
            if not isinstance(item, InvalidInput):
                results[index] = await _outcome(services, _part_of(arrival, index), item)

    await asyncio.gather(*map(accept_in_order, by_extension.values()))
    away = next((result for result in results if isinstance(result, StoreUnavailable)), None)
    if away is not None and not any(isinstance(result, EventAnswer) for result in results):
        raise away
    return ResultsAnswer(results=tuple(_shown(result) for result in results))


async def _outcome(services: Services, arrival: Arrival, event: PbxEvent) -> EventAnswer | GatewayError:
    try:
        return await accept_one(services, arrival, event)
    except GatewayError as error:
        return error


def _part_of(arrival: Arrival, index: int) -> Arrival:
    """Each item is a delivery of its own: the batch's id with the item's place in it."""
    if arrival.delivery_id is None:
        return arrival
    return replace(arrival, delivery_id=f"{arrival.delivery_id}#{index}")


def _shown(result: EventAnswer | GatewayError) -> EventAnswer | RejectedAnswer:
    return result if isinstance(result, EventAnswer) else RejectedAnswer(error=problem_answer(result))
