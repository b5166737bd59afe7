"""What a PBX says: one event about one extension."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Millis: TypeAlias = int
"""Milliseconds since the Unix epoch, UTC."""

Clock: TypeAlias = Callable[[], Millis]
"""The present time; always an argument, so that tests own it."""


class EventKind(StrEnum):
    """What happened. The value is the CloudEvents `type`."""

    CALL_INCOMING = "call.incoming"
    """A call rings at the extension."""
    CALL_ANSWERED = "call.answered"
    """Somebody took the call."""
    CALL_ENDED = "call.ended"
    """The call is over; the disposition says how, where it is known."""
    CALL_MISSED = "call.missed"
    """The call is over and this person did not take it."""
    VOICEMAIL_NEW = "voicemail.new"
    """A caller left a message."""
    VOICEMAIL_MAILBOX = "voicemail.mailbox"
    """The mailbox's counts, as a message-waiting indication gives them."""
    PRESENCE_CHANGED = "presence.changed"
    """The extension's presence status was set at the PBX."""


class Direction(StrEnum):
    """Where a call came from."""

    INTERNAL = "internal"
    """From a colleague."""
    INBOUND = "inbound"
    """From outside, through a trunk."""


class Via(StrEnum):
    """How a call reached the extension."""

    DIRECT = "direct"
    """It was dialled."""
    RING_GROUP = "ring_group"
    """As a member of a ring group: a PBX then rings all endpoints."""
    QUEUE = "queue"
    """As an agent of a queue: a PBX then rings all endpoints."""
    IVR = "ivr"
    """Chosen in a voice menu."""
    FOLLOW_ME = "follow_me"
    """Passed on by another user's follow-me."""
    UNKNOWN = "unknown"
    """The PBX says that it was not direct, and not how."""


class Disposition(StrEnum):
    """How a call ended for this extension."""

    NO_ANSWER = "no_answer"
    """It rang out."""
    BUSY = "busy"
    """The extension was talking, or its phone refused."""
    CALLER_CANCELLED = "caller_cancelled"
    """The caller gave up while it rang."""
    REJECTED = "rejected"
    """The user declined."""
    UNREACHABLE = "unreachable"
    """No phone of the extension was registered."""
    FAILED = "failed"
    """The network or the PBX could not connect it."""
    VOICEMAIL = "voicemail"
    """The mailbox took it; whether a message was left is another event."""
    FORWARDED = "forwarded"
    """Forwarded before it rang here."""
    ANSWERED = "answered"
    """Answered here."""
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    """Another member, or a pickup, took it."""


MISSED_DISPOSITIONS = frozenset(
    {
        Disposition.NO_ANSWER,
        Disposition.BUSY,
        Disposition.CALLER_CANCELLED,
        Disposition.REJECTED,
        Disposition.UNREACHABLE,
        Disposition.FAILED,
        Disposition.VOICEMAIL,
    }
)
"""Endings that leave somebody uncalled: a `call.ended` with one of these is a missed call."""

_NOT_MISSED = frozenset({Disposition.FORWARDED, Disposition.ANSWERED, Disposition.ANSWERED_ELSEWHERE})
"""Endings by which nobody was missed here (POLICY rules 2 to 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who called. Both parts come from outside: shown to users only after `payloads.text` cleaned them."""

    number: str = ""
    """As the PBX gave it; empty when withheld or unknown."""
    name: str = ""
    """Display name; empty when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call an event is about."""

    id: str
    """The PBX's id of the logical call, shared by its legs (Yeastar `call_id`, Asterisk `Linkedid`)."""
    direction: Direction = Direction.INBOUND
    via: Via | None = None
    """None: this event does not say; the call's other events may, else `direct`."""
    ring_stage: int | None = None
    """1 or 2: which stage of the ring strategy rings (`call.incoming`); None: not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the call ended."""

    disposition: Disposition | None = None
    answered_by: str | None = None
    """Extension that answered; None: not said."""
    ring_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """A message in the mailbox."""

    message_id: str | None = None
    """The PBX's id of the message; None: the call's id stands for it."""
    duration_seconds: int | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Message counts. `new` includes urgent messages."""

    new: int
    saved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxEvent:
    """One event about one extension, whatever dialect it came in."""

    kind: EventKind
    extension: str
    """The number of the PBX user."""
    identity: str | None
    """What makes it this event and no other (CloudEvents `source` + `id`, or the vendor's key); equal identities
    are one event. None: the PBX gives nothing to tell a repeat by (Yeastar 30009)."""
    occurred_at: Millis | None = None
    """When it happened by the PBX's clock; None: not said, the receipt counts."""
    call: Call | None = None
    caller: Caller = Caller()
    outcome: Outcome = Outcome()
    voicemail: Voicemail | None = None
    mailbox: Mailbox | None = None
    presence: str | None = None
    """New presence status as the PBX wrote it, aliases resolved (`presence.canonical_status`)."""

    @property
    def counts_as_missed(self) -> bool:
        """Whether this is decided as a missed call (POLICY: an ending of the missed kind is one)."""
        return self.kind is EventKind.CALL_MISSED or (
            self.kind is EventKind.CALL_ENDED and self.outcome.disposition in MISSED_DISPOSITIONS
        )

    @property
    def policy_kind(self) -> EventKind:
        """The kind by which the event is decided: `call.missed` for an ending of the missed kind."""
        return EventKind.CALL_MISSED if self.counts_as_missed else self.kind

    @property
    def _denies_missed(self) -> bool:
        """Whether a missed call says in the same breath that it was none: that is news after a plain missed call."""
        return self.outcome.answered_by is not None or self.outcome.disposition in _NOT_MISSED

    @property
    def fact(self) -> str | None:
        """Key of the fact this event tells, within its tenant and extension: two events with one key say the same
        thing and are decided once. None for what only sets a state (presence, mailbox counts)."""
        kind = self.policy_kind
        if kind is EventKind.VOICEMAIL_NEW:
            message = self.voicemail.message_id if self.voicemail else None
            return f"{kind}:{message or (self.call.id if self.call else '')}"
        if self.call is None:
            return None
        if kind is EventKind.CALL_ENDED:
            return f"{kind}:{self.call.id}:{self.outcome.disposition or ''}"
        if kind is EventKind.CALL_MISSED and self._denies_missed:
            return f"{kind}:{self.call.id}:{self.outcome.disposition or ''}:taken"
        if kind is EventKind.CALL_INCOMING and self.call.ring_stage == 2:
            return f"{kind}:{self.call.id}:2"
        return f"{kind}:{self.call.id}"
