"""What a CloudEvent of ours holds; the OpenAPI document is made from the same models.

Unknown fields are ignored everywhere: extension attributes are CloudEvents' own way to grow, and a PBX may say more
than we ask. What is known has to be of its type: nothing is guessed from a number that should be text.
"""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from gateway.domain.event import Direction, Disposition, EventKind, Millis, Via
from gateway.ingress.fields import DisplayName, Extension, Identifier, Number, Word
from gateway.ingress.times import rfc3339_millis

_KINDS = {kind.value: kind for kind in EventKind}
_LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_REVERSE_DNS = re.compile(rf"(?:{_LABEL}\.)*")


def kind_of(event_type: str) -> EventKind:
    """The kind that a CloudEvents `type` names, with or without a reverse-DNS prefix that ends in a dot.

    Raises `ValueError` for any other type.
    """
    kind = _KINDS.get(".".join(event_type.rsplit(".", 2)[-2:]))
    if kind is None or len(event_type) > 256 or not _REVERSE_DNS.fullmatch(event_type.removesuffix(kind)):
        raise ValueError(f"not an event type of this gateway; one of {', '.join(_KINDS)} is")
    return kind


def _event_type(value: object) -> EventKind:
    return kind_of(_text(value))


def _time(value: object) -> Millis:
    return rfc3339_millis(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("Input should be a valid string")  # noqa: TRY004 - pydantic reports ValueError by its place
    return value


class _Part(BaseModel):
    """Base of the parts: unknown fields are ignored, types are not converted."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True)


_Seconds: TypeAlias = Annotated[int, Field(ge=0, le=31_536_000)]
_Messages: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]


class CallData(_Part):
    """The call an event is about."""

    id: Identifier | None = None
    """The PBX's id of the logical call, the same in all its events; `call.*` needs it."""
    direction: Annotated[Direction, Field(strict=False)] | None = None
    """Default: inbound."""
    via: Annotated[Via, Field(strict=False)] | None = None
    """How the call reached the extension. Default: what other events of the call said, else direct."""
    ring_stage: Literal[1, 2] | None = None
    """Which stage of the ring strategy rings (`call.incoming`)."""


class CallerData(_Part):
    """Who called."""

    number: Number | None = None
    name: DisplayName | None = None


class OutcomeData(_Part):
    """How the call ended for this extension."""

    disposition: Annotated[Disposition, Field(strict=False)] | None = None
    """A `call.missed` without one is a missed call all the same."""
    answered_by: Word | None = None
    """Extension that answered."""
    ring_seconds: _Seconds | None = None


class VoicemailData(_Part):
    """The message that was left."""

    message_id: Identifier | None = None
    """`voicemail.new` needs it, or `call.id`."""
    duration_seconds: _Seconds | None = None
    urgent: bool | None = None


class MailboxData(_Part):
    """How many messages the mailbox holds now."""

    new: _Messages
    """Unread ones, urgent ones included."""
    saved: _Messages | None = None


class PresenceData(_Part):
    """The status the extension has from now on."""

    status: Word
    """One of the six, an alias (`lunch`, `dnd`), or the PBX's own word."""


class EventData(_Part):
    """`data` of an event. Which parts are needed depends on its type; null counts as absent."""

    call: CallData | None = None
    caller: CallerData | None = None
    outcome: OutcomeData | None = None
    voicemail: VoicemailData | None = None
    mailbox: MailboxData | None = None
    presence: PresenceData | None = None


EventType: TypeAlias = Annotated[
    EventKind,
    BeforeValidator(_event_type),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^({_LABEL}\.)*({'|'.join(re.escape(kind) for kind in _KINDS)})$",
            "maxLength": 256,
            "examples": list(_KINDS),
        }
    ),
]
"""One of `EventKind`, in the document with its optional reverse-DNS prefix."""

Rfc3339: TypeAlias = Annotated[int, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339 with an offset in the document, `Millis` inside."""


class CloudEventAttributes(_Part):
    """The context attributes of CloudEvents 1.0 that mean something here."""

    specversion: Literal["1.0"]
    id: Identifier
    """With `source` it is what makes this event and no other."""
    source: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,1024}$")]
    """URI reference of the sender's choice."""
    type: EventType
    subject: Extension
    """The extension."""
    time: Rfc3339 | None = None
    """When it happened. Default: the time of receipt."""
    datacontenttype: str | None = None
    """JSON, when given."""


class CloudEventBody(CloudEventAttributes):
    """A CloudEvent in structured mode (`application/cloudevents+json`); a batch is an array of them."""

    data: EventData | None = None
    data_base64: str | None = None
    """Instead of `data`: the JSON of `data` in base64."""
