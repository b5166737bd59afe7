"""Yeastar P-Series events of a call that is going on: who rings, who answered."""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import JsonValue

from gateway.domain.event import Call, Caller, Direction, EventKind, Outcome, PbxEvent, Via
from gateway.ingress import yeastar_models as models
from gateway.ingress.yeastar_envelope import Envelope, called_extension, parse


def call_status_changed(message: dict[str, JsonValue], envelope: Envelope) -> Iterator[PbxEvent]:
    """Call Status Changed (Yeastar P-Series developer guide, event 30011): who rings, who answered.

    An extension rings by its own leg (`RING`) and has answered by it (`ANSWER`); `ALERT` and `ANSWERED` are the
    caller's side and no event for the caller. Once somebody answered, the others that still ring are about to stop.
    `BYE` is left to event 30012, which brings the verdict.
    """
    call = parse(models.CallMembers, message)
    legs = [member.extension for member in call.members if member.extension is not None]
    answered = any(leg.member_status == "ANSWER" for leg in legs)
    for leg in legs:
        if leg.member_status not in _CALLED or (answered and leg.member_status == "RING"):
            continue
        identity = envelope.identity(call.call_id, leg.number, leg.member_status)
        event = _ringing(call, leg.number, leg.call_path, identity)
        if leg.member_status == "ANSWER":
            event = replace(event, kind=EventKind.CALL_ANSWERED, outcome=Outcome(answered_by=leg.number))
        yield event


_CALLED = frozenset({"RING", "ANSWER"})
"""`member_status` of a called extension: rings, or answered."""


def incoming_call_request(message: dict[str, JsonValue], envelope: Envelope) -> Iterator[PbxEvent]:
    """Incoming Call Request (Yeastar P-Series developer guide, event 30016): a call waits at a trunk for our word.

    The gateway gives none; the PBX routes the call after ten seconds.
    """
    call = parse(models.CallMembers, message)
    for member in call.members:
        extension = called_extension(member.inbound.to) if member.inbound is not None else None
        if member.inbound is not None and extension is not None:
            identity = envelope.identity(call.call_id, extension, member.inbound.member_status)
            yield _ringing(call, extension, member.inbound.call_path, identity)


def _ringing(call: models.CallMembers, extension: str, call_path: str, identity: str) -> PbxEvent:
    inbound = next((member.inbound for member in call.members if member.inbound is not None), None)
    direction = Direction.INTERNAL if inbound is None else Direction.INBOUND
    number = _calling_extension(call, extension) if inbound is None else inbound.from_
    return PbxEvent(
        kind=EventKind.CALL_INCOMING,
        extension=extension,
        identity=identity,
        call=Call(id=call.call_id, direction=direction, via=_via(call_path)),
        caller=Caller(number=number),
    )


def _calling_extension(call: models.CallMembers, called: str) -> str:
    """Number of the colleague on the calling side; empty when no leg says so."""
    for member in call.members:
        leg = member.extension
        if leg is not None and leg.number != called and leg.member_status in _CALLING:
            return leg.number
    return ""


_CALLING = frozenset({"ALERT", "ANSWERED"})
"""`member_status` of a caller: hears ringback, or was answered."""


def _via(call_path: str) -> Via | None:
    """How the call reached the extension, as far as `call_path` tells.

    The guide says only that it is filled when the call went through an IVR, call flow, queue, ring group, paging or
    conference, and not which. A ring group is assumed: as from a queue, the PBX then rings all endpoints of an
    extension and does not ask its ring strategy, so that the phone is told rather than left out.
    """
    if not call_path:
        return None
    return Via.QUEUE if call_path.lower().startswith(models.QUEUE_PREFIX) else Via.RING_GROUP
