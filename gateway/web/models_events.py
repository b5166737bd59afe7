"""Bodies about events and what was decided on them."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from gateway.domain.decision import Action, Decision, EventRecord, Facts, Reason, TraceStep, Verdict
from gateway.domain.event import EventKind, PbxEvent
from gateway.domain.push import Attempt, PushKind, PushState
from gateway.ingress.cloudevents_models import EventData, EventType, Rfc3339
from gateway.ingress.fields import Extension
from gateway.pipeline.intake import Receipt
from gateway.pipeline.preview import Preview
from gateway.store import EventPage, PushRecord
from gateway.web.models import AnswerModel, ProblemAnswer, RequestModel, Timestamp, is_none


class PlannedPushAnswer(AnswerModel):
    """A push that was queued for a device."""

    device_id: str
    push_id: str = Field(description="UUID; `apns-id` on every attempt.")
    not_before: Timestamp | None = Field(description="When a deferred push becomes due; null: at once.")


class DecisionAnswer(AnswerModel):
    """What was decided, why, and which pushes follow."""

    action: Action
    reason: Reason
    pushes: tuple[PlannedPushAnswer, ...]

    @classmethod
    def of(cls, decision: Decision) -> "DecisionAnswer":
        """The public part of a decision."""
        return cls(
            action=decision.action,
            reason=decision.reason,
            pushes=tuple(
                PlannedPushAnswer(device_id=push.device_id, push_id=push.push_id, not_before=push.not_before)
                for push in decision.pushes
            ),
        )


class EventAnswer(AnswerModel):
    """One event was stored, with its decision and its pushes. A duplicate answers as the first one did."""

    event_id: str = Field(examples=["01KAXB7Q0R7M3V2N5T8C9D4E6F"])
    status: Literal["accepted", "duplicate"]
    decision: DecisionAnswer

    @classmethod
    def of(cls, receipt: Receipt) -> "EventAnswer":
        """The answer to a receipt."""
        return cls(
            event_id=receipt.event_id,
            status=receipt.status.value,
            decision=DecisionAnswer.of(receipt.decision),
        )


class IgnoredAnswer(AnswerModel):
    """Well-formed, but not one of the events that the gateway knows: nothing was stored."""

    status: Literal["ignored"] = "ignored"


class RejectedAnswer(AnswerModel):
    """One item of a batch that was not stored, and why. The other items are not touched by it."""

    status: Literal["rejected"] = "rejected"
    error: ProblemAnswer


class ResultsAnswer(AnswerModel):
    """Several events in one request: one result each, in order."""

    results: tuple[Annotated[EventAnswer | RejectedAnswer, Field(discriminator="status")], ...]


HookAnswer: TypeAlias = EventAnswer | IgnoredAnswer | ResultsAnswer


class TraceAnswer(AnswerModel):
    """What one rule said."""

    rule: str
    verdict: Verdict
    detail: str


def trace_of(steps: tuple[TraceStep, ...]) -> tuple[TraceAnswer, ...]:
    """The trace, rule by rule, in the order they were asked."""
    return tuple(TraceAnswer(rule=step.rule, verdict=step.verdict, detail=step.detail) for step in steps)


class EventBody(AnswerModel):
    """An accepted event."""

    event_id: str
    type: EventKind
    extension: str
    source: str = Field(description="Name of the source, or `api:<key name>`.")
    received_at: Timestamp
    occurred_at: Timestamp | None
    data: dict[str, Any] = Field(description="The parts of the event, as CloudEvents `data` has them.")

    @classmethod
    def of(cls, record: EventRecord) -> "EventBody":
        """The event of a journal entry."""
        event = record.facts.event
        return cls(
            event_id=record.event_id,
            type=event.kind,
            extension=event.extension,
            source=record.source,
            received_at=record.received_at,
            occurred_at=event.occurred_at,
            data=_data(event),
        )


_PARTS = ("call", "caller", "outcome", "voicemail", "mailbox")
_EVENT: TypeAdapter[PbxEvent] = TypeAdapter(PbxEvent)
_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)


def _data(event: PbxEvent) -> dict[str, Any]:
    whole = _EVENT.dump_python(event, mode="json", exclude_defaults=True)
    parts = {name: whole[name] for name in _PARTS if whole.get(name)}
    return parts if event.presence is None else {**parts, "presence": {"status": event.presence}}


class AttemptAnswer(AnswerModel):
    """One try to deliver a push."""

    at: Timestamp
    outcome: str = Field(examples=["accepted"])
    status: int | None = Field(description="The provider's HTTP status; null when no answer came.")
    reason: str
    milliseconds: int

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptAnswer":
        """The try as it was recorded."""
        return cls(
            at=attempt.at,
            outcome=attempt.outcome,
            status=attempt.status,
            reason=attempt.reason,
            milliseconds=attempt.milliseconds,
        )


class PushAnswer(AnswerModel):
    """A push and what became of it."""

    push_id: str
    device_id: str
    kind: PushKind
    state: PushState
    attempts: tuple[AttemptAnswer, ...]
    shown_at: Timestamp | None = Field(default=None, exclude_if=is_none, description="When the app confirmed it.")

    @classmethod
    def of(cls, record: PushRecord) -> "PushAnswer":
        """The push as the journal has it."""
        return cls(
            push_id=record.push.push_id,
            device_id=record.push.device_id,
            kind=record.push.kind,
            state=record.state,
            attempts=tuple(AttemptAnswer.of(attempt) for attempt in record.attempts),
            shown_at=record.receipt_at,
        )


class EventDetailAnswer(AnswerModel):
    """Everything about one event: what was known, what every rule said, what became of its pushes."""

    event: EventBody
    facts: dict[str, Any] = Field(
        description="What the decision was made from, as it was recorded; times are milliseconds since the epoch."
    )
    decision: DecisionAnswer
    trace: tuple[TraceAnswer, ...]
    pushes: tuple[PushAnswer, ...]

    @classmethod
    def of(cls, record: EventRecord, pushes: tuple[PushRecord, ...]) -> "EventDetailAnswer":
        """A journal entry with its pushes."""
        return cls(
            event=EventBody.of(record),
            facts=_FACTS.dump_python(record.facts, mode="json"),
            decision=DecisionAnswer.of(record.decision),
            trace=trace_of(record.decision.trace),
            pushes=tuple(PushAnswer.of(push) for push in pushes),
        )


class EventListItem(AnswerModel):
    """One line of the history."""

    event_id: str
    event: EventBody
    decision: DecisionAnswer


class EventListAnswer(AnswerModel):
    """Events, newest first."""

    items: tuple[EventListItem, ...]
    next: str | None = Field(description="Pass as `after` for the next page; null: this is the last.")

    @classmethod
    def of(cls, page: EventPage) -> "EventListAnswer":
        """A page of the journal."""
        items = (
            EventListItem(event_id=one.event_id, event=EventBody.of(one), decision=DecisionAnswer.of(one.decision))
            for one in page.items
        )
        return cls(items=tuple(items), next=page.next)


Cursor: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=200)]


class EventQuery(RequestModel):
    """Filters of the history; all given ones have to fit."""

    extension: Extension | None = None
    action: Action | None = None
    reason: Reason | None = None
    kind: EventKind | None = None
    after: Cursor | None = None
    limit: Limit = 50


class PreviewBody(RequestModel):
    """An event that did not happen: what would be decided about it?"""

    type: EventType
    data: EventData | None = None
    time: Rfc3339 | None = None
    """When it would have happened. Default: now."""


class PreviewPayloadAnswer(AnswerModel):
    """What one phone would receive."""

    device_id: str
    headers: dict[str, str] = Field(description="APNs request headers; empty for FCM.")
    body: dict[str, Any] = Field(description="APNs payload, or FCM request body.")


class PreviewAnswer(AnswerModel):
    """The decision with its trace, and the payloads. Nothing was written and nothing was sent."""

    decision: DecisionAnswer
    trace: tuple[TraceAnswer, ...]
    payloads: tuple[PreviewPayloadAnswer, ...]

    @classmethod
    def of(cls, preview: Preview) -> "PreviewAnswer":
        """The answer to a preview."""
        return cls(
            decision=DecisionAnswer.of(preview.decision),
            trace=trace_of(preview.decision.trace),
            payloads=tuple(
                PreviewPayloadAnswer(device_id=one.device_id, headers=one.headers, body=one.body)
                for one in preview.payloads
            ),
        )
