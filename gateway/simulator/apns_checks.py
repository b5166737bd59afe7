"""What Apple checks of a request, in order, as a table of pure functions: a reason, or empty."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.simulator.exchange import Request

STATUS_OF_REASON: Mapping[str, int] = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}
"""Apple, "Handling notification responses from APNs"."""

SUFFIX_OF_TYPE: Mapping[str, str] = {
    "alert": "",
    "background": "",
    "complication": ".complication",
    "controls": ".push-type.controls",
    "fileprovider": ".pushkit.fileprovider",
    "liveactivity": ".push-type.liveactivity",
    "location": ".location-query",
    "mdm": "",
    "pushtotalk": ".voip-ptt",
    "voip": ".voip",
    "widgets": ".push-type.widgets",
}
"""Apple, "Sending notification requests to APNs": apns-push-type and the topic's suffix."""

_TYPE_OF_SUFFIX = {suffix: kind for kind, suffix in SUFFIX_OF_TYPE.items() if suffix}
_DEVICE = "/3/device/"
_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}\Z")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]*\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_EXPIRATION = re.compile(r"[0-9]{1,12}\Z")
_LONGEST_COLLAPSE_ID = 64
_LARGEST_PAYLOAD, _LARGEST_VOIP_PAYLOAD = 4096, 5120


@dataclass(frozen=True, slots=True)
class ApnsPush:
    """A request that passed every check of form."""

    token: str
    topic: str
    push_type: str
    push_id: str
    """Empty: the request named none."""
    expiration: int | None
    """Seconds; 0: now or never; None: not given."""
    collapse_id: str
    payload: dict[str, Any]


def token_in(path: str) -> str:
    """The device token of a path, lower case; empty when there is none."""
    return path[len(_DEVICE) :].lower() if path.startswith(_DEVICE) else ""


def bundle_of(topic: str) -> str:
    """The bundle id that a topic belongs to."""
    for suffix in _TYPE_OF_SUFFIX:
        if topic.endswith(suffix):
            return topic[: -len(suffix)]
    return topic


def push_type_of(request: Request) -> str:
    """apns-push-type, or what the topic's suffix implies."""
    given = request.headers.get("apns-push-type")
    if given is not None:
        return given
    topic = request.headers.get("apns-topic", "")
    return next((kind for suffix, kind in _TYPE_OF_SUFFIX.items() if topic.endswith(suffix)), "alert")


def refused_address(request: Request) -> str:
    """Method and path."""
    if request.method != "POST":
        return "MethodNotAllowed"
    if request.path in {_DEVICE, _DEVICE[:-1]}:
        return "MissingDeviceToken"
    return "" if request.path.startswith(_DEVICE) and "/" not in request.path[len(_DEVICE) :] else "BadPath"


def _duplicates(request: Request) -> str:
    return "DuplicateHeaders" if request.repeated else ""


def _topic(request: Request) -> str:
    topic = request.headers.get("apns-topic", "")
    if not topic:
        return "MissingTopic"
    return "" if _TOPIC.match(topic) else "BadTopic"


def _push_type(request: Request) -> str:
    kind, topic = push_type_of(request), request.headers["apns-topic"]
    suffix = SUFFIX_OF_TYPE.get(kind)
    if suffix is None:
        return "InvalidPushType"
    if suffix:
        # Reported by senders: a voip push to the plain bundle id is refused for the token, not for its type.
        return "" if topic.endswith(suffix) else "DeviceTokenNotForTopic"
    return "" if bundle_of(topic) == topic else "InvalidPushType"


def _priority(request: Request) -> str:
    priority = request.headers.get("apns-priority", "10")
    allowed = {"5"} if push_type_of(request) == "background" else {"1", "5", "10"}
    return "" if priority in allowed else "BadPriority"


def _expiration(request: Request) -> str:
    expiration = request.headers.get("apns-expiration", "0")
    return "" if _EXPIRATION.match(expiration) else "BadExpirationDate"


def _message_id(request: Request) -> str:
    message_id = request.headers.get("apns-id")
    return "" if message_id is None or _UUID.match(message_id) else "BadMessageId"


def _collapse_id(request: Request) -> str:
    collapse_id = request.headers.get("apns-collapse-id", "")
    return "BadCollapseId" if len(collapse_id.encode()) > _LONGEST_COLLAPSE_ID else ""


def _payload_size(request: Request) -> str:
    if not request.body:
        return "PayloadEmpty"
    voip = push_type_of(request) == "voip"
    return "PayloadTooLarge" if len(request.body) > (_LARGEST_VOIP_PAYLOAD if voip else _LARGEST_PAYLOAD) else ""


def _device_token(request: Request) -> str:
    return "" if _TOKEN.match(request.path, len(_DEVICE)) else "BadDeviceToken"


_CHECKS: tuple[Callable[[Request], str], ...] = (
    _duplicates,
    _topic,
    _push_type,
    _priority,
    _expiration,
    _message_id,
    _collapse_id,
    _payload_size,
    _device_token,
)


def read_push(request: Request) -> ApnsPush | str:
    """The push, or the first reason to refuse it. The path has passed `refused_address`."""
    for check in _CHECKS:
        if reason := check(request):
            return reason
    payload = _json(request.body)
    # Apple names no reason for a body that is no JSON object; nothing in it can be shown, hence this one.
    if not payload:
        return "PayloadEmpty"
    headers, kind = request.headers, push_type_of(request)
    if kind == "background" and not _is_background(payload):
        return "InvalidPushType"
    expiration = headers.get("apns-expiration")
    return ApnsPush(
        token_in(request.path),
        headers["apns-topic"],
        kind,
        headers.get("apns-id", ""),
        None if expiration is None else int(expiration),
        headers.get("apns-collapse-id", ""),
        payload,
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _is_background(payload: dict[str, Any]) -> bool:
    """A background push only wakes the app: `content-available`, and nothing that the user notices."""
    aps = payload.get("aps")
    if not isinstance(aps, dict):
        return False
    return aps.get("content-available") == 1 and not aps.keys() & {"alert", "badge", "sound"}
