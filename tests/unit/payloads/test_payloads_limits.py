"""Provider limits: names are cut first, then the caller goes, never the ids."""

from typing import Any

import orjson
import pytest

from gateway.domain.event import Caller
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads import apns, fcm
from gateway.payloads.fit import first_that_fits
from tests.support.payload_examples import TOPIC, apns_body, fcm_message, phone, push_of

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
LONG_ID = "🄰" * 256
"""The longest id that ingress takes, in the longest characters: 1,024 bytes."""

HOSTILE_NAMES = {
    "4,000 letters": "x" * 4000,
    "4,000 quotes": '"' * 4000,
    "backslashes": "\\" * 4000,
    "controls": "\x00\x1b\x7f" * 1500,
    "bidi": "\u202e\u2066" * 2000,
    "families": FAMILY * 570,
    "one endless family": "👩\u200d" * 2000,
    "piled marks": "a" + "\u0301\u0316" * 2000,
    "lone surrogates": "\ud83d" * 4000,
    "digits": "1" * 4000,
}
LIMITS = {kind: 5120 if kind is PushKind.CALL_INCOMING else 4096 for kind in PushKind}


def sizes(push: Push, privacy: Privacy) -> tuple[int, int]:
    body = apns.build(push, phone(), topic=TOPIC, privacy=privacy).body
    return len(body), len(orjson.dumps(fcm_message(push, privacy=privacy)))


@pytest.mark.parametrize("privacy", Privacy)
@pytest.mark.parametrize("kind", PushKind)
@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_name_is_delivered_within_the_limits(name: str, kind: PushKind, privacy: Privacy) -> None:
    push = push_of(kind, caller=Caller(number=name, name=name), answered_by=name)
    to_apple, to_google = sizes(push, privacy)
    assert to_apple <= LIMITS[kind]
    assert to_google <= 4096


def test_a_long_name_is_cut_to_what_a_phone_can_show() -> None:
    body = apns_body(push_of(PushKind.CALL_MISSED, caller=Caller(number="+49151", name="x" * 4000)))
    assert body["pbx"]["caller"] == {"number": "+49151", "name": "x" * 127 + "…"}
    assert body["aps"]["alert"]["body"] == "x" * 127 + "… (+49151)"


def test_a_name_that_no_cut_can_help_is_dropped_and_the_number_stays() -> None:
    endless = "👩\u200d" * 2000
    body = apns_body(push_of(PushKind.CALL_MISSED, caller=Caller(number="+49151", name=endless)))
    assert body["pbx"]["caller"] == {"number": "+49151"}
    assert body["aps"]["alert"]["body"] == "+49151"


def ids_that_leave(name_bytes: int) -> dict[str, Any]:
    """Ids so long that a missed call's name has to be cut below `name_bytes`."""
    empty = len(apns.build(missed("", ""), phone(), topic=TOPIC, privacy=Privacy.FULL).body)
    return {"call_id": "i" * (4096 - empty - 2 * name_bytes)}


def missed(name: str, number: str, **parts: Any) -> Push:
    return push_of(PushKind.CALL_MISSED, caller=Caller(number=number, name=name), **parts)


@pytest.mark.parametrize(("room", "longest"), [(300, 256), (150, 128), (80, 64), (50, 32)])
def test_names_give_way_to_ids_step_by_step(room: int, longest: int) -> None:
    push = missed("é" * 128, "", **ids_that_leave(room))
    pbx = apns_body(push)["pbx"]
    assert pbx["call_id"] == push.call_id
    assert longest - 4 <= len(pbx["caller"]["name"].encode()) <= longest


@pytest.mark.parametrize(
    ("room", "caller", "text"),
    [(30, {"number": "1" * 10}, "1" * 10), (5, None, "Unknown caller")],
)
def test_then_the_name_goes_and_then_the_caller(room: int, caller: dict[str, str] | None, text: str) -> None:
    push = missed("é" * 128, "1" * 10, **ids_that_leave(room))
    body = apns_body(push)
    assert body["pbx"].get("caller") == caller
    assert body["aps"]["alert"]["body"] == text
    assert body["pbx"]["call_id"] == push.call_id


@pytest.mark.parametrize("kind", PushKind)
def test_the_longest_ids_that_ingress_takes_are_always_whole(kind: PushKind) -> None:
    name = FAMILY * 128
    push = push_of(
        kind,
        caller=Caller(number=name, name=name),
        answered_by=name,
        call_id=LONG_ID,
        voicemail_message_id=LONG_ID,
        extension="x" * 64,
        badge=10**9,
    )
    pbx, data = apns_body(push)["pbx"], fcm_message(push)["data"]
    assert pbx["call_id"] == data["call_id"] == LONG_ID
    assert pbx["push_id"] == data["push_id"] == push.push_id
    to_apple, to_google = sizes(push, Privacy.FULL)
    assert to_apple <= LIMITS[kind]
    assert to_google <= 4096
    if kind is PushKind.VOICEMAIL_NEW:
        assert pbx["voicemail"]["message_id"] == data["voicemail_message_id"] == LONG_ID


def test_an_id_that_no_payload_can_hold_is_left_out_whole_rather_than_cut() -> None:
    push = push_of(PushKind.VOICEMAIL_NEW, call_id="c" * 6000, voicemail_message_id="m")
    body = apns_body(push)
    assert "call_id" not in body["pbx"]
    assert body["pbx"]["event_id"] == push.event_id
    assert body["aps"]["alert"] == {"title": "New voicemail", "body": ""}
    assert max(sizes(push, Privacy.FULL)) <= 4096


def test_ringing_has_apples_larger_limit() -> None:
    push = push_of(PushKind.CALL_INCOMING, call_id="c" * 4500)
    assert apns_body(push)["pbx"]["call_id"] == push.call_id
    assert "call_id" not in fcm_message(push)["data"]


def test_lone_surrogates_in_any_field_are_no_obstacle() -> None:
    bad = "a\ud800z"
    push = push_of(
        PushKind.VOICEMAIL_NEW,
        tenant=bad,
        extension=bad,
        call_id=bad,
        voicemail_message_id=bad,
        answered_by=bad,
        caller=Caller(number=bad, name=bad),
    )
    pbx = apns_body(push, locale=bad)["pbx"]
    assert pbx["tenant"] == pbx["extension"] == pbx["call_id"] == pbx["voicemail"]["message_id"] == "a\ufffdz"
    assert pbx["caller"] == {"number": "az", "name": "az"}
    assert orjson.loads(orjson.dumps(fcm_message(push, locale=bad)))["data"]["caller_name"] == "az"


def test_later_documents_cost_nothing_when_the_first_fits() -> None:
    asked = iter([{"a": 1}, {"b": 2}])
    assert first_that_fits(asked, max_bytes=100) == ({"a": 1}, b'{"a":1}')
    assert next(asked) == {"b": 2}


def test_the_last_document_is_taken_when_none_fits() -> None:
    assert first_that_fits([{"a": 1}, {"b": 22}], max_bytes=1) == ({"b": 22}, b'{"b":22}')


def test_the_limits_are_the_providers() -> None:
    assert (apns.MAX_BYTES, apns.MAX_VOIP_BYTES, fcm.MAX_BYTES) == (4096, 5120, 4096)
