"""Every answer of Apple and Google becomes the outcome that its table says, and anything else becomes one too."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Accepted, AppTrouble, Outcome, Refused, TokenGone, TokenRefused, TryLater
from gateway.providers import apns_answers, fcm_answers
from gateway.providers.readings import (
    Reading,
    Row,
    Sign,
    Step,
    Verdict,
    harmless,
    indexed,
    retry_after_seconds,
    row_for,
)

NOW: Final = 1_795_000_000_000
SINCE: Final = 1_794_000_000_000


def apple(status: int, reason: str = "", *, body: bytes | None = None, retry_after: str | None = None) -> Reading:
    document = {"reason": reason, "timestamp": SINCE} if status == 410 else {"reason": reason}
    content = json.dumps(document).encode() if body is None else body
    result = apns_answers.heard(status, content, apns_id="6f1c0d0e-0000-5000-8000-000000000001")
    return apns_answers.read(result, retry_after=retry_after, now=NOW)


def fcm_error(code: str = "", status: str = "", *, fields: Sequence[str] = ()) -> bytes:
    details: list[Any] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if fields:
        violations = [{"field": field, "description": "Invalid value"} for field in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    return json.dumps({"error": {"code": 0, "message": "...", "status": status, "details": details}}).encode()


def google(status: int, body: bytes = b"", *, retry_after: str | None = None) -> Reading:
    return fcm_answers.read(status, body, retry_after=retry_after, now=NOW)


OURS = [
    *("BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority", "BadTopic", "DeviceTokenNotForTopic"),
    *("DuplicateHeaders", "InvalidPushType", "MissingDeviceToken", "MissingTopic", "PayloadEmpty", "TopicDisallowed"),
]
CREDENTIALS = [
    *("BadCertificate", "BadCertificateEnvironment", "BadEnvironmentKeyIdInToken", "ExpiredProviderToken"),
    *("InvalidProviderToken", "MissingProviderToken"),
]

APPLE: list[tuple[int, str, Outcome]] = [
    *((400, reason, Refused(reason=reason)) for reason in OURS),
    (400, "BadDeviceToken", TokenRefused(reason="BadDeviceToken")),
    (400, "IdleTimeout", TryLater(reason="IdleTimeout")),
    *((403, reason, AppTrouble(reason=reason, configuration=True)) for reason in CREDENTIALS),
    (403, "Forbidden", Refused(reason="Forbidden")),
    (403, "UnrelatedKeyIdInToken", TryLater(reason="UnrelatedKeyIdInToken")),
    (404, "BadPath", Refused(reason="BadPath")),
    (405, "MethodNotAllowed", Refused(reason="MethodNotAllowed")),
    (410, "Unregistered", TokenGone(reason="Unregistered", since=SINCE)),
    (410, "ExpiredToken", TokenGone(reason="ExpiredToken", since=SINCE)),
    (413, "PayloadTooLarge", Refused(reason="PayloadTooLarge")),
    (429, "TooManyRequests", TryLater(reason="TooManyRequests")),
    (429, "TooManyProviderTokenUpdates", AppTrouble(reason="TooManyProviderTokenUpdates", configuration=False)),
    (500, "InternalServerError", TryLater(reason="InternalServerError")),
    (503, "ServiceUnavailable", TryLater(reason="ServiceUnavailable")),
    (503, "Shutdown", TryLater(reason="Shutdown")),
]


@pytest.mark.parametrize(("status", "reason", "outcome"), APPLE, ids=lambda value: str(value)[:40])
def test_each_reason_of_apple_has_its_outcome(status: int, reason: str, outcome: Outcome) -> None:
    assert apple(status, reason).outcome == outcome


def test_every_reason_in_apples_table_is_tested_here() -> None:
    assert {(row.status, row.reason) for row in apns_answers.ROWS if row.reason} == {row[:2] for row in APPLE}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Refused(reason="http_400")),
        (401, AppTrouble(reason="http_401")),
        (403, AppTrouble(reason="http_403")),
        (404, Refused(reason="http_404")),
        (408, TryLater(reason="http_408")),
        (410, TokenGone(reason="http_410")),
        (418, Refused(reason="http_418")),
        (429, TryLater(reason="http_429")),
        (500, TryLater(reason="http_500")),
        (502, TryLater(reason="http_502")),
        (599, TryLater(reason="http_599")),
        (302, TryLater(reason="http_302")),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"BadDeviceToken"', b'{"reason": 7}', b"\xff\xfe", b"<html>"]
)
def test_an_unreadable_body_of_apple_is_judged_by_its_status(status: int, outcome: Outcome, body: bytes) -> None:
    assert apple(status, body=body).outcome == outcome


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("SomethingNew", "SomethingNew"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        ("SomethingNew\r\n{}", "unreadable"),
        ("6f1c0d0e5b1d5a43" * 4, "unreadable"),
        ("+4915112345678", "unreadable"),
        ("a" * 49, "unreadable"),
        ("", ""),
    ],
)
def test_an_unlisted_reason_of_apple_is_judged_by_its_status_and_kept_for_the_log(said: str, kept: str) -> None:
    reading = apple(403, said)

    assert (reading.outcome, reading.unlisted) == (AppTrouble(reason="http_403"), kept)


def test_a_known_reason_under_another_status_does_not_delete_a_token() -> None:
    assert apple(400, "Unregistered").outcome == Refused(reason="http_400")


@pytest.mark.parametrize("timestamp", ["1794000000000", None, True, -1, 0, [], {}])
def test_a_timestamp_that_is_none_counts_as_not_said(timestamp: object) -> None:
    body = json.dumps({"reason": "Unregistered", "timestamp": timestamp}).encode()

    assert apple(410, body=body).outcome == TokenGone(reason="Unregistered", since=None)


def test_apple_accepts_with_its_id() -> None:
    assert apple(200, body=b"").outcome == Accepted(provider_id="6f1c0d0e-0000-5000-8000-000000000001")


@pytest.mark.parametrize(
    ("status", "reason", "sign", "step"),
    [
        (400, "DeviceTokenNotForTopic", Sign.SUSPECT, Step.NONE),
        (400, "TopicDisallowed", Sign.SUSPECT, Step.NONE),
        (400, "BadDeviceToken", Sign.WORKS, Step.NONE),
        (400, "IdleTimeout", Sign.NEUTRAL, Step.RECONNECT),
        (403, "ExpiredProviderToken", Sign.TROUBLE, Step.FRESH_CREDENTIAL),
        (403, "UnrelatedKeyIdInToken", Sign.SICK, Step.RECONNECT_AND_REPEAT),
        (410, "Unregistered", Sign.WORKS, Step.NONE),
        (429, "TooManyRequests", Sign.WORKS, Step.NONE),
        (503, "ServiceUnavailable", Sign.SICK, Step.NONE),
        (503, "Shutdown", Sign.SICK, Step.RECONNECT),
    ],
)
def test_what_apples_reasons_say_of_the_app_and_ask_of_the_sender(
    status: int, reason: str, sign: Sign, step: Step
) -> None:
    reading = apple(status, reason)

    assert (reading.sign, reading.step) == (sign, step)


GOOGLE: list[tuple[int, bytes, Outcome]] = [
    (400, fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT"), TokenRefused(reason="INVALID_ARGUMENT.token")),
    (
        400,
        fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT", fields=["message.token"]),
        TokenRefused(reason="INVALID_ARGUMENT.token"),
    ),
    (
        400,
        fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT", fields=["message.token", "message.android.ttl"]),
        Refused(reason="INVALID_ARGUMENT.payload"),
    ),
    (400, fcm_error("", "INVALID_ARGUMENT", fields=["message.data"]), Refused(reason="INVALID_ARGUMENT.payload")),
    (400, fcm_error("", "INVALID_ARGUMENT"), Refused(reason="INVALID_ARGUMENT")),
    (401, fcm_error("", "UNAUTHENTICATED"), AppTrouble(reason="UNAUTHENTICATED")),
    (401, fcm_error("THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"), Refused(reason="THIRD_PARTY_AUTH_ERROR")),
    (403, fcm_error("SENDER_ID_MISMATCH", "PERMISSION_DENIED"), Refused(reason="SENDER_ID_MISMATCH")),
    (403, fcm_error("", "PERMISSION_DENIED"), AppTrouble(reason="PERMISSION_DENIED")),
    (404, fcm_error("UNREGISTERED", "NOT_FOUND"), TokenGone(reason="UNREGISTERED")),
    (404, fcm_error("", "NOT_FOUND"), AppTrouble(reason="NOT_FOUND")),
    (
        429,
        fcm_error("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"),
        AppTrouble(reason="QUOTA_EXCEEDED", after_seconds=60, configuration=False),
    ),
    (
        429,
        fcm_error("", "RESOURCE_EXHAUSTED"),
        AppTrouble(reason="RESOURCE_EXHAUSTED", after_seconds=60, configuration=False),
    ),
    (500, fcm_error("INTERNAL", "INTERNAL"), TryLater(reason="INTERNAL")),
    (500, fcm_error("UNSPECIFIED_ERROR"), TryLater(reason="UNSPECIFIED_ERROR")),
    (503, fcm_error("UNAVAILABLE", "UNAVAILABLE"), TryLater(reason="UNAVAILABLE")),
    (504, fcm_error("", "DEADLINE_EXCEEDED"), TryLater(reason="DEADLINE_EXCEEDED")),
]


@pytest.mark.parametrize(("status", "body", "outcome"), GOOGLE, ids=lambda value: str(value)[:40])
def test_each_code_of_google_has_its_outcome(status: int, body: bytes, outcome: Outcome) -> None:
    assert google(status, body).outcome == outcome


def test_every_code_in_googles_table_is_tested_here() -> None:
    tested = {(status, getattr(outcome, "reason", "")) for status, _, outcome in GOOGLE}

    assert {(row.status, row.reason) for row in fcm_answers.ROWS if row.reason} == tested


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Refused(reason="http_400")),
        (401, AppTrouble(reason="http_401")),
        (403, AppTrouble(reason="http_403")),
        (404, AppTrouble(reason="http_404")),
        (409, Refused(reason="http_409")),
        (429, AppTrouble(reason="http_429", after_seconds=60, configuration=False)),
        (500, TryLater(reason="http_500")),
        (503, TryLater(reason="http_503")),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"error": "x"}', b'{"error": {"details": 1}}', b'{"error": {"details": [1]}}', b"<html>"],
)
def test_an_unreadable_body_of_google_is_judged_by_its_status(status: int, outcome: Outcome, body: bytes) -> None:
    assert google(status, body).outcome == outcome


def test_google_accepts_with_the_name_of_the_message() -> None:
    assert google(200, b'{"name": "projects/p/messages/1"}').outcome == Accepted(provider_id="projects/p/messages/1")


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b'{"name": 1}'])
def test_an_accepted_push_stays_accepted_when_googles_body_is_not_readable(body: bytes) -> None:
    assert google(200, body).outcome == Accepted()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(503, "UNAVAILABLE", TryLater), (429, "QUOTA_EXCEEDED", AppTrouble), (500, "INTERNAL", TryLater)],
)
def test_googles_retry_after_is_handed_on(status: int, code: str, expected: type[Outcome]) -> None:
    outcome = google(status, fcm_error(code), retry_after="17").outcome

    assert isinstance(outcome, TryLater | AppTrouble)
    assert (type(outcome), outcome.after_seconds) == (expected, 17)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 120 ", 120),
        ("99999999999999999999", 86_400),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Thu, 18 Nov 2027 19:06:50 GMT", 86_400),
        ("Wed, 18 Nov 2026 11:07:10 GMT", 30),
        ("Wed, 18 Nov 2020 11:06:40 GMT", 0),
        ("Wed, 99 Nov 2026 11:06:40 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.integers(200, 599), st.binary(max_size=200), st.text(max_size=40))
def test_whatever_a_provider_answers_is_some_outcome_with_a_short_plain_reason(
    status: int, body: bytes, reason: str
) -> None:
    for reading in (
        apple(status, body=body),
        apple(status, reason),
        google(status, body),
        google(status, fcm_error(reason)),
    ):
        if isinstance(reading.outcome, Accepted):
            assert status == 200
        else:
            assert len(reading.outcome.reason) < 40
            assert reading.outcome.reason.isascii()
        assert reading.unlisted == harmless(reading.unlisted)


@given(st.text(max_size=30), st.integers(200, 599))
def test_only_a_410_or_an_unregistered_proves_a_token_dead(reason: str, status: int) -> None:
    gone = [
        isinstance(reading.outcome, TokenGone) for reading in (apple(status, reason), google(status, fcm_error(reason)))
    ]

    assert gone == [status == 410, (status, reason) == (404, "UNREGISTERED")]


def test_two_rows_about_one_answer_are_an_error() -> None:
    with pytest.raises(ValueError, match="two rows for 400 X"):
        indexed([Row(400, "X", Verdict.REFUSED, "a"), Row(400, "X", Verdict.TRY_LATER, "b")])


def test_a_row_outside_every_table_follows_the_class_of_its_status() -> None:
    assert [row_for({}, status, "X").verdict for status in (402, 507, 301)] == [
        Verdict.REFUSED,
        Verdict.TRY_LATER,
        Verdict.TRY_LATER,
    ]
