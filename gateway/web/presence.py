"""Presence: the current status, the settings of each, the profile, and the call plan that follows."""

from collections.abc import Callable

from aiohttp import web
from pydantic import JsonValue

from gateway.domain.errors import InvalidInput, NotFound, Problem
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import AnySettings, Profile, parse_settings
from gateway.ingress import strict_json
from gateway.policy.call_plan import call_plan
from gateway.web.keys import SERVICES
from gateway.web.merge_patch import merged
from gateway.web.models_presence import (
    CallPlanAnswer,
    CallPlanQuery,
    PresenceAnswer,
    PresenceBody,
    is_known,
    settings_of,
)
from gateway.web.requests import Place, author_of, json_body, place_of, query, raw_body, validated
from gateway.web.responses import answer, document


async def get_presence(request: web.Request) -> web.Response:
    """`GET .../presence`."""
    place = place_of(request)
    state = await request.app[SERVICES].presence.read(place.tenant, place.extension)
    return answer(PresenceAnswer.of(state, state.presence, place.tenant.policy.custom_statuses))


async def put_presence(request: web.Request) -> web.Response:
    """`PUT .../presence`."""
    presence, place = request.app[SERVICES].presence, place_of(request)
    body = await json_body(request, PresenceBody)
    now = await presence.set_status(
        place.tenant, place.extension, body.status, body.information, set_by=author_of(request)
    )
    state = await presence.read(place.tenant, place.extension)
    return answer(PresenceAnswer.of(state, now, place.tenant.policy.custom_statuses))


async def get_settings(request: web.Request) -> web.Response:
    """`GET .../presence/settings/{status}`."""
    place, status = place_of(request), _status_of(request)
    state = await request.app[SERVICES].presence.read(place.tenant, place.extension)
    return document(settings_of(state, status))


async def put_settings(request: web.Request) -> web.Response:
    """`PUT .../presence/settings/{status}`: replaces the whole object."""
    place, status, body = place_of(request), _status_of(request), await _object(request)
    return await _change_settings(request, status, lambda state: _parsed(place, status, body, state))


async def patch_settings(request: web.Request) -> web.Response:
    """`PATCH .../presence/settings/{status}`: JSON Merge Patch, validated as a whole."""
    place, status, patch = place_of(request), _status_of(request), await _object(request)

    def change(state: ExtensionState) -> AnySettings:
        stored: JsonValue = settings_of(state, status).model_dump(mode="json")
        return _parsed(place, status, merged(stored, patch), state)

    return await _change_settings(request, status, change)


async def get_call_plan(request: web.Request) -> web.Response:
    """`GET .../call-plan`."""
    place, asked = place_of(request), query(request, CallPlanQuery)
    state = await request.app[SERVICES].presence.read(place.tenant, place.extension)
    return answer(CallPlanAnswer.of(call_plan(state, asked.direction, place.tenant.policy)))


async def get_profile(request: web.Request) -> web.Response:
    """`GET .../profile`."""
    place = place_of(request)
    state = await request.app[SERVICES].presence.read(place.tenant, place.extension)
    return document(state.profile)


async def patch_profile(request: web.Request) -> web.Response:
    """`PATCH .../profile`: JSON Merge Patch, validated as a whole."""
    place, patch = place_of(request), await _object(request)

    def change(state: ExtensionState) -> Profile:
        profile = validated(Profile, merged(state.profile.model_dump(mode="json"), patch))
        if profile.source is not None and profile.source not in {source.name for source in place.tenant.sources}:
            raise InvalidInput(Problem("source", "not one of the tenant's sources"))
        return profile

    return document(await request.app[SERVICES].presence.change_profile(place.tenant, place.extension, change))


async def _change_settings(
    request: web.Request, status: str, change: Callable[[ExtensionState], AnySettings]
) -> web.Response:
    place = place_of(request)
    return document(await request.app[SERVICES].presence.change_settings(place.tenant, place.extension, status, change))


def _status_of(request: web.Request) -> str:
    """The status of the path. Raises `NotFound` when it is neither one of the six nor declared by the tenant."""
    status = request.match_info["status"]
    if not is_known(status, place_of(request).tenant.policy.custom_statuses):
        raise NotFound("there is no such presence status")
    return status


async def _object(request: web.Request) -> dict[str, JsonValue]:
    value = strict_json.loads(await raw_body(request))
    if not isinstance(value, dict):
        raise InvalidInput(Problem("body", "should be an object"))
    return value


def _parsed(place: Place, status: str, body: JsonValue, state: ExtensionState) -> AnySettings:
    return parse_settings(
        status,
        body if isinstance(body, dict) else {},
        extension=place.extension,
        mobile_number=state.profile.mobile_number,
    )
