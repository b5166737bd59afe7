"""Google's checks of a message, over the wire: every error that a request can earn by itself."""

import asyncio
import json
from typing import Any

import pytest

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.credentials import PROJECT_ID
from gateway.simulator.server import Simulator
from gateway.simulator.views import Fate, PhoneState
from tests.support.h2client import H2Client
from tests.support.simulated import (
    FCM_TOKEN,
    SEND_PATH,
    error_code,
    send_message,
    violated_fields,
)


def to_phone(**message: Any) -> dict[str, Any]:
    """A message to the usual phone."""
    return {"token": FCM_TOKEN, **message}


async def test_a_good_message_is_answered_with_its_name(fcm: H2Client, access: str) -> None:
    reply = await send_message(fcm, access, to_phone(data={"push_id": "p"}))
    assert reply.status == 200
    assert json.loads(reply.body)["name"].startswith(f"projects/{PROJECT_ID}/messages/")


@pytest.mark.parametrize("bearer", [None, "", "ya29.stranger"])
async def test_without_a_good_access_token_it_is_401_without_fcm_detail(fcm: H2Client, bearer: str | None) -> None:
    reply = await send_message(fcm, bearer, to_phone())
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["status"], "details" in error) == (401, "UNAUTHENTICATED", False)
    assert "invalid_token" in reply.headers["www-authenticate"]


@pytest.mark.parametrize("options", [{"access_token_seconds": 0}], indirect=True)
async def test_access_tokens_expire(fcm: H2Client, access: str) -> None:
    assert (await send_message(fcm, access, to_phone())).status == 401


async def test_access_tokens_can_be_revoked(fcm: H2Client, access: str, control: SimulatorControl) -> None:
    assert (await send_message(fcm, access, to_phone())).status == 200
    await control.revoke_oauth_tokens()
    assert (await send_message(fcm, access, to_phone())).status == 401


async def test_another_project_is_denied_without_fcm_detail(fcm: H2Client, access: str) -> None:
    reply = await send_message(fcm, access, to_phone(), path="/v1/projects/another/messages:send")
    assert (reply.status, json.loads(reply.body)["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert error_code(reply) == ""


async def test_another_path_is_not_found(fcm: H2Client, access: str) -> None:
    reply = await send_message(fcm, access, to_phone(), path="/batch")
    assert (reply.status, error_code(reply)) == (404, "")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"data": {"badge": 3}}, "message.data[0].value"),
        ({"data": "text"}, "message.data"),
        ({"notification": {"title": 1}}, "message.notification.title"),
        ({"notification": []}, "message.notification"),
        ({"android": {"ttl": "45"}}, "message.android.ttl"),
        ({"android": {"ttl": 45}}, "message.android.ttl"),
        ({"android": {"priority": "URGENT"}}, "message.android.priority"),
        ({"android": {"notification": {"color": "red"}}}, "message.android.notification.color"),
        ({"android": {"notification": {"notification_count": "3"}}}, "message.android.notification.notification_count"),
        ({"android": {"notification": {"body_loc_args": [1]}}}, "message.android.notification.body_loc_args[0]"),
        ({"android": {"notification": {"title_loc_args": "x"}}}, "message.android.notification.title_loc_args"),
        ({"android": {"direct_boot_ok": 1}}, "message.android.direct_boot_ok"),
        ({"android_v2": 1}, "message.android_v2"),
        ({"surprise": 1}, "message"),
    ],
)
async def test_a_field_of_the_wrong_type_is_named(
    fcm: H2Client, access: str, message: dict[str, Any], field: str
) -> None:
    reply = await send_message(fcm, access, to_phone(**message))
    assert (reply.status, violated_fields(reply), error_code(reply)) == (400, [field], "")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (to_phone(data={"from": "x"}), "message.data"),
        (to_phone(data={"google.x": "x"}), "message.data"),
        (to_phone(android={"data": {"gcm_x": "x"}}), "message.android.data"),
        (to_phone(android={"ttl": "2419201s"}), "message.android.ttl"),
        (
            to_phone(android={"notification": {"notification_count": -1}}),
            "message.android.notification.notification_count",
        ),
        (to_phone(data={"x": "y" * 4096}), "message"),
        (to_phone(notification={"title": "ü" * 2048, "body": "1"}), "message"),
        ({"topic": "news", "data": {"x": "y" * 2048}}, "message"),
        (to_phone(fid="installation-1"), "message"),
        ({"data": {"x": "y"}}, "message"),
    ],
)
async def test_a_message_that_breaks_a_rule_is_invalid(fcm: H2Client, access: str, message: Any, field: str) -> None:
    reply = await send_message(fcm, access, message)
    assert (reply.status, violated_fields(reply), error_code(reply)) == (400, [field], "INVALID_ARGUMENT")


@pytest.mark.parametrize("body", [b"", b"no json", b'{"message": 1}', b"[]", b'{"message": {}, "more": 1}'])
async def test_a_body_that_is_no_request_is_400(fcm: H2Client, access: str, body: bytes) -> None:
    reply = await fcm.ask(SEND_PATH, {"authorization": f"Bearer {access}"}, body)
    assert reply.status == 400


@pytest.mark.parametrize("token", ["short", "with space in it", "x" * 5000])
async def test_a_malformed_token_is_invalid_without_field_violations(fcm: H2Client, access: str, token: str) -> None:
    reply = await send_message(fcm, access, {"token": token})
    assert (reply.status, error_code(reply), violated_fields(reply)) == (400, "INVALID_ARGUMENT", [])


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (PhoneState.OK, (200, "")),
        (PhoneState.OFFLINE, (200, "")),
        (PhoneState.BAD, (400, "INVALID_ARGUMENT")),
        (PhoneState.UNREGISTERED, (404, "UNREGISTERED")),
        (PhoneState.EXPIRED, (404, "UNREGISTERED")),
        (PhoneState.SENDER_MISMATCH, (403, "SENDER_ID_MISMATCH")),
        (PhoneState.WRONG_TOPIC, (403, "SENDER_ID_MISMATCH")),
        (PhoneState.THROTTLED, (429, "QUOTA_EXCEEDED")),
    ],
)
async def test_a_tokens_state_decides_the_answer(
    fcm: H2Client, control: SimulatorControl, access: str, state: PhoneState, answer: tuple[int, str]
) -> None:
    await control.set_phone(FCM_TOKEN, state=state)
    reply = await send_message(fcm, access, to_phone())
    assert (reply.status, error_code(reply) if reply.status != 200 else "") == answer
    assert ("retry-after" in reply.headers) is (state is PhoneState.THROTTLED)


async def test_an_installation_id_is_a_target_too(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    assert (await send_message(fcm, access, {"fid": "installation-0001"})).status == 200
    assert await control.phone("installation-0001") is not None


async def test_topics_and_conditions_reach_no_phone(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    assert (await send_message(fcm, access, {"condition": "'a' in topics"})).status == 200
    assert await control.phones() == ()


async def test_camel_case_is_understood(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    message = to_phone(android={"collapseKey": "k", "notification": {"channelId": "call.missed", "title": "T"}})
    assert (await send_message(fcm, access, message, validateOnly=False)).status == 200
    phone = await control.phone(FCM_TOKEN)
    assert phone is not None
    assert phone.last is not None
    assert phone.last.thread == "call.missed"


async def test_validate_only_shows_nothing(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    assert (await send_message(fcm, access, to_phone(notification={"title": "T"}), validate_only=True)).status == 200
    phone = await control.phone(FCM_TOKEN)
    assert phone is not None
    assert (phone.shown, phone.received[0].fate) == ((), Fate.VALIDATED)


@pytest.mark.parametrize("options", [{"strict_tokens": True}], indirect=True)
async def test_strict_mode_knows_only_tokens_that_were_registered(
    fcm: H2Client, control: SimulatorControl, access: str
) -> None:
    assert error_code(await send_message(fcm, access, to_phone())) == "UNREGISTERED"
    await control.set_phone(FCM_TOKEN)
    assert (await send_message(fcm, access, to_phone())).status == 200


async def test_a_hundred_streams_are_allowed(fcm: H2Client, access: str, simulator: Simulator) -> None:
    assert fcm.streams_of_peer == [100]
    replies = await asyncio.gather(*(send_message(fcm, access, to_phone()) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert simulator.fcm.around.counts.violations == {}
