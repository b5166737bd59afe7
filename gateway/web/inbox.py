"""The extension's inbox, and erasing an extension."""

from aiohttp import web

from gateway.web.keys import SERVICES
from gateway.web.models_inbox import BadgeAnswer, ErasedAnswer, InboxAnswer, InboxQuery, SeenBody
from gateway.web.requests import json_body, place_of, query
from gateway.web.responses import answer


async def get_inbox(request: web.Request) -> web.Response:
    """`GET .../extensions/{extension}/inbox`."""
    services, place, asked = request.app[SERVICES], place_of(request), query(request, InboxQuery)
    items, after = await services.store.inbox.list(
        place.tenant.id, place.extension, after=asked.after, limit=asked.limit
    )
    badge = await services.inbox.badge(place.tenant, place.extension)
    return answer(InboxAnswer.of(items, after, badge))


async def post_seen(request: web.Request) -> web.Response:
    """`POST .../extensions/{extension}/inbox/seen`."""
    services, place = request.app[SERVICES], place_of(request)
    asked = await json_body(request, SeenBody)
    badge = await services.inbox.mark_seen(place.tenant, place.extension, None if asked.all else asked.event_ids)
    return answer(BadgeAnswer(badge=badge))


async def delete_extension(request: web.Request) -> web.Response:
    """`DELETE .../extensions/{extension}`."""
    place = place_of(request)
    erased = await request.app[SERVICES].store.extensions.erase(place.tenant.id, place.extension)
    return answer(ErasedAnswer(erased=dict(erased)))
