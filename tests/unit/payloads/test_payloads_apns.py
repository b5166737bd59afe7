"""A push as Apple takes it."""

from typing import Any

import orjson
import pytest

from gateway.domain.event import Caller
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads import apns
from tests.support.payload_examples import OCCURRED, TOPIC, apns_body, apns_headers, phone, push_of

VISIBLE = [PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW, PushKind.CALL_WITHDRAWN, PushKind.TEST]


def test_a_missed_call_is_the_contracts_example() -> None:
    push = push_of(PushKind.CALL_MISSED)
    assert apns_body(push) == {
        "aps": {
            "alert": {"title": "Missed call", "body": "Alice (+4915112345678)"},
            "sound": "default",
            "badge": 3,
            "thread-id": "missed-calls",
            "category": "MISSED_CALL",
            "interruption-level": "active",
            "mutable-content": 1,
        },
        "pbx": {
            "v": 1,
            "kind": "call.missed",
            "push_id": push.push_id,
            "event_id": push.event_id,
            "tenant": "acme",
            "extension": "1001",
            "call_id": "1713151497.32",
            "caller": {"number": "+4915112345678", "name": "Alice"},
            "occurred_at": "2026-11-22T10:00:00Z",
        },
    }


def test_a_missed_call_has_every_header_but_the_authorization() -> None:
    push = push_of(PushKind.CALL_MISSED)
    assert apns_headers(push) == {
        "apns-push-type": "alert",
        "apns-topic": TOPIC,
        "apns-priority": "10",
        "apns-expiration": str(OCCURRED // 1000 + 43_200),
        "apns-id": push.push_id,
        "apns-collapse-id": push.collapse_id,
    }


def test_a_voicemail_says_who_and_how_long() -> None:
    body = apns_body(push_of(PushKind.VOICEMAIL_NEW))
    assert body["aps"]["alert"] == {"title": "New voicemail", "body": "Alice (+4915112345678), 0:12"}
    assert (body["aps"]["thread-id"], body["aps"]["category"]) == ("voicemail", "VOICEMAIL")
    assert body["pbx"]["voicemail"] == {"message_id": "1713840555-00000623", "duration_seconds": 12}


@pytest.mark.parametrize(
    ("parts", "voicemail", "text"),
    [
        ({"voicemail_seconds": None}, {"message_id": "1713840555-00000623"}, "Alice (+4915112345678)"),
        ({"voicemail_message_id": None}, {"duration_seconds": 12}, "Alice (+4915112345678), 0:12"),
        ({"voicemail_seconds": 10**30}, {"message_id": "1713840555-00000623"}, "Alice (+4915112345678)"),
        ({"voicemail_seconds": 0, "voicemail_message_id": ""}, {"duration_seconds": 0}, "Alice (+4915112345678), 0:00"),
        ({"voicemail_seconds": None, "voicemail_message_id": None}, None, "Alice (+4915112345678)"),
    ],
)
def test_what_is_not_known_of_a_voicemail_is_left_out(
    parts: dict[str, Any], voicemail: dict[str, Any] | None, text: str
) -> None:
    body = apns_body(push_of(PushKind.VOICEMAIL_NEW, **parts))
    assert body["pbx"].get("voicemail") == voicemail
    assert body["aps"]["alert"]["body"] == text


@pytest.mark.parametrize(
    ("caller", "text", "shown"),
    [
        (Caller(number="+49151", name="Alice"), "Alice (+49151)", {"number": "+49151", "name": "Alice"}),
        (Caller(number="+49151"), "+49151", {"number": "+49151"}),
        (Caller(name="Alice"), "Alice", {"name": "Alice"}),
        (Caller(number="1002", name=" 1002 "), "1002", {"number": "1002", "name": "1002"}),
        (Caller(), "Unknown caller", None),
        (Caller(number=" \u202e", name="\u200d"), "Unknown caller", None),
    ],
)
def test_the_body_says_what_is_known_of_the_caller(caller: Caller, text: str, shown: dict[str, str] | None) -> None:
    body = apns_body(push_of(PushKind.CALL_MISSED, caller=caller))
    assert body["aps"]["alert"]["body"] == text
    assert body["pbx"].get("caller") == shown


def test_a_badge_alone_is_nothing_but_the_number() -> None:
    push = push_of(PushKind.BADGE)
    body = apns_body(push)
    assert body["aps"] == {"badge": 2}
    assert body["pbx"]["kind"] == "badge"
    assert (apns_headers(push)["apns-push-type"], apns_headers(push)["apns-priority"]) == ("alert", "5")


def test_a_withdrawn_call_replaces_the_missed_one_without_a_sound() -> None:
    missed, withdrawn = push_of(PushKind.CALL_MISSED), push_of(PushKind.CALL_WITHDRAWN, quiet=False)
    body = apns_body(withdrawn)
    assert body["aps"] == {
        "alert": {"title": "Call answered", "body": "Answered by 1002"},
        "badge": 2,
        "thread-id": "missed-calls",
        "interruption-level": "passive",
        "mutable-content": 1,
    }
    assert (body["pbx"]["kind"], body["pbx"]["answered_by"]) == ("call.withdrawn", "1002")
    assert apns_headers(withdrawn)["apns-collapse-id"] == apns_headers(missed)["apns-collapse-id"]
    assert apns_headers(withdrawn)["apns-priority"] == "10"


def test_a_withdrawn_call_that_nobody_is_named_for_says_whose_it_was() -> None:
    body = apns_body(push_of(PushKind.CALL_WITHDRAWN, answered_by=None))
    assert body["aps"]["alert"] == {"title": "Call answered", "body": "Alice (+4915112345678)"}
    assert "answered_by" not in body["pbx"]


def test_ringing_is_a_voip_push_until_the_ring_ends() -> None:
    push = push_of(PushKind.CALL_INCOMING)
    headers = apns_headers(push)
    body = apns_body(push)
    assert (headers["apns-push-type"], headers["apns-topic"]) == ("voip", f"{TOPIC}.voip")
    assert (headers["apns-priority"], headers["apns-expiration"]) == ("10", str(OCCURRED // 1000 + 30))
    assert headers["apns-collapse-id"] == push.collapse_id
    assert body["aps"] == {}
    assert body["pbx"]["caller"] == {"number": "+4915112345678", "name": "Alice"}
    assert (body["pbx"]["call_id"], body["pbx"]["expires_at"]) == ("1713151497.32", "2026-11-22T10:00:30Z")


def test_only_ringing_says_when_it_ends() -> None:
    assert not any("expires_at" in apns_body(push_of(kind))["pbx"] for kind in [*VISIBLE, PushKind.BADGE])


def test_a_test_push_says_that_it_is_one() -> None:
    body = apns_body(push_of(PushKind.TEST))
    assert body["aps"] == {
        "alert": {"title": "Test notification", "body": ""},
        "sound": "default",
        "interruption-level": "active",
        "mutable-content": 1,
    }


@pytest.mark.parametrize("kind", VISIBLE)
def test_a_quiet_push_is_passive_and_makes_no_sound(kind: PushKind) -> None:
    aps = apns_body(push_of(kind, quiet=True))["aps"]
    assert aps["interruption-level"] == "passive"
    assert "sound" not in aps


@pytest.mark.parametrize("kind", [*VISIBLE, PushKind.BADGE])
@pytest.mark.parametrize(("badge", "shown"), [(None, None), (0, 0), (7, 7), (-1, 0), (10**30, 2_147_483_647)])
def test_the_badge_is_there_when_it_is_known(kind: PushKind, badge: int | None, shown: int | None) -> None:
    assert apns_body(push_of(kind, badge=badge))["aps"].get("badge") == shown


@pytest.mark.parametrize(
    ("occurred_at", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_341_600_999, "2026-11-22T10:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-(10**20), "0001-01-01T00:00:00Z"),
        (10**20, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_are_whole_seconds_in_utc(occurred_at: int, text: str) -> None:
    assert apns_body(push_of(PushKind.CALL_MISSED, occurred_at=occurred_at))["pbx"]["occurred_at"] == text


def test_an_expiration_is_never_negative() -> None:
    assert apns_headers(push_of(PushKind.CALL_MISSED, deadline=-5))["apns-expiration"] == "0"


@pytest.mark.parametrize(
    ("locale", "title", "text"),
    [
        ("de-AT", "Anruf angenommen", "Angenommen von 1002"),
        ("es", "Llamada atendida", "Atendida por 1002"),
        ("fr-FR", "Appel pris", "Pris par 1002"),
        ("zh-Hans-CN", "来电已接听", "由 1002 接听"),
        ("pt", "Call answered", "Answered by 1002"),
    ],
)
def test_titles_and_bodies_speak_the_devices_language(locale: str, title: str, text: str) -> None:
    alert = apns_body(push_of(PushKind.CALL_WITHDRAWN), locale=locale)["aps"]["alert"]
    assert alert == {"title": title, "body": text}


def test_the_body_is_compact_utf8_with_nothing_escaped_that_need_not_be() -> None:
    push = push_of(PushKind.CALL_MISSED, caller=Caller(name="Zoë 张 👍"))
    body = apns.build(push, phone(), topic=TOPIC, privacy=Privacy.FULL).body
    assert "Zoë 张 👍".encode() in body
    assert b'": ' not in body
    assert b", " not in body
    assert body == orjson.dumps(orjson.loads(body))


def test_the_same_push_is_the_same_request_each_time() -> None:
    push: Push = push_of(PushKind.VOICEMAIL_NEW)
    assert apns.build(push, phone(), topic=TOPIC, privacy=Privacy.FULL) == apns.build(
        push, phone(), topic=TOPIC, privacy=Privacy.FULL
    )
