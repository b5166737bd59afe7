"""Yeastar P-Series events of a call that is over for somebody: missed, answered, or a message was left."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import JsonValue

from gateway.domain.event import Call, Caller, Direction, Disposition, EventKind, Outcome, PbxEvent, Via, Voicemail
from gateway.ingress import yeastar_models as models
from gateway.ingress.yeastar_envelope import Envelope, called_extension, parse


def call_end_details(message: dict[str, JsonValue], envelope: Envelope) -> Iterator[PbxEvent]:
    """Call End Details Notification (Yeastar P-Series developer guide, event 30012): the verdict about a call.

    `VOICEMAIL` means not answered and a new message left: the PBX has no other event for a message. Calls that an
    extension made (`outbound`) are no concern of its phone, nor are calls that ended before anybody was called.
    """
    details = parse(models.CallDetails, message)
    extension = called_extension(details.call_to)
    if details.type is models.CallType.OUTBOUND or extension is None:
        return
    direction = Direction.INTERNAL if details.type is models.CallType.INTERNAL else Direction.INBOUND
    kind, outcome, voicemail = _verdict(details, extension)
    yield PbxEvent(
        kind=kind,
        extension=extension,
        # The record's id alone would do, were it sure that no two members of a group share one.
        identity=envelope.identity(details.uid, details.call_id, extension, details.status),
        occurred_at=envelope.millis(details.time_start),
        call=Call(id=details.call_id, direction=direction),
        caller=Caller(number=details.call_from),
        outcome=outcome,
        voicemail=voicemail,
    )


def _verdict(details: models.CallDetails, extension: str) -> tuple[EventKind, Outcome, Voicemail | None]:
    if details.status is models.CallStatus.VOICEMAIL:
        message = Voicemail(message_id=details.uid or None, duration_seconds=details.talk_duration or None)
        return EventKind.VOICEMAIL_NEW, Outcome(), message
    if details.status is models.CallStatus.ANSWERED:
        return EventKind.CALL_ENDED, Outcome(disposition=Disposition.ANSWERED, answered_by=extension), None
    rang = max(0, details.call_duration - details.talk_duration)
    return EventKind.CALL_MISSED, Outcome(disposition=_DISPOSITIONS[details.status], ring_seconds=rang), None


_DISPOSITIONS: Mapping[models.CallStatus, Disposition] = MappingProxyType(
    {
        models.CallStatus.NO_ANSWER: Disposition.NO_ANSWER,
        models.CallStatus.BUSY: Disposition.BUSY,
        models.CallStatus.ABANDONED: Disposition.CALLER_CANCELLED,
        models.CallStatus.FAILED: Disposition.FAILED,
    }
)


def agent_auto_pause(message: dict[str, JsonValue], envelope: Envelope) -> Iterator[PbxEvent]:
    """Agent Automatic Pause (Yeastar P-Series developer guide, event 30025): the calls that an agent let ring.

    Each was told by event 30026 before, where that is subscribed to; it is the same fact and decided once.
    """
    pause = parse(models.AgentPaused, message)
    for call in pause.calls:
        yield _missed_by_agent(call, pause.agent_number, envelope)


def agent_ringing_timeout(message: dict[str, JsonValue], envelope: Envelope) -> Iterator[PbxEvent]:
    """Agent Ringing Timeout (Yeastar P-Series developer guide, event 30026): an agent let a queue's call ring."""
    timeout = parse(models.AgentRingTimeout, message)
    yield _missed_by_agent(timeout, timeout.agent_number, envelope)


def _missed_by_agent(call: models.QueueCall, agent: str, envelope: Envelope) -> PbxEvent:
    return PbxEvent(
        kind=EventKind.CALL_MISSED,
        extension=agent,
        identity=envelope.identity(call.call_id, agent),
        call=Call(id=call.call_id, via=Via.QUEUE),
        caller=Caller(number=call.caller_number),
        outcome=Outcome(disposition=Disposition.NO_ANSWER),
    )
