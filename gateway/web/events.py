"""Events of a tenant: posting them as CloudEvents, and reading back what was decided."""

from aiohttp import web

from gateway.domain.errors import InvalidInput, NotFound
from gateway.ingress import cloudevents
from gateway.pipeline.intake import Arrival
from gateway.pipeline.services import Services
from gateway.web.acceptance import accept_batch, accept_one, arrival_of
from gateway.web.keys import CALLER, SERVICES
from gateway.web.models_events import EventDetailAnswer, EventListAnswer, EventQuery
from gateway.web.requests import event_id_of, header_map, query, raw_body, tenant_of
from gateway.web.responses import answer


async def post_events(request: web.Request) -> web.Response:
    """`POST /v1/tenants/{tenant}/events`."""
    body = await raw_body(request)
    arrival = arrival_of(request, tenant_of(request), request[CALLER].author, body)
    return await accept_cloudevents(request, arrival, body, status=202)


async def accept_cloudevents(request: web.Request, arrival: Arrival, body: bytes, *, status: int) -> web.Response:
    """Accepts one event (answered with `status`) or a batch (answered 200)."""
    services: Services = request.app[SERVICES]
    said = cloudevents.read(header_map(request), body)
    if said.batch:
        return answer(await accept_batch(services, arrival, said.items))
    event = said.items[0]
    if isinstance(event, InvalidInput):
        raise event
    return answer(await accept_one(services, arrival, event), status)


async def get_event(request: web.Request) -> web.Response:
    """`GET /v1/tenants/{tenant}/events/{event_id}`."""
    tenant, journal = tenant_of(request), request.app[SERVICES].store.journal
    event_id = event_id_of(request)
    record = await journal.get(tenant.id, event_id)
    if record is None:
        raise NotFound("there is no such event, or it is older than the journal")
    return answer(EventDetailAnswer.of(record, await journal.pushes(tenant.id, event_id)))


async def list_events(request: web.Request) -> web.Response:
    """`GET /v1/tenants/{tenant}/events`."""
    asked = query(request, EventQuery)
    page = await request.app[SERVICES].store.journal.list(
        tenant_of(request).id,
        extension=asked.extension,
        action=asked.action,
        reason=asked.reason,
        kind=asked.kind,
        after=asked.after,
        limit=asked.limit,
    )
    return answer(EventListAnswer.of(page))
