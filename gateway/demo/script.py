"""What happens in the demo, step by step, and what has to come of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.demo.scene import ALICE, BOB


class Phone(StrEnum):
    """The two phones."""

    IPHONE = "iPhone of 1001"
    ANDROID = "Android of 1002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """A notification on a phone's lock screen."""

    phone: Phone
    title: str
    body: str
    badge: int
    sound: bool = True
    notifications: int | None = None
    """How many stand on the lock screen afterwards; None: not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """The phone is woken to ring."""

    phone: Phone


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """Only the number on the app icon changes."""

    phone: Phone
    badge: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No phone receives anything."""


OnPhone: TypeAlias = Shows | Rings | Badge | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Yeastar:
    """A webhook of the PBX, signed with `X-Signature`."""

    type: int
    msg: dict[str, Any]
    as_string: bool = True
    """Yeastar sends `msg` of most events as a string of JSON, of some as an object."""
    forged: bool = False

    @property
    def extension(self) -> str:
        """The extension that the event is about."""
        return str(self.msg.get("extension") or self.msg.get("call_to"))

    @property
    def label(self) -> str:
        """The event as the table names it."""
        said = self.msg.get("status", "")
        direction = f" {self.msg['type'].lower()}" if "type" in self.msg else ""
        form = "" if self.as_string else ", msg as object"
        return f"{self.type} {said}{direction}{form}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """A CloudEvents 1.0 event, signed by Standard Webhooks, or posted with the tenant's API key."""

    type: str
    extension: str
    data: dict[str, Any]
    signed: bool = True

    @property
    def label(self) -> str:
        """The event as the table names it."""
        return f"CloudEvent {self.type}{'' if self.signed else ', API key'}"


Event: TypeAlias = Yeastar | CloudEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event, and what was expected of it."""

    event: Event
    action: str
    reason: str
    phone: OnPhone = Nothing()
    status: str = "accepted"
    again: bool = False
    """Post the step before once more, byte for byte."""


def presence(extension: str, status: str) -> Step:
    """30009: the user changes the status at the PBX."""
    event = Yeastar(type=30009, msg={"extension": extension, "status": status})
    return Step(event=event, action="none", reason="state_changed")


def cdr(call: str, to: str, status: str, *, caller: str = "+4915112345678", kind: str = "Inbound") -> dict[str, Any]:
    """30012's `msg`: how a call ended. The sender adds `time_start` in the PBX's local time."""
    talked = 14 if status in ("VOICEMAIL", "ANSWERED") else 0
    return {
        "call_id": call,
        "call_from": caller,
        "call_to": to,
        "call_duration": 25 + talked,
        "talk_duration": talked,
        "src_trunk_name": "trunk-a" if kind == "Inbound" else " ",
        "dst_trunk_name": " ",
        "pin_code": "",
        "status": status,
        "type": kind,
        "recording": "",
        "did_number": "5550199" if kind == "Inbound" else "",
        "agent_ring_time": 0,
        "uid": f"cdr-{call}",
        "call_note_id": "",
        "enb_call_note": 0,
    }


def ended(call: str, to: str, status: str, *, as_string: bool = True, **more: str) -> Yeastar:
    """30012 as an event."""
    return Yeastar(type=30012, msg=cdr(call, to, status, **more), as_string=as_string)


_MISSED = "Missed call"
_VOICEMAIL = "New voicemail"
_NUMBER = "+4915112345678"


def _missed_event(call: str, extension: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "call": {"id": call, "direction": "inbound"},
        "caller": {"number": _NUMBER, "name": name},
        "outcome": {"disposition": "no_answer", "ring_seconds": 25},
        **more,
    }


def _iphone(title: str, body: str, badge: int, *, sound: bool = True, notifications: int | None = None) -> Shows:
    return Shows(phone=Phone.IPHONE, title=title, body=body, badge=badge, sound=sound, notifications=notifications)


STEPS: tuple[Step, ...] = (
    # Available: everything is told.
    Step(
        event=ended("1713151497.32", ALICE, "NO ANSWER"),
        action="forward",
        reason="allowed",
        phone=_iphone(_MISSED, _NUMBER, 1, notifications=1),
    ),
    # The PBX repeats its webhook: the first answer again, and nothing on the phone.
    Step(
        event=ended("1713151497.32", ALICE, "NO ANSWER"),
        action="forward",
        reason="allowed",
        status="duplicate",
        again=True,
    ),
    # Another caller leaves a message; this PBX firmware sends `msg` as an object.
    Step(
        event=ended("1713151497.33", ALICE, "VOICEMAIL", as_string=False),
        action="forward",
        reason="allowed",
        phone=_iphone(_VOICEMAIL, f"{_NUMBER}, 0:14", 2, notifications=2),
    ),
    # Told as missed by the CRM, answered after all by the PBX's word: taken back.
    Step(
        event=CloudEvent(
            type="call.missed", extension=ALICE, data=_missed_event("1713151497.34", ALICE, "Ada Lovelace")
        ),
        action="forward",
        reason="allowed",
        phone=_iphone(_MISSED, f"Ada Lovelace ({_NUMBER})", 3, notifications=3),
    ),
    Step(
        event=ended("1713151497.34", ALICE, "ANSWERED"),
        action="none",
        reason="state_changed",
        phone=_iphone("Call answered", f"Answered by {ALICE}", 2, sound=False, notifications=3),
    ),
    # Lunch break: the mobile client is in no ring stage.
    presence(ALICE, "lunch"),
    Step(
        event=ended("1713151497.41", ALICE, "BUSY", as_string=False, caller=BOB, kind="Internal"),
        action="suppress",
        reason="mobile_not_in_ring_strategy",
    ),
    # Away: external calls go to a colleague, the extension never rang; a colleague's call did.
    presence(ALICE, "away"),
    Step(event=ended("1713151497.51", ALICE, "NO ANSWER"), action="suppress", reason="forwarded"),
    Step(
        event=ended("1713151497.52", ALICE, "NO ANSWER", caller=BOB, kind="Internal"),
        action="forward",
        reason="allowed",
        phone=_iphone(_MISSED, BOB, 4),
    ),
    # Business trip: the mobile client rings secondly; a missed call is told.
    presence(ALICE, "business_trip"),
    Step(
        event=CloudEvent(
            type="call.missed",
            extension=ALICE,
            data=_missed_event("1713151497.61", ALICE, "Grace Hopper"),
            signed=False,
        ),
        action="forward",
        reason="allowed",
        phone=_iphone(_MISSED, f"Grace Hopper ({_NUMBER})", 5),
    ),
    # Off work: Accept Push Notifications is off. Inbox and badge still count.
    presence(ALICE, "off_work"),
    Step(event=ended("1713151497.71", ALICE, "NO ANSWER"), action="suppress", reason="push_disabled"),
    Step(event=ended("1713151497.72", ALICE, "VOICEMAIL"), action="suppress", reason="push_disabled"),
    # Do Not Disturb with push accepted: told quietly.
    presence(ALICE, "do_not_disturb"),
    Step(
        event=ended("1713151497.81", ALICE, "VOICEMAIL"),
        action="forward",
        reason="allowed",
        phone=_iphone(_VOICEMAIL, f"{_NUMBER}, 0:14", 8, sound=False),
    ),
    # Available again, and a call rings.
    presence(ALICE, "available"),
    Step(
        event=CloudEvent(
            type="call.incoming",
            extension=ALICE,
            data={"call": {"id": "1713151497.91"}, "caller": {"number": _NUMBER, "name": "Ada Lovelace"}},
        ),
        action="forward",
        reason="allowed",
        phone=Rings(phone=Phone.IPHONE),
    ),
    # The Android phone of a colleague, in German.
    Step(
        event=ended("1713151498.10", BOB, "NO ANSWER", as_string=False),
        action="forward",
        reason="allowed",
        phone=Shows(phone=Phone.ANDROID, title="Verpasster Anruf", body=_NUMBER, badge=1, notifications=1),
    ),
    Step(
        event=CloudEvent(type="voicemail.mailbox", extension=BOB, data={"mailbox": {"new": 3, "saved": 1}}),
        action="forward",
        reason="allowed",
        phone=Badge(phone=Phone.ANDROID, badge=4),
    ),
    # Somebody who does not know the secret.
    Step(
        event=Yeastar(type=30009, msg={"extension": BOB, "status": "off_work"}, forged=True),
        action="refused",
        reason="401",
        status="refused",
    ),
)
