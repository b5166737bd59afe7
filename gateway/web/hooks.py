"""`POST /hooks/{source}`: a PBX's own webhook. The gate has verified its signature over these bytes."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.domain.errors import BadProof
from gateway.domain.event import PbxEvent
from gateway.ingress import yeastar
from gateway.settings import SourceKind
from gateway.web.acceptance import accept_all, accept_one, arrival_of
from gateway.web.events import accept_cloudevents
from gateway.web.keys import SERVICES
from gateway.web.models_events import IgnoredAnswer
from gateway.web.requests import raw_body
from gateway.web.responses import answer


async def post_hook(request: web.Request) -> web.Response:
    """Answers exactly 200: some PBXs take nothing else for an acknowledgement."""
    services = request.app[SERVICES]
    found = services.settings.source(request.match_info["source"])
    if found is None:
        raise BadProof
    tenant, source = found
    body = await raw_body(request)
    arrival = arrival_of(request, tenant, source.name, body)
    match source.kind:
        case SourceKind.GENERIC:
            return await accept_cloudevents(request, arrival, body, status=200)
        case SourceKind.YEASTAR:
            events = yeastar.read(body, timezone=ZoneInfo(source.timezone or tenant.timezone))
    events = tuple(_of_this_pbx(event, source.name) for event in events)
    match events:
        case ():
            return answer(IgnoredAnswer())
        case (event,):
            return answer(await accept_one(services, arrival, event))
        case _:
            return answer(await accept_all(services, arrival, events))


def _of_this_pbx(event: PbxEvent, source: str) -> PbxEvent:
    """A vendor's ids are unique within one PBX, and a tenant may have several."""
    return event if event.identity is None else replace(event, identity=f"{source}\n{event.identity}")
