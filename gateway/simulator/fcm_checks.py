"""What Google checks of a message, and the words of its refusals. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.simulator.fcm_schema import REQUEST, Problems, Violation

FCM_ERRORS: Mapping[str, tuple[int, str]] = {
    "UNSPECIFIED_ERROR": (500, "UNKNOWN"),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT"),
    "UNREGISTERED": (404, "NOT_FOUND"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED"),
    "UNAVAILABLE": (503, "UNAVAILABLE"),
    "INTERNAL": (500, "INTERNAL"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED"),
}
"""Firebase, ErrorCode: HTTP status and google.rpc.Code that go with it."""

STATUS_WORDS: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_TOKEN = re.compile(r"[A-Za-z0-9_:\-]{8,4096}")
_TARGETS = ("token", "fid", "topic", "condition")
_RESERVED_KEYS = frozenset({"from", "message_type", "notification"})
_RESERVED_PREFIXES = ("google", "gcm")
_LONGEST_TTL_SECONDS = 2_419_200
_LARGEST_PAYLOAD, _LARGEST_TOPIC_PAYLOAD = 4096, 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class FcmRefusal:
    """An error answer. `code`: FcmError code; empty: an error of Google's front, without that detail."""

    status: int
    code: str = ""
    word: str = ""
    """google.rpc.Code; empty: the usual one of the status."""
    message: str = ""
    violations: tuple[Violation, ...] = ()

    @property
    def reason(self) -> str:
        """One word for counting."""
        return self.code or self.word or STATUS_WORDS.get(self.status, "UNKNOWN")


@dataclass(frozen=True, slots=True, kw_only=True)
class FcmPush:
    """A message that passed every check of form; names are snake_case."""

    target_kind: str
    target: str
    message: dict[str, Any] = field(default_factory=dict)
    validate_only: bool = False


def refusal(code: str, message: str = "", violations: tuple[Violation, ...] = ()) -> FcmRefusal:
    """A refusal with FcmError detail."""
    status, word = FCM_ERRORS[code]
    return FcmRefusal(status=status, code=code, word=word, message=message, violations=violations)


def error_body(refused: FcmRefusal) -> bytes:
    """The error document."""
    details: list[dict[str, Any]] = []
    if refused.violations:
        listed = [{"field": found.field, "description": found.description} for found in refused.violations]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": listed})
    if refused.code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": refused.code})
    word = refused.word or STATUS_WORDS.get(refused.status, "UNKNOWN")
    error = {"code": refused.status, "message": refused.message or word, "status": word}
    return orjson.dumps({"error": {**error, "details": details} if details else error})


def read_message(body: bytes) -> FcmPush | FcmRefusal:
    """The message, or why it is refused."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return FcmRefusal(status=400, message="Invalid JSON payload received.")
    request, problems = REQUEST(document, "")
    if problems:
        return FcmRefusal(status=400, message=problems[0].description, violations=tuple(problems))
    message = request.get("message", {})
    if problems := _problems(message):
        return refusal("INVALID_ARGUMENT", problems[0].description, tuple(problems))
    (kind,) = [name for name in _TARGETS if name in message]
    if kind in {"token", "fid"} and not _TOKEN.fullmatch(message[kind]):
        return refusal("INVALID_ARGUMENT", "The registration token is not a valid FCM registration token")
    return FcmPush(
        target_kind=kind, target=message[kind], message=message, validate_only=request.get("validate_only", False)
    )


def _problems(message: dict[str, Any]) -> Problems:
    targets = [name for name in _TARGETS if name in message]
    if len(targets) != 1:
        return [Violation("message", "Exactly one of token, fid, topic or condition is required")]
    android = message.get("android", {})
    problems = _reserved(message.get("data", {}), "message.data")
    problems += _reserved(android.get("data", {}), "message.android.data")
    if "ttl" in android and float(android["ttl"][:-1]) > _LONGEST_TTL_SECONDS:
        problems.append(Violation("message.android.ttl", "TTL is longer than four weeks"))
    if android.get("notification", {}).get("notification_count", 0) < 0:
        problems.append(Violation("message.android.notification.notification_count", "must not be negative"))
    limit = _LARGEST_TOPIC_PAYLOAD if targets[0] in {"topic", "condition"} else _LARGEST_PAYLOAD
    if payload_size(message) > limit:
        problems.append(Violation("message", f"Android message is too big: more than {limit} bytes"))
    return problems


def _reserved(data: dict[str, str], path: str) -> Problems:
    return [
        Violation(path, f"Invalid data payload key: {key}")
        for key in data
        if key in _RESERVED_KEYS or key.startswith(_RESERVED_PREFIXES)
    ]


def payload_size(message: dict[str, Any]) -> int:
    """Bytes of keys and values that travel to an Android phone: data and notification."""
    android = message.get("android", {})
    carried = {**message.get("data", {}), **android.get("data", {})}
    notification = {**message.get("notification", {}), **android.get("notification", {})}
    return _weight(carried) + _weight(notification)


def _weight(value: Any) -> int:
    match value:
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case dict():
            return sum(_weight(key) + _weight(entry) for key, entry in value.items())
        case list():
            return sum(_weight(entry) for entry in value)
        case _:
            return 4
