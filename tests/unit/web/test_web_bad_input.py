"""What cannot be read, or is wrong, is refused with the place named, and nothing is stored."""

import json
from typing import Any

import pytest

from gateway.web.route import Route
from gateway.web.routes import ROUTES
from tests.support.web import Reply, Web, event, new_extension
from tests.support.web_settings import ALL_KEY, ANDROID, APNS_TOKEN, FOREIGN_APP, IOS
from tests.unit.web.test_web_access import name_of, path_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MALFORMED = {
    "not JSON": b"{",
    "nothing": b"",
    "a duplicate key": b'{"type": 1, "type": 2}',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "too deep": b'{"a":' * 100 + b"1" + b"}" * 100,
    "not UTF-8": b'{"a": "\xff"}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
}
WITH_BODY = [route for route in ROUTES if route.body]


def problem_of(reply: Reply) -> tuple[int, str]:
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert {"type", "title", "status", "detail"} <= set(reply.body)
    assert reply.body["status"] == reply.status
    return reply.status, str(reply.body["type"]).rpartition(":")[2]


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
async def test_malformed_json_is_400_and_names_the_place(web: Web, route: Route, body: bytes) -> None:
    media = "application/cloudevents+json" if route.name in {"post_events", "post_hook"} else "application/json"

    reply = await web.ask(route.method, path_of(route), raw=body, headers={"Content-Type": media})

    assert problem_of(reply) == (400, "malformed-input")
    assert reply.body["errors"][0]["loc"].startswith("body")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true"])
@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
async def test_json_of_another_shape_is_422(web: Web, route: Route, body: bytes) -> None:
    media = "application/cloudevents+json" if route.name in {"post_events", "post_hook"} else "application/json"

    reply = await web.ask(route.method, path_of(route), raw=body, headers={"Content-Type": media})

    assert problem_of(reply) == (422, "invalid-input")


@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
async def test_a_body_over_the_limit_is_413(web: Web, route: Route) -> None:
    reply = await web.ask(route.method, path_of(route), raw=b" " * 65_537)

    assert problem_of(reply) == (413, "too-large")


@pytest.mark.parametrize("path", ["/v1/tenants/acme/events", "/hooks/hq", "/hooks/nowhere"])
async def test_a_body_that_hides_its_length_is_413_too(web: Web, path: str) -> None:
    async def chunks() -> Any:
        for _ in range(70):
            yield b" " * 1024

    async with web.client.post(path, data=chunks(), headers={"Authorization": f"Bearer {ALL_KEY}"}) as response:
        assert response.status in {401, 413}
        assert response.status == 413 or path == "/hooks/nowhere"


@pytest.mark.parametrize("route", [route for route in WITH_BODY if route.section == "Devices"], ids=name_of)
async def test_an_unknown_field_is_refused(web: Web, route: Route) -> None:
    reply = await web.ask(route.method, path_of(route), {**route.example, "colour": "red"})

    assert problem_of(reply) == (422, "invalid-input")
    assert {"loc": "colour", "msg": "Extra inputs are not permitted"} in reply.body["errors"]


async def test_unknown_data_and_extension_attributes_of_events_are_ignored(web: Web) -> None:
    document = event("call.missed", new_extension(), traceparent="00-1", colour="red")
    document["data"]["call"]["colour"] = "red"

    assert (await web.post_event(document)).status == 202


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": None}, "source"),
        ({"type": "call.unheard"}, "type"),
        ({"subject": "10 01"}, "subject"),
        ({"subject": None}, "subject"),
        ({"time": "2026-11-22 10:00"}, "time"),
        ({"data": []}, "data"),
        ({"data": {"call": {}}}, "data.call.id"),
        ({"data": {"call": {"id": 1}}}, "data.call.id"),
        ({"data": {"call": {"id": "1", "direction": "sideways"}}}, "data.call.direction"),
        ({"type": "voicemail.new", "data": {}}, "data.voicemail.message_id"),
        ({"type": "voicemail.mailbox", "data": {}}, "data.mailbox"),
        ({"type": "voicemail.mailbox", "data": {"mailbox": {"new": -1}}}, "data.mailbox.new"),
        ({"type": "presence.changed", "data": {}}, "data.presence"),
    ],
)
async def test_a_wrong_event_is_named(web: Web, change: dict[str, Any], place: str) -> None:
    reply = await web.post_event(event("call.missed", new_extension()) | change)

    assert problem_of(reply) == (422, "invalid-input")
    assert [error["loc"] for error in reply.body["errors"]] == [place]


@pytest.mark.parametrize("media", ["text/plain", "application/cloudevents+xml", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_422(web: Web, media: str) -> None:
    body = json.dumps(event("call.missed", new_extension())).encode()

    reply = await web.ask("POST", "/v1/tenants/acme/events", raw=body, headers={"Content-Type": media})

    assert problem_of(reply) == (422, "invalid-input")
    assert reply.body["errors"][0]["loc"] == "header content-type"


APNS = {"provider": "apns", "token": APNS_TOKEN}
FCM = {"provider": "fcm", "token": "cXYZ1234567890:APA91b" + "x" * 60}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"app": "com.example.unheard"}, "app"),
        ({"app": FOREIGN_APP}, "app"),
        ({"app": ANDROID}, "push.provider"),
        ({"app": ANDROID, "push": {"pn_provider": "apns", "pn_prid": APNS_TOKEN}}, "push.pn_provider"),
        ({"push": FCM}, "push.provider"),
        ({"push": None}, "push"),
        ({"push": {}}, "push"),
        ({"push": {"provider": "wns", "token": "x" * 32}}, "push"),
        ({"push": {"provider": "apns"}}, "push.token"),
        ({"push": {**APNS, "token": "0" * 30}}, "push.token"),
        ({"push": {**APNS, "token": "0" * 402}}, "push.token"),
        ({"push": {**APNS, "token": "0" * 33}}, "push.token"),
        ({"push": {**APNS, "token": "xyz" * 22}}, "push.token"),
        ({"push": {**APNS, "token": 7}}, "push.token"),
        ({"push": {**APNS, "voip_token": "short"}}, "push.voip_token"),
        ({"push": {**APNS, "environment": "staging"}}, "push.environment"),
        ({"push": {**APNS, "fid": "x"}}, "push.fid"),
        ({"app": ANDROID, "push": {**FCM, "token": "with blanks in between here"}}, "push.token"),
        ({"app": ANDROID, "push": {**FCM, "fid": "c" * 22}}, "push.token"),
        ({"app": ANDROID, "push": {"provider": "fcm"}}, "push.token"),
        ({"app": ANDROID, "push": {"provider": "fcm", "fid": "?"}}, "push.fid"),
        ({"app": ANDROID, "push": {"pn_provider": "fcm", "pn_prid": "a b"}}, "push.pn_prid"),
        ({"push": {"pn_provider": "webpush", "pn_prid": "x"}}, "push.pn_provider"),
        ({"push": {"pn_provider": "apns", "pn_prid": "not hex"}}, "push.pn_prid"),
        (
            {"push": {"pn_provider": "apns", "pn_param": "ABCDE12345.com.other.app", "pn_prid": APNS_TOKEN}},
            "push.pn_param",
        ),
        (
            {"push": {"pn_provider": "apns", "pn_param": "ZZZZZ12345.com.example.softphone", "pn_prid": APNS_TOKEN}},
            "push.pn_param",
        ),
        (
            {
                "push": {
                    "pn_provider": "apns",
                    "pn_param": "ABCDE12345.com.example.softphone.remote&voip",
                    "pn_prid": f"{APNS_TOKEN}:remote",
                }
            },
            "push.pn_prid",
        ),
        ({"name": "x" * 129}, "name"),
        ({"name": 7}, "name"),
        ({"locale": "en_GB!"}, "locale"),
        ({"locale": "x" * 20}, "locale"),
        ({"kinds": ["call.answered"]}, "kinds.0"),
        ({"kinds": "badge"}, "kinds"),
        ({"muted": "yes"}, "muted"),
        ({"muted": 1}, "muted"),
        ({"device_id": "other"}, "device_id"),
    ],
)
async def test_a_wrong_registration_is_named_and_its_token_is_not_repeated(
    web: Web, change: dict[str, Any], place: str
) -> None:
    path = f"/v1/tenants/acme/extensions/{new_extension()}/devices/phone"

    reply = await web.ask("PUT", path, {"app": IOS, "push": APNS, **change})

    assert problem_of(reply) == (422, "invalid-input")
    assert [error["loc"] for error in reply.body["errors"]] == [place]
    assert APNS_TOKEN.encode() not in reply.raw
    assert (await web.ask("GET", path)).status == 404


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("extensions/10%2001/devices", "path extension"),
        ("extensions/1001%2Fdevices/presence", "path extension"),
        (f"extensions/{'1' * 65}/presence", "path extension"),
        ("extensions/1001/devices/a%20b", "path device_id"),
        (f"extensions/1001/devices/{'d' * 129}", "path device_id"),
        ("extensions/1001%0A/inbox", "path extension"),
        ("events/01:x", "path event_id"),
    ],
)
async def test_a_path_that_can_name_nothing_is_422(web: Web, path: str, place: str) -> None:
    reply = await web.ask("GET", f"/v1/tenants/acme/{path}")

    assert problem_of(reply) == (422, "invalid-input")
    assert reply.body["errors"][0]["loc"] == place


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/livez", 405)])
async def test_the_routers_refusals_are_problems_too(web: Web, method: str, path: str, status: int) -> None:
    reply = await web.ask(method, path)

    assert problem_of(reply)[0] == status
    assert ("Allow" in reply.headers) is (status == 405)


async def test_a_broken_content_encoding_is_400(web: Web) -> None:
    headers = {"Content-Encoding": "deflate", "Content-Type": "application/cloudevents+json"}

    reply = await web.ask("POST", "/v1/tenants/acme/events", raw=b"not deflated", headers=headers)

    assert problem_of(reply)[0] == 400


@pytest.mark.parametrize("given", ["req-1.2_3", "a" * 64])
async def test_a_sane_request_id_is_echoed(web: Web, given: str) -> None:
    reply = await web.ask("GET", "/livez", headers={"X-Request-Id": given})

    assert reply.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "<script>", "ä"])
async def test_any_other_request_id_is_replaced(web: Web, given: str) -> None:
    replies = [await web.ask("GET", "/v1/nothing", headers={"X-Request-Id": given}) for _ in range(2)]

    ids = {reply.headers["X-Request-Id"] for reply in replies}
    assert len(ids) == 2
    assert all(len(one) == 32 for one in ids)
