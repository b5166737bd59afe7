"""A push as Google takes it: the `message` of FCM's HTTP v1 API without its target.

Rules by Google, "REST Resource: projects.messages" and "Set and manage Android message priority".
"""

from dataclasses import dataclass
from typing import Any

from gateway.domain.device import Device
from gateway.domain.event import Millis
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.content import Content, PbxObject, badge, contents
from gateway.payloads.fit import JsonObject, first_that_fits

MAX_BYTES = 4096
"""Google counts keys and values of notification and data; the whole message is kept below it."""
_LONGEST_TTL = 2_419_200
"""Seconds: 28 days."""

NEUTRAL = "notification"
"""Channel and collapse key of every visible notification under `id_only`, where the kind must not be told."""

_INVISIBLE = frozenset({PushKind.CALL_INCOMING, PushKind.BADGE})
"""Data alone: the app rings, or sets its badge, by itself."""

_COLLAPSE_KEYS = {
    PushKind.CALL_MISSED: PushKind.CALL_MISSED.value,
    PushKind.CALL_WITHDRAWN: PushKind.CALL_MISSED.value,
    PushKind.VOICEMAIL_NEW: PushKind.VOICEMAIL_NEW.value,
    PushKind.BADGE: PushKind.BADGE.value,
}
"""A phone keeps four keys while it is offline, so few kinds have one. A withdrawal takes its missed call's place.
Ringing has none: FCM slows what collapses to one in three minutes after a burst of twenty, and a busy agent has more
calls than that; its seconds of ttl bound what can wait. A test has none, so that it displaces nothing."""


@dataclass(frozen=True, slots=True)
class FcmMessage:
    """The `message` without `token` or `fid`: the provider adds the target."""

    message: dict[str, Any]


def build(push: Push, device: Device, *, privacy: Privacy, now: Millis) -> FcmMessage:
    """The message for `push` in the language of `device`; its ttl is what is left from `now` to the deadline.

    Its JSON has at most 4096 bytes; every value of `data` is a string.
    """
    android = _android(push, privacy, now)
    documents = (_message(push, content, android) for content in contents(push, locale=device.locale, privacy=privacy))
    message, _ = first_that_fits(documents, max_bytes=MAX_BYTES)
    return FcmMessage(message=message)


def _message(push: Push, content: Content, android: JsonObject) -> JsonObject:
    message: JsonObject = {"data": _data(push, content.pbx), "android": android}
    if push.kind not in _INVISIBLE:
        message["notification"] = {"title": content.title, "body": content.body}
    return message


def _data(push: Push, pbx: PbxObject) -> dict[str, str]:
    """`pbx` flattened, `caller.number` to `caller_number`, and the badge: FCM's data are strings and have no levels.

    None of the words that FCM keeps for itself (`from`, `message_type`, `notification`, `google...`, `gcm...`) occurs.
    """
    data: dict[str, str] = {}
    for key, part in pbx.items():
        if isinstance(part, dict):
            data |= {f"{key}_{name}": str(inner) for name, inner in part.items()}
        else:
            data[key] = str(part)
    number = badge(push)
    if number is not None:
        data["badge"] = str(number)
    return data


def _android(push: Push, privacy: Privacy, now: Millis) -> JsonObject:
    """High priority for what rings or shows itself, and for nothing else: Android lowers the priority of an app whose
    urgent messages show nothing."""
    left = max(0, min((push.deadline - now) // 1000, _LONGEST_TTL))
    android: JsonObject = {"priority": "NORMAL" if push.kind is PushKind.BADGE else "HIGH", "ttl": f"{left}s"}
    if key := _COLLAPSE_KEYS.get(push.kind):
        android["collapse_key"] = key if _may_tell_kind(push, privacy) else NEUTRAL
    if push.kind not in _INVISIBLE:
        android["notification"] = _shown(push, privacy)
    return android


def _may_tell_kind(push: Push, privacy: Privacy) -> bool:
    """A badge is no secret: its message shows what it is by having nothing else."""
    return privacy is not Privacy.ID_ONLY or push.kind is PushKind.BADGE


def _shown(push: Push, privacy: Privacy) -> JsonObject:
    shown: JsonObject = {"tag": push.collapse_id, "channel_id": _channel(push, privacy)}
    number = badge(push)
    if number is not None:
        shown["notification_count"] = number
    return shown


def _channel(push: Push, privacy: Privacy) -> str:
    """The Android channel, whose sound and importance the user sets. A withdrawal belongs to missed calls, quietly."""
    withdrawn = push.kind is PushKind.CALL_WITHDRAWN
    channel = PushKind.CALL_MISSED.value if withdrawn else push.kind.value
    if privacy is Privacy.ID_ONLY:
        channel = NEUTRAL
    return f"{channel}.quiet" if push.quiet or withdrawn else channel
