"""Apple's checks of a push, over the wire: every reason that a request can earn by itself."""

import json
import time
import uuid
from typing import Any

import pytest

from gateway.domain.device import Environment
from gateway.simulator.apns_checks import STATUS_OF_REASON, SUFFIX_OF_TYPE
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.credentials import TOPIC
from gateway.simulator.views import PhoneState
from tests.support.h2client import H2Client
from tests.support.simulated import ALERT, TOKEN, apns_headers, encoded, push, reason_of

BACKGROUND = {"aps": {"content-available": 1}}


async def test_a_good_push_is_answered_200_without_a_body_and_with_its_own_id(apns: H2Client, bearer: str) -> None:
    push_id = str(uuid.uuid4())
    reply = await push(apns, bearer, apns_id=push_id)
    assert (reply.status, reply.body, reply.headers) == (200, b"", {"apns-id": push_id})


async def test_an_id_is_made_up_when_none_is_given(apns: H2Client, bearer: str) -> None:
    reply = await push(apns, bearer)
    assert uuid.UUID(reply.headers["apns-id"])


async def test_the_sandbox_names_a_unique_id_for_the_console(sandbox: H2Client, bearer: str) -> None:
    reply = await push(sandbox, bearer)
    assert reply.status == 200
    assert uuid.UUID(reply.headers["apns-unique-id"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"apns_topic": None}, "MissingTopic"),
        ({"apns_topic": "com example"}, "BadTopic"),
        ({"apns_push_type": "ring"}, "InvalidPushType"),
        ({"apns_topic": f"{TOPIC}.voip"}, "InvalidPushType"),
        ({"apns_push_type": "voip"}, "DeviceTokenNotForTopic"),
        ({"apns_priority": "7"}, "BadPriority"),
        ({"apns_priority": ""}, "BadPriority"),
        ({"apns_expiration": "tomorrow"}, "BadExpirationDate"),
        ({"apns_expiration": "-1"}, "BadExpirationDate"),
        ({"apns_id": "6f1c0d0e"}, "BadMessageId"),
        ({"apns_collapse_id": "é" * 33}, "BadCollapseId"),
    ],
)
async def test_a_spoilt_header_is_named(apns: H2Client, bearer: str, changes: dict[str, Any], reason: str) -> None:
    reply = await push(apns, bearer, **changes)
    assert (reply.status, reason_of(reply)) == (400, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"apns_collapse_id": "é" * 32},
        {"apns_expiration": "0"},
        {"apns_expiration": "99999999999"},
        {"apns_priority": "1"},
        {"apns_priority": "5"},
        {"apns_id": str(uuid.uuid4()).upper()},
        {"apns_push_type": None},
    ],
)
async def test_what_apple_takes_is_taken(apns: H2Client, bearer: str, changes: dict[str, Any]) -> None:
    assert (await push(apns, bearer, **changes)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", f"/3/device/{TOKEN}", (405, "MethodNotAllowed")),
        ("POST", "/3/devices/aa", (404, "BadPath")),
        ("POST", f"/3/device/{TOKEN}/more", (404, "BadPath")),
        ("POST", "/3/device/", (400, "MissingDeviceToken")),
        ("POST", "/3/device", (400, "MissingDeviceToken")),
        ("POST", "/3/device/xyz", (400, "BadDeviceToken")),
        ("POST", f"/3/device/{TOKEN[:-1]}", (400, "BadDeviceToken")),
        ("POST", f"/3/device/{TOKEN}%20", (400, "BadDeviceToken")),
    ],
)
async def test_method_path_and_token_are_checked(
    apns: H2Client, bearer: str, method: str, path: str, answer: tuple[int, str]
) -> None:
    reply = await apns.ask(path, apns_headers(bearer), encoded(ALERT), method=method)
    assert (reply.status, reason_of(reply)) == answer


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "PayloadEmpty"),
        (b"not json", "PayloadEmpty"),
        (b"[1]", "PayloadEmpty"),
        (b"{}", "PayloadEmpty"),
        (encoded({"aps": {"alert": "x" * 4096}}), "PayloadTooLarge"),
        (encoded({"aps": {"alert": "x" * 40_000}}), "PayloadTooLarge"),
    ],
)
async def test_the_payload_is_checked(apns: H2Client, bearer: str, body: bytes, reason: str) -> None:
    reply = await apns.ask(f"/3/device/{TOKEN}", apns_headers(bearer), body)
    assert (reply.status, reason_of(reply)) == (STATUS_OF_REASON[reason], reason)


@pytest.mark.parametrize(("topic", "kind", "limit"), [(TOPIC, "alert", 4096), (f"{TOPIC}.voip", "voip", 5120)])
async def test_the_largest_payload_depends_on_the_push_type(
    apns: H2Client, bearer: str, topic: str, kind: str, limit: int
) -> None:
    frame = len(encoded({"aps": {"alert": ""}}))
    headers = apns_headers(bearer, apns_topic=topic, apns_push_type=kind)
    fits = await apns.ask(f"/3/device/{TOKEN}", headers, encoded({"aps": {"alert": "x" * (limit - frame)}}))
    more = await apns.ask(f"/3/device/{TOKEN}", headers, encoded({"aps": {"alert": "x" * (limit - frame + 1)}}))
    assert (fits.status, more.status) == (200, 413)


async def test_a_header_may_come_once_only(apns: H2Client, bearer: str) -> None:
    headers = [*apns_headers(bearer).items(), ("apns-priority", "5"), ("apns-priority", "10")]
    reply = await apns.ask(f"/3/device/{TOKEN}", headers, encoded(ALERT))
    assert (reply.status, reason_of(reply)) == (400, "DuplicateHeaders")


@pytest.mark.parametrize(
    ("payload", "priority", "reason"),
    [
        (BACKGROUND, "5", ""),
        (BACKGROUND, "10", "BadPriority"),
        (BACKGROUND, None, "BadPriority"),
        ({"aps": {"content-available": 1, "badge": 1}}, "5", "InvalidPushType"),
        ({"aps": {}}, "5", "InvalidPushType"),
        ({"pbx": {}}, "5", "InvalidPushType"),
    ],
)
async def test_a_background_push_is_silent_and_of_priority_5(
    apns: H2Client, bearer: str, payload: Any, priority: str | None, reason: str
) -> None:
    reply = await push(apns, bearer, payload=payload, apns_push_type="background", apns_priority=priority)
    assert reason_of(reply) == reason


@pytest.mark.parametrize(("kind", "suffix"), sorted(SUFFIX_OF_TYPE.items()))
async def test_every_push_type_has_its_topic(apns: H2Client, bearer: str, kind: str, suffix: str) -> None:
    payload = BACKGROUND if kind == "background" else ALERT
    priority = "5" if kind == "background" else "10"
    reply = await push(
        apns, bearer, payload=payload, apns_push_type=kind, apns_topic=TOPIC + suffix, apns_priority=priority
    )
    assert reply.status == 200


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (PhoneState.OK, (200, "")),
        (PhoneState.OFFLINE, (200, "")),
        (PhoneState.BAD, (400, "BadDeviceToken")),
        (PhoneState.WRONG_TOPIC, (400, "DeviceTokenNotForTopic")),
        (PhoneState.SENDER_MISMATCH, (400, "DeviceTokenNotForTopic")),
        (PhoneState.THROTTLED, (429, "TooManyRequests")),
        (PhoneState.UNREGISTERED, (410, "Unregistered")),
        (PhoneState.EXPIRED, (410, "ExpiredToken")),
    ],
)
async def test_a_tokens_state_decides_the_answer(
    apns: H2Client, control: SimulatorControl, bearer: str, state: PhoneState, answer: tuple[int, str]
) -> None:
    await control.set_phone(TOKEN, state=state)
    reply = await push(apns, bearer)
    assert (reply.status, reason_of(reply)) == answer


async def test_a_dead_token_says_since_when_in_milliseconds(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.set_phone(TOKEN, state=PhoneState.UNREGISTERED, since=1_700_000_000_123)
    reply = await push(apns, bearer)
    assert json.loads(reply.body) == {"reason": "Unregistered", "timestamp": 1_700_000_000_123}
    before = int(time.time() * 1000) - 1
    await control.set_phone("b2" * 32, state=PhoneState.EXPIRED)
    assert json.loads((await push(apns, bearer, token="b2" * 32)).body)["timestamp"] >= before


async def test_a_token_belongs_to_one_environment(
    apns: H2Client, sandbox: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.set_phone(TOKEN, environment=Environment.SANDBOX)
    wrong, right = await push(apns, bearer), await push(sandbox, bearer)
    assert (wrong.status, reason_of(wrong), right.status) == (400, "BadDeviceToken", 200)


async def test_a_token_belongs_to_the_topic_it_was_first_used_for(apns: H2Client, bearer: str) -> None:
    assert (await push(apns, bearer)).status == 200
    other = await push(apns, bearer, apns_topic=f"{TOPIC}.voip", apns_push_type="voip")
    assert (other.status, reason_of(other)) == (400, "DeviceTokenNotForTopic")


@pytest.mark.parametrize("options", [{"topics": (TOPIC,)}], indirect=True)
async def test_keys_may_be_limited_to_topics(apns: H2Client, bearer: str) -> None:
    allowed = await push(apns, bearer, apns_topic=f"{TOPIC}.voip", apns_push_type="voip")
    refused = await push(apns, bearer, token="b2" * 32, apns_topic="com.example.other")
    assert (allowed.status, refused.status, reason_of(refused)) == (200, 400, "TopicDisallowed")


@pytest.mark.parametrize("options", [{"strict_tokens": True}], indirect=True)
async def test_strict_mode_knows_only_tokens_that_were_registered(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    assert reason_of(await push(apns, bearer)) == "BadDeviceToken"
    await control.set_phone(TOKEN)
    assert (await push(apns, bearer)).status == 200
