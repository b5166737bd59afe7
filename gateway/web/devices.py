"""Devices: the phones of an extension."""

from aiohttp import web

from gateway.domain.device import Device
from gateway.domain.errors import InvalidInput, NotFound, Problem
from gateway.web.keys import SERVICES
from gateway.web.models_devices import (
    PUSH_TAGS,
    DeviceAnswer,
    DeviceBody,
    DeviceListAnswer,
    DiagnosisAnswer,
    HeartbeatBody,
    ReceiptBody,
)
from gateway.web.registration import device_from
from gateway.web.requests import device_id_of, json_body, place_of
from gateway.web.responses import answer, nothing


async def put_device(request: web.Request) -> web.Response:
    """`PUT .../devices/{device_id}`: 201 when it is new, 200 when it replaces."""
    services, place, device_id = request.app[SERVICES], place_of(request), device_id_of(request)
    body = await _registration(request)
    device = device_from(body, services.settings, place.tenant, place.extension, device_id, now=services.clock())
    registered = await services.store.devices.register(device)
    stored = await services.store.devices.get(device.tenant, device.extension, device_id)
    return answer(DeviceAnswer.of(stored or device), 201 if registered.created else 200)


async def _registration(request: web.Request) -> DeviceBody:
    try:
        return await json_body(request, DeviceBody)
    except InvalidInput as error:
        raise InvalidInput(*map(_without_tag, error.problems)) from error


def _without_tag(problem: Problem) -> Problem:
    """`push.apns.token` is `push.token` to whoever wrote it."""
    match problem.loc.split("."):
        case ["push", tag, *rest] if tag in PUSH_TAGS:
            return Problem(".".join(("push", *rest)), problem.msg)
    return problem


async def get_device(request: web.Request) -> web.Response:
    """`GET .../devices/{device_id}`."""
    return answer(DeviceAnswer.of(await _device(request)))


async def list_devices(request: web.Request) -> web.Response:
    """`GET .../devices`."""
    place = place_of(request)
    devices = await request.app[SERVICES].store.devices.list(place.tenant.id, place.extension)
    return answer(DeviceListAnswer(items=tuple(DeviceAnswer.of(device) for device in devices)))


async def delete_device(request: web.Request) -> web.Response:
    """`DELETE .../devices/{device_id}`."""
    place, device_id = place_of(request), device_id_of(request)
    if not await request.app[SERVICES].store.devices.delete(place.tenant.id, place.extension, device_id):
        raise NotFound(_UNKNOWN)
    return nothing()


async def post_test(request: web.Request) -> web.Response:
    """`POST .../devices/{device_id}/test`."""
    place, device = place_of(request), await _device(request)
    report = await request.app[SERVICES].diagnosis.test(place.tenant, place.extension, device.device_id)
    return answer(DiagnosisAnswer.of(report))


async def post_receipt(request: web.Request) -> web.Response:
    """`POST .../devices/{device_id}/receipts`."""
    services, place = request.app[SERVICES], place_of(request)
    device_id_of(request)
    body = await json_body(request, ReceiptBody)
    if not await services.store.journal.receipt(place.tenant.id, place.extension, body.push_id, services.clock()):
        raise NotFound("there is no such push, or it is older than the journal")
    return nothing()


async def post_heartbeat(request: web.Request) -> web.Response:
    """`POST .../devices/{device_id}/heartbeat`."""
    services, place, device_id = request.app[SERVICES], place_of(request), device_id_of(request)
    body = await json_body(request, HeartbeatBody)
    at = services.clock() if body.foreground else None
    if not await services.store.devices.heartbeat(place.tenant.id, place.extension, device_id, at):
        raise NotFound(_UNKNOWN)
    return nothing()


_UNKNOWN = "there is no such device"


async def _device(request: web.Request) -> Device:
    place, device_id = place_of(request), device_id_of(request)
    device = await request.app[SERVICES].store.devices.get(place.tenant.id, place.extension, device_id)
    if device is None:
        raise NotFound(_UNKNOWN)
    return device
