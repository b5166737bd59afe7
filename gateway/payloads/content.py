"""What a push says, whatever the platform: title, body and the `pbx` object, by kind, language and privacy.

A payload has a limit, and texts from outside have none. So `contents` offers the same push several times, with ever
less of what can be spared: names are cut, then dropped, then the caller goes. Ids are never cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from gateway.domain.event import Millis
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.text import Words, clean, cut, duration, encodable, masked, masked_name, words

PbxObject: TypeAlias = dict[str, Any]
"""The `pbx` part of a payload: JSON values, absent parts left out."""

PAYLOAD_VERSION = 1
LONGEST_NAME = 128
"""Grapheme clusters of a name or number: more than any phone shows."""
_READ_AT_MOST = 4096
"""Code points of a name that are looked at."""
_NAME_BYTES = (512, 256, 128, 64, 32)
"""What a name is cut to, step by step, while the payload is too large."""
_LARGEST_BADGE = 2_147_483_647
"""FCM's `notification_count` is an int32."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799
"""Years 1 to 9999: what RFC 3339 can write."""


@dataclass(frozen=True, slots=True)
class Content:
    """One way to say a push."""

    title: str
    body: str
    pbx: PbxObject


@dataclass(frozen=True, slots=True)
class _People:
    """Who is named, as far as privacy allows: cleaned, masked, of bearable length."""

    number: str = ""
    name: str = ""
    answered_by: str = ""


_NOBODY = _People()


def contents(push: Push, *, locale: str, privacy: Privacy) -> Iterator[Content]:
    """Ways to say `push`, from the fullest to the shortest; the first that fits is to be sent.

    `id_only` has one: "New notification" and five ids. Of the others the last but one has no caller, and always fits
    with ids as ingress takes them; the last is for longer ones, which are left out whole: a cut id is another id.
    """
    texts = words(locale)
    if privacy is Privacy.ID_ONLY:
        return iter((Content(texts.new_notification, "", _ids(push)),))
    return _ever_shorter(push, privacy, texts)


def _ever_shorter(push: Push, privacy: Privacy, texts: Words) -> Iterator[Content]:
    headline = title(push.kind, texts)
    for people in _ever_fewer(_people(push, privacy)):
        body = "" if privacy is Privacy.KIND_ONLY else _body(push, people, texts)
        yield Content(headline, body, _pbx(push, people))
    without_pbx_ids = replace(push, call_id=None, voicemail_message_id=None)
    yield Content(headline, "", _pbx(without_pbx_ids, _NOBODY))


def title(kind: PushKind, texts: Words) -> str:
    """The headline of a kind; empty for the badge, which has none. Ringing has one for apps that draw it themselves."""
    return {
        PushKind.CALL_INCOMING: texts.incoming_call,
        PushKind.CALL_MISSED: texts.missed_call,
        PushKind.VOICEMAIL_NEW: texts.new_voicemail,
        PushKind.BADGE: "",
        PushKind.CALL_WITHDRAWN: texts.call_answered,
        PushKind.TEST: texts.test_notification,
    }[kind]


def badge(push: Push) -> int | None:
    """The number on the app icon within what both platforms can count; None: not told."""
    return None if push.badge is None else max(0, min(push.badge, _LARGEST_BADGE))


def epoch_seconds(at: Millis) -> int:
    """Whole seconds since the epoch, never negative: for `apns-expiration`, where 0 means now or never."""
    return max(0, at // 1000)


def rfc3339(at: Millis) -> str:
    """UTC with `Z`, whole seconds: date parsers of both platforms read it without options."""
    second = max(_FIRST_SECOND, min(at // 1000, _LAST_SECOND))
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19] + "Z"


def _people(push: Push, privacy: Privacy) -> _People:
    if privacy is Privacy.KIND_ONLY:
        return _NOBODY
    number, name, answered_by = (
        clean(text[:_READ_AT_MOST]) if text else ""
        for text in (push.caller.number, push.caller.name, push.answered_by or "")
    )
    if privacy is Privacy.NUMBER_MASKED:
        number, name, answered_by = masked(number), masked_name(name), masked_name(answered_by)
    return _People(*(cut(text, max_graphemes=LONGEST_NAME) for text in (number, name, answered_by)))


def _ever_fewer(people: _People) -> Iterator[_People]:
    yield people
    for max_bytes in _NAME_BYTES:
        yield _People(
            people.number, cut(people.name, max_bytes=max_bytes), cut(people.answered_by, max_bytes=max_bytes)
        )
    yield _People(number=people.number)
    yield _NOBODY


def _body(push: Push, people: _People, texts: Words) -> str:
    match push.kind:
        case PushKind.TEST:
            return ""
        case PushKind.CALL_WITHDRAWN if people.answered_by:
            return texts.answered_by.format(who=people.answered_by)
        case PushKind.VOICEMAIL_NEW:
            length = duration(push.voicemail_seconds)
            return f"{_caller(people, texts)}, {length}" if length else _caller(people, texts)
        case _:
            return _caller(people, texts)


def _caller(people: _People, texts: Words) -> str:
    """`Alice (+4915112345678)`, or what is known of it. A name that only repeats the number is said once."""
    if people.name and people.number and people.name != people.number:
        return f"{people.name} ({people.number})"
    return people.name or people.number or texts.unknown_caller


def _ids(push: Push) -> PbxObject:
    return {
        "v": PAYLOAD_VERSION,
        "push_id": push.push_id,
        "event_id": push.event_id,
        "tenant": encodable(push.tenant),
        "extension": encodable(push.extension),
    }


def _pbx(push: Push, people: _People) -> PbxObject:
    pbx: PbxObject = {
        "v": PAYLOAD_VERSION,
        "kind": push.kind.value,
        **_ids(push),
    }
    if push.call_id:
        pbx["call_id"] = encodable(push.call_id)
    if caller := _present(number=people.number, name=people.name):
        pbx["caller"] = caller
    if push.kind is PushKind.VOICEMAIL_NEW and (voicemail := _voicemail(push)):
        pbx["voicemail"] = voicemail
    if people.answered_by:
        pbx["answered_by"] = people.answered_by
    if push.kind is PushKind.CALL_INCOMING:
        pbx["expires_at"] = rfc3339(push.deadline)
    pbx["occurred_at"] = rfc3339(push.occurred_at)
    return pbx


def _voicemail(push: Push) -> PbxObject:
    known_length = duration(push.voicemail_seconds) != ""
    return _present(
        message_id=encodable(push.voicemail_message_id or ""),
        duration_seconds=push.voicemail_seconds if known_length else "",
    )


def _present(**parts: Any) -> PbxObject:
    return {name: part for name, part in parts.items() if part != ""}
