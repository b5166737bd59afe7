"""Pushes and phones as docs/app-developers.md shows them."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import Caller, Millis
from gateway.domain.push import Push, PushKind, derive_collapse_id, derive_push_id
from gateway.domain.tenant_policy import Privacy
from gateway.payloads import apns, fcm

OCCURRED: Millis = 1_795_341_600_000
"""2026-11-22T10:00:00Z."""
NOW: Millis = OCCURRED + 2_000
TOPIC = "com.example.softphone"
ALICE = Caller(number="+4915112345678", name="Alice")

_CALL = "1713151497.32"
_EVENT = "01KAN5C6Q0V4J8W2R3T5Y7Z9XB"
_LIFETIME_SECONDS = {PushKind.CALL_INCOMING: 30, PushKind.BADGE: 3600, PushKind.VOICEMAIL_NEW: 259_200}

_PARTS: dict[PushKind, dict[str, Any]] = {
    PushKind.CALL_INCOMING: {"call_id": _CALL, "caller": ALICE},
    PushKind.CALL_MISSED: {"call_id": _CALL, "caller": ALICE, "badge": 3},
    PushKind.VOICEMAIL_NEW: {
        "call_id": _CALL,
        "caller": ALICE,
        "badge": 3,
        "voicemail_message_id": "1713840555-00000623",
        "voicemail_seconds": 12,
    },
    PushKind.BADGE: {"badge": 2},
    PushKind.CALL_WITHDRAWN: {"call_id": _CALL, "caller": ALICE, "badge": 2, "answered_by": "1002", "quiet": True},
    PushKind.TEST: {},
}


def push_of(kind: PushKind, **changes: Any) -> Push:
    """A push of `kind` for extension 1001 of acme, as the policy would make it, with some fields changed."""
    device_id = changes.pop("device_id", "alice-iphone")
    parts: dict[str, Any] = {
        "push_id": derive_push_id(_EVENT, device_id, kind),
        "event_id": _EVENT,
        "tenant": "acme",
        "extension": "1001",
        "collapse_id": derive_collapse_id("acme", "1001", f"call:{_CALL}"),
        "occurred_at": OCCURRED,
        "deadline": OCCURRED + _LIFETIME_SECONDS.get(kind, 43_200) * 1000,
    }
    return Push(kind=kind, device_id=device_id, **(parts | _PARTS[kind] | changes))


def phone(locale: str = "en-GB", *, provider: Provider = Provider.APNS) -> Device:
    """A phone that speaks `locale`."""
    return Device(
        tenant="acme",
        extension="1001",
        device_id="alice-iphone",
        app="com.example.softphone.ios",
        provider=provider,
        token=Token("00"),
        voip_token=Token("01"),
        locale=locale,
    )


def apns_body(push: Push, *, privacy: Privacy = Privacy.FULL, locale: str = "en-GB") -> dict[str, Any]:
    """What an iPhone gets, read back."""
    body: dict[str, Any] = orjson.loads(apns.build(push, phone(locale), topic=TOPIC, privacy=privacy).body)
    return body


def apns_headers(push: Push, *, privacy: Privacy = Privacy.FULL) -> dict[str, str]:
    """The headers that go with it."""
    return apns.build(push, phone(), topic=TOPIC, privacy=privacy).headers


def fcm_message(push: Push, *, privacy: Privacy = Privacy.FULL, locale: str = "en-GB") -> dict[str, Any]:
    """What an Android phone gets."""
    return fcm.build(push, phone(locale, provider=Provider.FCM), privacy=privacy, now=NOW).message


@dataclass(frozen=True, slots=True)
class Example:
    """One variant of a push in the documentation."""

    push: Push
    privacy: Privacy = Privacy.FULL
    locale: str = "en-GB"


def _examples() -> dict[str, Example]:
    missed = push_of(PushKind.CALL_MISSED)
    named = {kind.value: Example(push_of(kind)) for kind in PushKind}
    named |= {f"call.missed.{privacy}": Example(missed, privacy) for privacy in Privacy if privacy is not Privacy.FULL}
    named["call.missed.quiet"] = Example(push_of(PushKind.CALL_MISSED, quiet=True))
    named["call.missed.unknown"] = Example(push_of(PushKind.CALL_MISSED, caller=Caller()))
    named["call.incoming.id_only"] = Example(push_of(PushKind.CALL_INCOMING), Privacy.ID_ONLY)
    named["voicemail.new.de"] = Example(push_of(PushKind.VOICEMAIL_NEW), locale="de-AT")
    return named


EXAMPLES = _examples()
"""By the name that follows `payload=apns.`, `payload=fcm.` or `headers=apns.` in the documentation."""
