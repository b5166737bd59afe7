"""Yeastar P-Series: the events of its webhook, and what each of them means for an extension.

The envelope is `{"type": <event id>, "sn": <serial number>, "msg": {...}}`. `msg` is an object in some events and
that object's JSON as a string in others; `sn` is missing in some. Both are documented that way and both are taken
everywhere.

There is no delivery id, so that a repeat is known by what it says: see `Envelope.identity`.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.domain.errors import InvalidInput
from gateway.domain.event import EventKind, PbxEvent
from gateway.domain.presence import canonical_status
from gateway.domain.validation import problems_of
from gateway.ingress import strict_json
from gateway.ingress import yeastar_models as models
from gateway.ingress.yeastar_calls import call_status_changed, incoming_call_request
from gateway.ingress.yeastar_envelope import Envelope, invalid, parse
from gateway.ingress.yeastar_verdicts import agent_auto_pause, agent_ringing_timeout, call_end_details

EXTENSION_CHANGED = 30022


def read(body: bytes, *, timezone: ZoneInfo) -> tuple[PbxEvent, ...]:
    """What one webhook of a P-Series PBX says; () when it is of no concern here, as every unknown event id is.

    `timezone` is the PBX's: its times are local and name no zone. An hour that the clock shows twice is the first of
    the two, one that it skips is counted on from before the gap. Raises `MalformedInput` when `body` or a string
    `msg` is not JSON, `InvalidInput` naming the place (`type`, `msg.call_id`) when an event is not shaped as the
    developer guide says.
    """
    value = strict_json.loads(body)
    if not isinstance(value, dict):
        raise invalid("body", "an event is an object")
    event_id = _event_id(value.get("type"))
    reader = _READERS.get(event_id)
    if reader is None:
        return ()
    envelope = Envelope(event_id=event_id, serial=_serial(value.get("sn")), timezone=timezone)
    events = reader(_message(value.get("msg")), envelope)
    # Two endpoints of one extension ring, or a call is listed twice: one event.
    return tuple({event.identity: event for event in events}.values())


def extension_changed(body: bytes) -> str | None:
    """The extension whose configuration changed at the PBX (Extension Information Updated, event 30022); None: this is
    another event. Raises as `read`."""
    value = strict_json.loads(body)
    if not isinstance(value, dict) or _event_id(value.get("type")) != EXTENSION_CHANGED:
        return None
    return parse(models.ExtensionChanged, _message(value.get("msg"))).ext_number


def _event_id(value: JsonValue) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) <= 16:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise invalid("type", "the event's id is a number")


def _serial(value: JsonValue) -> str:
    try:
        return _SERIAL.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix="sn")) from error


_SERIAL: TypeAdapter[str] = TypeAdapter(models.OptionalId)


def _message(value: JsonValue) -> dict[str, JsonValue]:
    """`msg`, whichever of its two forms it came in."""
    message = strict_json.loads(value.encode(), place="msg") if isinstance(value, str) else value
    if not isinstance(message, dict):
        raise invalid("msg", "an object, or one as a JSON string, is needed")
    return message


def _validated(model: type[models.Message]) -> "_Reader":
    """A reader of an event that changes nothing here; its shape is checked all the same."""

    def read_and_ignore(message: dict[str, JsonValue], _: Envelope) -> tuple[PbxEvent, ...]:
        parse(model, message)
        return ()

    return read_and_ignore


def _presence_changed(message: dict[str, JsonValue], _: Envelope) -> Iterator[PbxEvent]:
    """Extension Presence Status Changed (Yeastar P-Series developer guide, event 30009).

    It has neither id nor time, so that the one received last wins. Custom statuses come as the PBX names them.
    """
    presence = parse(models.PresenceStatus, message)
    yield PbxEvent(
        kind=EventKind.PRESENCE_CHANGED,
        extension=presence.extension,
        identity=None,
        presence=canonical_status(presence.status),
    )


_Reader = Callable[[dict[str, JsonValue], Envelope], Iterator[PbxEvent] | tuple[PbxEvent, ...]]

_READERS: Mapping[int, _Reader] = MappingProxyType(
    {
        30007: _validated(models.Registration),  # a client in the background unregisters too: no token is touched
        30008: _validated(models.ExtensionCallState),  # ringing for whom and from whom comes with 30011
        30009: _presence_changed,
        30011: call_status_changed,
        30012: call_end_details,
        30014: _validated(models.CallMembers),  # does not say which member forwarded; 30012 brings the verdict
        30016: incoming_call_request,
        EXTENSION_CHANGED: _validated(
            models.ExtensionChanged
        ),  # does not say what changed: `extension_changed` leads to a reading
        30025: agent_auto_pause,
        30026: agent_ringing_timeout,
        30029: _validated(models.AgentStatus),  # the gateway sets agents' status and does not follow it
        # The guide leaves open whether its ids are those of 30012: both together would tell one verdict twice.
        30039: _validated(models.TimelineLeg),
    }
)
"""What is read, by event id. An id that is not here is ignored."""
