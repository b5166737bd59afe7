"""`POST /hooks/{source}`: a PBX's own webhook. The gate has verified its signature over these bytes."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.domain.errors import BadProof
from gateway.domain.event import PbxEvent
from gateway.ingress import yeastar
from gateway.settings import SourceKind, SourceSettings, TenantSettings
from gateway.store import Side, Store
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
    if not events:
        await _note_change(services.store, tenant, source, body)
    match events:
        case ():
            return answer(IgnoredAnswer())
        case (event,):
            return answer(await accept_one(services, arrival, event))
        case _:
            return answer(await accept_all(services, arrival, events))


async def _note_change(store: Store, tenant: TenantSettings, source: SourceSettings, body: bytes) -> None:
    """An extension's configuration changed at a PBX that is synchronised: it is read again."""
    if source.connector is not None and source.connector.sync != "off":
        extension = yeastar.extension_changed(body)
        if extension is not None:
            await store.synchronised.ask(tenant.id, extension, source.name, Side.PBX)


def _of_this_pbx(event: PbxEvent, source: str) -> PbxEvent:
    """A vendor's ids are unique within one PBX, and a tenant may have several."""
    return event if event.identity is None else replace(event, identity=f"{source}\n{event.identity}")
