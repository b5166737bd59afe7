"""How much of the caller leaves the house."""

import orjson
import pytest

from gateway.domain.event import Caller
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import Privacy
from tests.support.payload_examples import apns_body, fcm_message, push_of

IDS = {"v", "push_id", "event_id", "tenant", "extension"}
VISIBLE = [PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW, PushKind.CALL_WITHDRAWN, PushKind.TEST]
KINDS = pytest.mark.parametrize("kind", PushKind)


def test_a_masked_number_is_masked_everywhere() -> None:
    push = push_of(PushKind.CALL_MISSED)
    apple, google = apns_body(push, privacy=Privacy.NUMBER_MASKED), fcm_message(push, privacy=Privacy.NUMBER_MASKED)
    assert apple["aps"]["alert"]["body"] == google["notification"]["body"] == "Alice (••••78)"
    assert apple["pbx"]["caller"] == {"number": "••••78", "name": "Alice"}
    assert (google["data"]["caller_number"], google["data"]["caller_name"]) == ("••••78", "Alice")


@pytest.mark.parametrize(
    ("caller", "text"),
    [
        (Caller(number="+4915112345678", name="+49 151 12345678"), "••••78"),
        (Caller(number="+4915112345678", name="Alice 015112345678"), "Alice ••••78 (••••78)"),
        (Caller(number="anonymous", name=""), "Unknown caller"),
        (Caller(number="sip:alice@example.com", name="Alice"), "Alice"),
    ],
)
def test_a_name_that_is_or_holds_the_number_is_masked_too(caller: Caller, text: str) -> None:
    body = apns_body(push_of(PushKind.CALL_MISSED, caller=caller), privacy=Privacy.NUMBER_MASKED)
    assert body["aps"]["alert"]["body"] == text


def test_who_answered_is_masked_like_any_number() -> None:
    body = apns_body(push_of(PushKind.CALL_WITHDRAWN), privacy=Privacy.NUMBER_MASKED)
    assert body["aps"]["alert"]["body"] == "Answered by ••••02"
    assert body["pbx"]["answered_by"] == "••••02"


@KINDS
def test_kind_only_names_nobody(kind: PushKind) -> None:
    push = push_of(kind, caller=Caller(number="+4915112345678", name="Alice"), answered_by="Bob")
    apple, google = apns_body(push, privacy=Privacy.KIND_ONLY), fcm_message(push, privacy=Privacy.KIND_ONLY)
    for sent in (orjson.dumps(apple), orjson.dumps(google)):
        assert not any(part in sent for part in (b"Alice", b"4915112345678", b"Bob"))
    assert apple["pbx"]["kind"] == google["data"]["kind"] == kind


@pytest.mark.parametrize("kind", VISIBLE)
def test_kind_only_has_the_kinds_title_and_an_empty_body(kind: PushKind) -> None:
    full, shown = apns_body(push_of(kind)), apns_body(push_of(kind), privacy=Privacy.KIND_ONLY)
    assert shown["aps"]["alert"] == {"title": full["aps"]["alert"]["title"], "body": ""}
    assert fcm_message(push_of(kind), privacy=Privacy.KIND_ONLY)["notification"] == shown["aps"]["alert"]
    assert {**shown["aps"], "alert": None} == {**full["aps"], "alert": None}


def test_kind_only_keeps_the_length_and_the_id_of_a_voicemail() -> None:
    pbx = apns_body(push_of(PushKind.VOICEMAIL_NEW), privacy=Privacy.KIND_ONLY)["pbx"]
    assert pbx["voicemail"] == {"message_id": "1713840555-00000623", "duration_seconds": 12}


@KINDS
def test_id_only_holds_five_ids(kind: PushKind) -> None:
    push = push_of(kind)
    assert set(apns_body(push, privacy=Privacy.ID_ONLY)["pbx"]) == IDS
    assert set(fcm_message(push, privacy=Privacy.ID_ONLY)["data"]) - {"badge"} == IDS


@pytest.mark.parametrize("quiet", [False, True])
def test_id_only_looks_the_same_for_every_visible_kind(quiet: bool) -> None:
    pushes = [push_of(kind, badge=1, quiet=quiet) for kind in (PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW)]
    missed, voicemail = (apns_body(push, privacy=Privacy.ID_ONLY)["aps"] for push in pushes)
    assert missed == voicemail
    assert missed["alert"] == {"title": "New notification", "body": ""}
    assert not {"thread-id", "category"} & missed.keys()


def test_id_only_shows_no_kind_by_channel_or_collapse_key() -> None:
    loud = fcm_message(push_of(PushKind.VOICEMAIL_NEW), privacy=Privacy.ID_ONLY)["android"]
    quiet = fcm_message(push_of(PushKind.CALL_WITHDRAWN), privacy=Privacy.ID_ONLY)["android"]
    assert (loud["collapse_key"], loud["notification"]["channel_id"]) == ("notification", "notification")
    assert (quiet["collapse_key"], quiet["notification"]["channel_id"]) == ("notification", "notification.quiet")


@KINDS
def test_id_only_does_not_spell_the_kind_anywhere(kind: PushKind) -> None:
    push = push_of(kind, badge=None)
    sent = orjson.dumps(apns_body(push, privacy=Privacy.ID_ONLY))
    assert kind.encode() not in sent
    if kind is not PushKind.BADGE:
        assert kind.encode() not in orjson.dumps(fcm_message(push, privacy=Privacy.ID_ONLY))


def test_id_only_speaks_the_devices_language() -> None:
    body = apns_body(push_of(PushKind.CALL_MISSED), privacy=Privacy.ID_ONLY, locale="de")
    assert body["aps"]["alert"]["title"] == "Neue Benachrichtigung"
