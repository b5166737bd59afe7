"""Pushes that were given up: operations look at them, send them again, or drop them."""

from aiohttp import web

from gateway.domain.errors import Conflict, NotFound
from gateway.pipeline.replay import NotReplayed, Refusal, Replay, Replayed
from gateway.web.keys import SERVICES
from gateway.web.models_inbox import DeadLetterAnswer, DeadLetterListAnswer, DeadLetterQuery, ReplayedAnswer
from gateway.web.requests import push_id_of, query
from gateway.web.responses import answer, nothing

_GONE = "there is no such dead letter"


async def list_dead_letters(request: web.Request) -> web.Response:
    """`GET /v1/dead-letters`."""
    asked, letters = query(request, DeadLetterQuery), request.app[SERVICES].store.dead_letters
    records = await letters.list(after=asked.after, limit=asked.limit)
    items = tuple(DeadLetterAnswer.of(record) for record in records)
    following = items[-1].push_id if len(items) == asked.limit else None
    return answer(DeadLetterListAnswer(items=items, next=following, count=await letters.count()))


async def get_dead_letter(request: web.Request) -> web.Response:
    """`GET /v1/dead-letters/{push_id}`."""
    record = await request.app[SERVICES].store.dead_letters.get(push_id_of(request))
    if record is None:
        raise NotFound(_GONE)
    return answer(DeadLetterAnswer.of(record))


async def post_replay(request: web.Request) -> web.Response:
    """`POST /v1/dead-letters/{push_id}/replay`."""
    services, push_id = request.app[SERVICES], push_id_of(request)
    match await Replay(services.settings, services.store, services.clock).replay(push_id):
        case Replayed():
            return answer(ReplayedAnswer(push_id=push_id), 202)
        case NotReplayed(why=Refusal.NO_DEAD_LETTER):
            raise NotFound(_GONE)
        case NotReplayed(why=why):
            raise Conflict(f"it would not be sent now: {why}")


async def delete_dead_letter(request: web.Request) -> web.Response:
    """`DELETE /v1/dead-letters/{push_id}`."""
    if not await request.app[SERVICES].store.dead_letters.drop(push_id_of(request)):
        raise NotFound(_GONE)
    return nothing()
