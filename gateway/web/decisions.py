"""What would be decided: a rehearsal that writes nothing and sends nothing."""

from aiohttp import web

from gateway.ingress import cloudevents, strict_json
from gateway.pipeline.preview import preview
from gateway.web.keys import SERVICES
from gateway.web.models_events import PreviewAnswer, PreviewBody
from gateway.web.requests import place_of, raw_body, validated
from gateway.web.responses import answer


async def post_preview(request: web.Request) -> web.Response:
    """`POST .../extensions/{extension}/decisions:preview`."""
    services, place = request.app[SERVICES], place_of(request)
    body = strict_json.loads(await raw_body(request))
    asked = validated(PreviewBody, body)
    data = body.get("data") if isinstance(body, dict) else None
    event = cloudevents.preview_event(asked.type, place.extension, data, asked.time)
    seen = await preview(services.intake, services.settings, place.tenant, event, services.clock())
    return answer(PreviewAnswer.of(seen))
