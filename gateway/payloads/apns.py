"""A push as Apple takes it: `apns-*` headers and a JSON body of at most 4096 bytes, 5120 for VoIP.

Rules by Apple, "Sending notification requests to APNs" and "Generating a remote notification".
"""

from dataclasses import dataclass

from gateway.domain.device import Device
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.content import Content, badge, contents, epoch_seconds
from gateway.payloads.fit import JsonObject, first_that_fits

MAX_BYTES = 4096
MAX_VOIP_BYTES = 5120

_THREADS = {
    PushKind.CALL_MISSED: "missed-calls",
    PushKind.CALL_WITHDRAWN: "missed-calls",
    PushKind.VOICEMAIL_NEW: "voicemail",
}
"""`thread-id` by kind: how the phone groups. A withdrawal stands where its missed call stood."""

_CATEGORIES = {PushKind.CALL_MISSED: "MISSED_CALL", PushKind.VOICEMAIL_NEW: "VOICEMAIL"}
"""`category` by kind: which actions the app offers. An answered call asks for none."""


@dataclass(frozen=True, slots=True)
class ApnsMessage:
    """All of a request but its path and its `authorization`."""

    headers: dict[str, str]
    body: bytes


def build(push: Push, device: Device, *, topic: str, privacy: Privacy) -> ApnsMessage:
    """The request for `push` in the language of `device`. `topic` is the bundle id; ringing goes to `topic` + `.voip`.

    The body is compact UTF-8 JSON within Apple's limit for its push type.
    """
    rings = push.kind is PushKind.CALL_INCOMING
    documents = (
        {"aps": _aps(push, content, privacy), "pbx": content.pbx}
        for content in contents(push, locale=device.locale, privacy=privacy)
    )
    _, body = first_that_fits(documents, max_bytes=MAX_VOIP_BYTES if rings else MAX_BYTES)
    return ApnsMessage(headers=_headers(push, topic), body=body)


def _headers(push: Push, topic: str) -> dict[str, str]:
    """Ringing has the call's collapse id too: a repeat of it replaces the one that an unreachable phone has not got
    yet. It can replace no notification, for those wait under another topic."""
    rings = push.kind is PushKind.CALL_INCOMING
    return {
        "apns-push-type": "voip" if rings else "alert",
        "apns-topic": f"{topic}.voip" if rings else topic,
        "apns-priority": "5" if push.kind is PushKind.BADGE else "10",
        "apns-expiration": str(epoch_seconds(push.deadline)),
        "apns-id": push.push_id,
        "apns-collapse-id": push.collapse_id,
    }


def _aps(push: Push, content: Content, privacy: Privacy) -> JsonObject:
    """What iOS itself acts on. Empty for ringing: the app has to report the call to CallKit at once."""
    aps: JsonObject = {}
    if push.kind is PushKind.CALL_INCOMING:
        return aps
    number = badge(push)
    if push.kind is PushKind.BADGE:
        return aps if number is None else {"badge": number}
    quiet = push.quiet or push.kind is PushKind.CALL_WITHDRAWN
    aps["alert"] = {"title": content.title, "body": content.body}
    if not quiet:
        aps["sound"] = "default"
    if number is not None:
        aps["badge"] = number
    if privacy is not Privacy.ID_ONLY:
        aps |= _grouping(push.kind)
    aps["interruption-level"] = "passive" if quiet else "active"
    aps["mutable-content"] = 1
    return aps


def _grouping(kind: PushKind) -> JsonObject:
    """Thread and category name the kind, so `id_only` has neither."""
    grouping: JsonObject = {}
    if thread := _THREADS.get(kind):
        grouping["thread-id"] = thread
    if category := _CATEGORIES.get(kind):
        grouping["category"] = category
    return grouping
