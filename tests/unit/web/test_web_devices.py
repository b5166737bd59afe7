"""Devices over HTTP: every way to write an address, and answers without tokens."""

from typing import Any

import pytest

from gateway.domain.outcome import Accepted, TokenGone
from gateway.domain.push import PushKind
from tests.support.web import Web, event, new_extension, user_token
from tests.support.web_settings import ANDROID, APNS_TOKEN, IOS

pytestmark = pytest.mark.asyncio(loop_scope="session")

VOIP_TOKEN = "a52f1c0d0e5b1d5a439d0c0b8f6c1f7a" * 2
FCM_TOKEN = "cXYZ1234567890:APA91b" + "x" * 60
FID = "cXYZ1234567890abcdefgh"


def path_of(extension: str, device_id: str = "phone") -> str:
    return f"/v1/tenants/acme/extensions/{extension}/devices/{device_id}"


def unique(token: str, extension: str) -> str:
    """Tokens move with their last registration: tests need their own."""
    return extension.rjust(8, "0") + token[8:]


@pytest.mark.parametrize(
    ("app", "push", "shown"),
    [
        (
            IOS,
            {"provider": "apns", "token": "TOKEN"},
            {"provider": "apns", "environment": "production", "token_hint": APNS_TOKEN[-4:]},
        ),
        (
            IOS,
            {"provider": "apns", "token": "TOKEN", "voip_token": "VOIP", "environment": "sandbox"},
            {
                "provider": "apns",
                "environment": "sandbox",
                "token_hint": APNS_TOKEN[-4:],
                "voip_token_hint": VOIP_TOKEN[-4:],
            },
        ),
        (
            ANDROID,
            {"provider": "fcm", "token": FCM_TOKEN},
            {"provider": "fcm", "target": "token", "token_hint": "xxxx"},
        ),
        (ANDROID, {"provider": "fcm", "fid": FID}, {"provider": "fcm", "target": "fid", "token_hint": "efgh"}),
        (
            IOS,
            {"pn_provider": "apns.dev", "pn_param": "com.example.softphone", "pn_prid": "TOKEN"},
            {"provider": "apns", "environment": "sandbox", "token_hint": APNS_TOKEN[-4:]},
        ),
        (
            IOS,
            {
                "pn_provider": "apns",
                "pn_param": "ABCDE12345.com.example.softphone.remote&voip",
                "pn_prid": "TOKEN:remote&VOIP:voip",
            },
            {
                "provider": "apns",
                "environment": "production",
                "token_hint": APNS_TOKEN[-4:],
                "voip_token_hint": VOIP_TOKEN[-4:],
            },
        ),
        (
            ANDROID,
            {"pn_provider": "fcm", "pn_param": "123456", "pn_prid": FCM_TOKEN},
            {"provider": "fcm", "target": "token", "token_hint": "xxxx"},
        ),
    ],
)
async def test_every_way_to_write_an_address_registers_a_phone(
    web: Web, app: str, push: dict[str, str], shown: dict[str, str]
) -> None:
    extension = new_extension()
    tokens = {"TOKEN": unique(APNS_TOKEN, extension), "VOIP": unique(VOIP_TOKEN, extension)}
    written = {
        name: value.replace("TOKEN", tokens["TOKEN"]).replace("VOIP", tokens["VOIP"]) for name, value in push.items()
    }

    reply = await web.ask("PUT", path_of(extension), {"app": app, "push": written})

    assert reply.status == 201
    assert reply.body["push"] == shown
    assert all(token.encode() not in reply.raw for token in (*tokens.values(), FCM_TOKEN, FID))
    assert (await web.ask("GET", path_of(extension))).body == reply.body


async def test_an_answer_holds_everything_but_the_tokens(web: Web) -> None:
    extension = new_extension()
    given: dict[str, Any] = {
        "name": "Alice's iPhone",
        "locale": "en_GB",
        "app_version": "4.2.0",
        "kinds": ["badge"],
        "muted": True,
    }

    reply = await web.register(extension, **given)

    assert {name: reply.body[name] for name in given} == {**given, "locale": "en-GB"}
    assert set(reply.body) - set(given) == {
        "device_id",
        "app",
        "push",
        "state",
        "voip_state",
        "registered_at",
        "last_accepted_at",
        "last_error",
    }
    assert (reply.body["state"], reply.body["last_accepted_at"], reply.body["last_error"]) == ("active", None, None)


async def test_all_kinds_are_the_default(web: Web) -> None:
    reply = await web.register(new_extension())

    assert set(reply.body["kinds"]) == {"call.missed", "voicemail.new", "call.incoming", "badge"}


async def test_a_registration_again_replaces_and_answers_200(web: Web) -> None:
    extension = new_extension()
    await web.register(extension, name="old", muted=True)

    reply = await web.register(extension, name="new")

    assert (reply.status, reply.body["name"], reply.body["muted"]) == (200, "new", False)
    listed = await web.ask("GET", f"/v1/tenants/acme/extensions/{extension}/devices")
    assert [device["name"] for device in listed.body["items"]] == ["new"]


async def test_a_token_moves_to_whom_it_was_last_registered_for(web: Web) -> None:
    first, second = new_extension(), new_extension()
    body: dict[str, Any] = {"app": IOS, "push": {"provider": "apns", "token": unique(APNS_TOKEN, first)}}
    await web.ask("PUT", path_of(first), body)

    reply = await web.ask(
        "PUT", path_of(second), {**body, "push": {**body["push"], "token": body["push"]["token"].upper()}}
    )

    assert reply.status == 201
    assert first.encode() not in reply.raw.replace(b"registered_at", b"").split(b"token_hint")[0]
    assert (await web.ask("GET", path_of(first))).status == 404


async def test_a_phone_that_registers_its_voip_token_alone_is_only_rung(web: Web) -> None:
    extension = new_extension()
    push = {
        "pn_provider": "apns",
        "pn_param": "ABCDE12345.com.example.softphone.voip",
        "pn_prid": unique(VOIP_TOKEN, extension),
    }

    reply = await web.ask("PUT", path_of(extension), {"app": IOS, "push": push})
    missed = await web.post_event(event("call.missed", extension))
    ringing = await web.post_event(event("call.incoming", extension))

    assert (reply.status, reply.body["kinds"]) == (201, ["call.incoming"])
    assert missed.body["decision"]["reason"] == "no_device"
    assert ringing.body["decision"]["reason"] == "allowed"


async def test_the_21st_device_is_a_conflict(web: Web) -> None:
    extension = new_extension()
    for index in range(20):
        assert (await web.register(extension, f"phone-{index}")).status == 201

    reply = await web.register(extension, "phone-20")

    assert (reply.status, reply.body["type"]) == (409, "urn:pbx-push-gateway:problem:conflict")
    assert (await web.register(extension, "phone-19")).status == 200


async def test_a_deleted_device_is_gone(web: Web) -> None:
    extension = new_extension()
    await web.register(extension, "phone")

    replies = [await web.ask("DELETE", path_of(extension)) for _ in range(2)]

    assert [(reply.status, reply.raw == b"") for reply in replies] == [(204, True), (404, False)]


@pytest.mark.parametrize(
    ("method", "more", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/heartbeat", {"foreground": True}),
        ("POST", "/receipts", {"push_id": "6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52"}),
    ],
)
async def test_an_unknown_device_is_404(web: Web, method: str, more: str, body: Any) -> None:
    assert (await web.ask(method, path_of(new_extension()) + more, body)).status == 404


async def test_a_test_push_reports_each_stage(web: Web) -> None:
    extension = new_extension()
    await web.register(extension, "phone")

    reply = await web.ask("POST", path_of(extension) + "/test")

    assert (reply.status, reply.body["ok"]) == (200, True)
    assert [stage["name"] for stage in reply.body["stages"]] == ["registered", "app", "credentials", "provider"]
    assert web.senders[IOS].sent[-1].kind is PushKind.TEST


async def test_a_test_push_stops_at_the_stage_that_fails(web: Web) -> None:
    extension = new_extension()
    await web.register(extension, "phone")
    web.senders[IOS].outcome = TokenGone(reason="Unregistered")
    try:
        reply = await web.ask("POST", path_of(extension) + "/test")
    finally:
        web.senders[IOS].outcome = Accepted()

    assert (reply.status, reply.body["ok"]) == (200, False)
    assert "Unregistered" in reply.body["stages"][-1]["detail"]
    assert (await web.ask("GET", path_of(extension))).body["state"] == "needs_reregister"


async def test_the_app_confirms_what_it_showed(web: Web) -> None:
    extension = new_extension()
    await web.register(extension, "phone")
    posted = (await web.post_event(event("call.missed", extension))).body
    (push,) = posted["decision"]["pushes"]

    reply = await web.ask(
        "POST", path_of(extension) + "/receipts", {"push_id": push["push_id"].upper()}, key=user_token(extension)
    )

    assert reply.status == 204
    detail = (await web.ask("GET", f"/v1/tenants/acme/events/{posted['event_id']}")).body
    assert detail["pushes"][0]["shown_at"].endswith("Z")


async def test_nobody_confirms_another_extensions_push(web: Web) -> None:
    extension, other = new_extension(), new_extension()
    await web.register(extension, "phone")
    posted = (await web.post_event(event("call.missed", extension))).body
    body = {"push_id": posted["decision"]["pushes"][0]["push_id"]}

    assert (await web.ask("POST", path_of(other) + "/receipts", body, key=user_token(other))).status == 404


@pytest.mark.parametrize("foreground", [True, False])
async def test_a_heartbeat_is_taken(web: Web, foreground: bool) -> None:
    extension = new_extension()
    await web.register(extension, "phone")

    assert (await web.ask("POST", path_of(extension) + "/heartbeat", {"foreground": foreground})).status == 204
