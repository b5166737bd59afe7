"""The generic dialect: CloudEvents 1.0 over HTTP, in structured, binary and batched mode.

CloudEvents specification 1.0.2, its JSON event format and its HTTP protocol binding (cloudevents.io).
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.domain.errors import InvalidInput, MalformedInput, Problem, TooLarge
from gateway.domain.event import (
    Call,
    Caller,
    Direction,
    EventKind,
    Mailbox,
    Millis,
    Outcome,
    PbxEvent,
    Voicemail,
)
from gateway.domain.presence import canonical_status
from gateway.domain.validation import problems_of
from gateway.ingress import strict_json
from gateway.ingress.cloudevents_models import (
    CallData,
    CallerData,
    CloudEventAttributes,
    CloudEventBody,
    EventData,
    MailboxData,
    OutcomeData,
    PresenceData,
    VoicemailData,
    kind_of,
)
from gateway.ingress.fields import Extension

__all__ = ["MAX_BATCH", "CloudEventBody", "CloudEvents", "EventData", "preview_event", "read"]

MAX_BATCH = 500
"""Events that one batch may hold."""

_BATCH = "application/cloudevents-batch"
_STRUCTURED = "application/cloudevents"
_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")
_REQUIRED = ("specversion", "id", "source", "type")


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """What one request holds, in its order."""

    batch: bool
    items: tuple[PbxEvent | InvalidInput, ...]
    """In a batch each item stands for itself: an event, or why it is none. A single event is always one."""


def read(headers: Mapping[str, str], body: bytes) -> CloudEvents:
    """The events of one HTTP request; `headers` has lower-case names.

    The mode follows from `content-type`, whatever its case: `application/cloudevents-batch+json`,
    `application/cloudevents+json`, else binary when the `ce-` headers are there. Raises `MalformedInput` for bytes
    that are not JSON, `InvalidInput` naming each place (`data.call.id`, `header ce-time`), `TooLarge` for more than
    `MAX_BATCH` events. What is wrong within one item of a batch is that item's value.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith(_BATCH):  # first: it begins with the name of the structured mode
        _require_json_format(media_type, _BATCH)
        return CloudEvents(batch=True, items=tuple(_batch(strict_json.loads(body))))
    if media_type.startswith(_STRUCTURED):
        _require_json_format(media_type, _STRUCTURED)
        return CloudEvents(batch=False, items=(_structured(strict_json.loads(body)),))
    return CloudEvents(batch=False, items=(_binary(headers, media_type, body),))


def preview_event(kind: str, extension: str, data: JsonValue, occurred_at: Millis | None) -> PbxEvent:
    """The event of a dry run: `kind` and `data` as in a CloudEvent, no identity.

    Raises `InvalidInput` naming `type`, `subject`, or the place in `data`.
    """
    try:
        known = kind_of(kind)
    except ValueError as error:
        raise InvalidInput(Problem(loc="type", msg=str(error))) from error
    try:
        extension = _EXTENSION.validate_python(extension)
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix="subject")) from error
    return _event(known, extension, data, identity=None, occurred_at=occurred_at)


_EXTENSION: TypeAdapter[str] = TypeAdapter(Extension)


def _require_json_format(media_type: str, mode: str) -> None:
    if media_type != f"{mode}+json":
        raise InvalidInput(Problem(loc="header content-type", msg=f"only the JSON format is read: {mode}+json"))


def _batch(value: JsonValue) -> Iterator[PbxEvent | InvalidInput]:
    if not isinstance(value, list):
        raise InvalidInput(Problem(loc="body", msg="a batch is an array of events"))
    if len(value) > MAX_BATCH:
        raise TooLarge(f"a batch holds at most {MAX_BATCH} events")
    for item in value:
        try:
            yield _structured(item)
        except InvalidInput as error:
            yield error
        except MalformedInput as error:  # of data_base64: the batch itself was well-formed
            yield InvalidInput(*error.problems)


def _structured(value: JsonValue) -> PbxEvent:
    if not isinstance(value, dict):
        raise InvalidInput(Problem(loc="body", msg="an event is an object"))
    attributes = _attributes(value)
    if not _is_json(attributes.datacontenttype or ""):
        raise InvalidInput(Problem(loc="datacontenttype", msg="data has to be JSON"))
    encoded, data = value.get("data_base64"), value.get("data")
    if encoded is not None and data is not None:
        raise InvalidInput(Problem(loc="data_base64", msg="stands instead of data, not beside it"))
    if encoded is not None:
        data = strict_json.loads(_from_base64(encoded), place="data_base64")
    return _event_of(attributes, data)


def _binary(headers: Mapping[str, str], media_type: str, body: bytes) -> PbxEvent:
    if not any(f"ce-{name}" in headers for name in _REQUIRED):
        msg = f"neither {_STRUCTURED}+json, nor {_BATCH}+json, nor JSON with the ce- headers of the binary mode"
        raise InvalidInput(Problem(loc="header content-type", msg=msg))
    given = {name: _header_text(name, headers[f"ce-{name}"]) for name in _ATTRIBUTES if f"ce-{name}" in headers}
    attributes = _attributes(given, prefix="header ce-")
    if not _is_json(media_type):
        raise InvalidInput(Problem(loc="header content-type", msg="data has to be JSON"))
    return _event_of(attributes, strict_json.loads(body) if body else None)


def _attributes(value: Mapping[str, object], *, prefix: str = "") -> CloudEventAttributes:
    try:
        return CloudEventAttributes.model_validate(value)
    except ValidationError as error:
        problems = problems_of(error)
        raise InvalidInput(*(Problem(loc=prefix + problem.loc, msg=problem.msg) for problem in problems)) from error


def _header_text(name: str, value: str) -> str:
    """An attribute from its header: unquoted, then percent-decoded once (HTTP protocol binding, 3.1.3.2)."""
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
    try:
        text = unquote(value, errors="strict")
        text.encode()  # a header that was not UTF-8 arrives with halves of surrogate pairs
    except UnicodeError as error:
        raise InvalidInput(Problem(loc=f"header ce-{name}", msg="not valid UTF-8")) from error
    return text


_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def _from_base64(encoded: JsonValue) -> bytes:
    if not isinstance(encoded, str):
        raise InvalidInput(Problem(loc="data_base64", msg="a string is needed"))
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidInput(Problem(loc="data_base64", msg="not base64")) from error


def _is_json(media_type: str) -> bool:
    """Whether a media type is JSON's; an absent one is (CloudEvents JSON format 3.1)."""
    name = media_type.partition(";")[0].strip().lower()
    return name in {"", "application/json", "text/json"} or name.endswith("+json")


def _event_of(attributes: CloudEventAttributes, data: JsonValue) -> PbxEvent:
    # Neither part may hold a control character, so the line end between them keeps two pairs from reading alike.
    identity = f"{attributes.source}\n{attributes.id}"
    return _event(attributes.type, attributes.subject, data, identity=identity, occurred_at=attributes.time)


def _event(
    kind: EventKind, extension: str, data: JsonValue, *, identity: str | None, occurred_at: Millis | None
) -> PbxEvent:
    if data is not None and not isinstance(data, dict):
        raise InvalidInput(Problem(loc="data", msg="an object is needed"))
    try:
        parts = EventData.model_validate(data or {})
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix="data")) from error
    missing = _missing(kind, parts)
    if missing is not None:
        raise InvalidInput(Problem(loc=missing, msg=f"required for {kind}"))
    is_call = kind.startswith("call.")
    is_voicemail = kind is EventKind.VOICEMAIL_NEW
    return PbxEvent(
        kind=kind,
        extension=extension,
        identity=identity,
        occurred_at=occurred_at,
        call=_call(parts.call) if is_call or is_voicemail else None,
        caller=_caller(parts.caller) if is_call or is_voicemail else Caller(),
        outcome=_outcome(parts.outcome) if is_call else Outcome(),
        voicemail=_voicemail(parts.voicemail) if is_voicemail else None,
        mailbox=_mailbox(parts.mailbox) if kind is EventKind.VOICEMAIL_MAILBOX else None,
        presence=_presence(parts.presence) if kind is EventKind.PRESENCE_CHANGED else None,
    )


def _missing(kind: EventKind, parts: EventData) -> str | None:
    """Place of the part that `kind` needs and that is not there."""
    has_call = parts.call is not None and parts.call.id is not None
    has_message = parts.voicemail is not None and parts.voicemail.message_id is not None
    match kind:
        case EventKind.VOICEMAIL_NEW:
            return None if has_message or has_call else "data.voicemail.message_id"
        case EventKind.VOICEMAIL_MAILBOX:
            return None if parts.mailbox is not None else "data.mailbox"
        case EventKind.PRESENCE_CHANGED:
            return None if parts.presence is not None else "data.presence"
        case _:
            return None if has_call else "data.call.id"


def _call(part: CallData | None) -> Call | None:
    if part is None or part.id is None:
        return None
    return Call(id=part.id, direction=part.direction or Direction.INBOUND, via=part.via, ring_stage=part.ring_stage)


def _caller(part: CallerData | None) -> Caller:
    return Caller() if part is None else Caller(number=part.number or "", name=part.name or "")


def _outcome(part: OutcomeData | None) -> Outcome:
    if part is None:
        return Outcome()
    return Outcome(disposition=part.disposition, answered_by=part.answered_by, ring_seconds=part.ring_seconds)


def _voicemail(part: VoicemailData | None) -> Voicemail:
    if part is None:
        return Voicemail()
    return Voicemail(message_id=part.message_id, duration_seconds=part.duration_seconds, urgent=part.urgent or False)


def _mailbox(part: MailboxData | None) -> Mailbox | None:
    return None if part is None else Mailbox(new=part.new, saved=part.saved or 0)


def _presence(part: PresenceData | None) -> str | None:
    return None if part is None else canonical_status(part.status)
