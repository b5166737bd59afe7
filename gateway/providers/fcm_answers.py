"""What Google's answers mean. A row per error code of "FCM v1 error codes", and per status that comes without one.

Google's body is `{"error": {"status", "details": [...]}}`. The `FcmError` detail's `errorCode` comes first; where it is
missing, `status` of `google.rpc.Status`; where the body is unreadable, the HTTP status. Whether a 400 is
about the token or the payload can be seen from the other details, so that code has a suffix here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.domain.event import Millis
from gateway.providers.readings import (
    Reading,
    Row,
    Sign,
    Step,
    Verdict,
    accepted,
    indexed,
    reading_of,
    retry_after_seconds,
    row_for,
)

_FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"
_TARGET_FIELDS: Final = frozenset({"message.token", "message.fid"})
_QUOTA_PAUSE: Final = 60.0
"""Google: without Retry-After, a minute, for its quotas refill every minute."""

ROWS: Final = (
    Row(
        400,
        "INVALID_ARGUMENT.token",
        Verdict.TOKEN_REFUSED,
        "FcmError without a violation, or with one of the target alone: malformed. On many devices in a row something "
        "else is wrong, and the circuit opens.",
        Sign.SUSPECT,
    ),
    Row(
        400,
        "INVALID_ARGUMENT.payload",
        Verdict.REFUSED,
        "A field of ours is refused: our bug, the token stays.",
        Sign.SUSPECT,
    ),
    Row(400, "INVALID_ARGUMENT", Verdict.REFUSED, "No FcmError: nothing proves the token bad.", Sign.SUSPECT),
    Row(400, "", Verdict.REFUSED, "Google calls the request wrong: a repeat would be too."),
    Row(
        401,
        "UNAUTHENTICATED",
        Verdict.CONFIGURATION,
        "Our access token is not believed: a new one once, then a person has to look.",
        step=Step.FRESH_CREDENTIAL,
    ),
    Row(
        401,
        "THIRD_PARTY_AUTH_ERROR",
        Verdict.REFUSED,
        "The APNs or web-push credential inside Firebase is wrong. Our access token is good, Android goes on.",
        Sign.SUSPECT,
    ),
    Row(401, "", Verdict.CONFIGURATION, "As UNAUTHENTICATED.", step=Step.FRESH_CREDENTIAL),
    Row(
        403,
        "SENDER_ID_MISMATCH",
        Verdict.REFUSED,
        "The token is of another project. On many devices the service account is wrong, so nothing is deleted for it.",
        Sign.SUSPECT,
    ),
    Row(403, "PERMISSION_DENIED", Verdict.CONFIGURATION, "The API is off, or the account may not send."),
    Row(403, "", Verdict.CONFIGURATION, "As PERMISSION_DENIED."),
    Row(404, "UNREGISTERED", Verdict.TOKEN_GONE, "The app was removed, or its token replaced."),
    Row(404, "NOT_FOUND", Verdict.CONFIGURATION, "No FcmError: the project is not there, not the token."),
    Row(404, "", Verdict.CONFIGURATION, "As NOT_FOUND, or a wrong `url`."),
    Row(408, "", Verdict.TRY_LATER, "Something between gave up waiting."),
    Row(413, "", Verdict.REFUSED, "Our bug: payloads are cut to the limit."),
    Row(
        429,
        "QUOTA_EXCEEDED",
        Verdict.PASSING,
        "The project's quota, or one device's: this push waits, and after the third in a row all of the app's do.",
        after_seconds=_QUOTA_PAUSE,
    ),
    Row(429, "RESOURCE_EXHAUSTED", Verdict.PASSING, "As QUOTA_EXCEEDED.", after_seconds=_QUOTA_PAUSE),
    Row(429, "", Verdict.PASSING, "As QUOTA_EXCEEDED.", after_seconds=_QUOTA_PAUSE),
    Row(500, "INTERNAL", Verdict.TRY_LATER, "Google's trouble."),
    Row(500, "UNSPECIFIED_ERROR", Verdict.TRY_LATER, "Google does not know either: never a reason to delete."),
    Row(503, "UNAVAILABLE", Verdict.TRY_LATER, "Overloaded; its Retry-After is obeyed."),
    Row(504, "DEADLINE_EXCEEDED", Verdict.TRY_LATER, "Google's trouble."),
)
_TABLE: Final = indexed(ROWS)


@dataclass(frozen=True, slots=True)
class _Said:
    """What an error body holds."""

    code: str = ""
    """`errorCode` of the FcmError detail."""
    status: str = ""
    """`error.status`."""
    fields: tuple[str, ...] = ()
    """Of `BadRequest.fieldViolations`."""


def read(status: int, body: bytes, *, retry_after: str | None, now: Millis) -> Reading:
    """What Google's answer means. Pure, total: any bytes will do."""
    if status == 200:
        return accepted(_message_name(body))
    said = _said(body)
    after = retry_after_seconds(retry_after, now)
    word = _word(said)
    row = row_for(_TABLE, status, word)
    return reading_of(row, since=None, after_seconds=after, said=word)


def _word(said: _Said) -> str:
    word = said.code or said.status
    if said.code == "INVALID_ARGUMENT":
        return f"{word}.token" if _TARGET_FIELDS.issuperset(said.fields) else f"{word}.payload"
    if word == "INVALID_ARGUMENT" and said.fields:
        return f"{word}.payload"
    return word


def _message_name(body: bytes) -> str:
    name = _object(body).get("name")
    return name[:300] if isinstance(name, str) else ""


def _said(body: bytes) -> _Said:
    error = _object(body).get("error")
    if not isinstance(error, dict):
        return _Said()
    details = list(_details(error))
    return _Said(
        code=next((_text(item, "errorCode") for item in details if item.get("@type") == _FCM_ERROR), ""),
        status=_text(error, "status"),
        fields=tuple(field for item in details if item.get("@type") == _BAD_REQUEST for field in _fields(item)),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _details(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    details = error.get("details")
    return (item for item in details if isinstance(item, dict)) if isinstance(details, list) else iter(())


def _fields(detail: dict[str, Any]) -> Iterator[str]:
    violations = detail.get("fieldViolations")
    if isinstance(violations, list):
        yield from (_text(item, "field") for item in violations if isinstance(item, dict))


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
