"""Bodies about the inbox, erasure and dead letters."""

from typing import Annotated, Self

from pydantic import Field, StrictBool, model_validator

from gateway.domain.extension import InboxItem, InboxKind
from gateway.domain.push import PushKind
from gateway.store import PushRecord
from gateway.web.models import AnswerModel, RequestModel, Timestamp, is_none
from gateway.web.models_events import AttemptAnswer, Cursor, Limit


class CallerAnswer(AnswerModel):
    """Who called."""

    number: str
    name: str


class VoicemailAnswer(AnswerModel):
    """The message."""

    message_id: str | None
    duration_seconds: int | None
    urgent: bool


class InboxItemAnswer(AnswerModel):
    """One missed call or voicemail."""

    event_id: str
    kind: InboxKind
    seen: bool
    caller: CallerAnswer
    call_id: str | None
    occurred_at: Timestamp
    voicemail: VoicemailAnswer | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def of(cls, item: InboxItem) -> "InboxItemAnswer":
        """The item as the app shows it."""
        message = item.voicemail
        return cls(
            event_id=item.event_id,
            kind=item.kind,
            seen=item.seen,
            caller=CallerAnswer(number=item.caller.number, name=item.caller.name),
            call_id=item.call_id,
            occurred_at=item.occurred_at,
            voicemail=None
            if message is None
            else VoicemailAnswer(
                message_id=message.message_id, duration_seconds=message.duration_seconds, urgent=message.urgent
            ),
        )


class InboxAnswer(AnswerModel):
    """Missed calls and voicemails, newest first, for the app to catch up after lost pushes."""

    items: tuple[InboxItemAnswer, ...]
    next: str | None = Field(description="Pass as `after` for the next page; null: this is the last.")
    badge: int = Field(description="The number on the app icon now.")

    @classmethod
    def of(cls, items: tuple[InboxItem, ...], after: str | None, badge: int) -> "InboxAnswer":
        """A page of the inbox."""
        return cls(items=tuple(InboxItemAnswer.of(item) for item in items), next=after, badge=badge)


class InboxQuery(RequestModel):
    """Where to go on."""

    after: Cursor | None = None
    limit: Limit = 50


class SeenBody(RequestModel):
    """Which items the user has seen: some, or all."""

    event_ids: Annotated[tuple[Cursor, ...], Field(max_length=500)] | None = None
    all: StrictBool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.all == (self.event_ids is not None):
            raise ValueError("either event_ids, or all = true")
        return self


class BadgeAnswer(AnswerModel):
    """The number that every device is told."""

    badge: int


class ErasedAnswer(AnswerModel):
    """How much of what was erased."""

    erased: dict[str, int] = Field(examples=[{"devices": 2, "events": 17, "inbox": 5}])


class DeadLetterAnswer(AnswerModel):
    """A push that was given up. Names no caller."""

    push_id: str
    event_id: str
    tenant: str
    extension: str
    device_id: str
    kind: PushKind
    occurred_at: Timestamp
    deadline: Timestamp
    attempts: tuple[AttemptAnswer, ...]

    @classmethod
    def of(cls, record: PushRecord) -> "DeadLetterAnswer":
        """The dead letter as operations see it."""
        push = record.push
        return cls(
            push_id=push.push_id,
            event_id=push.event_id,
            tenant=push.tenant,
            extension=push.extension,
            device_id=push.device_id,
            kind=push.kind,
            occurred_at=push.occurred_at,
            deadline=push.deadline,
            attempts=tuple(AttemptAnswer.of(attempt) for attempt in record.attempts),
        )


class DeadLetterQuery(RequestModel):
    """Where to go on."""

    after: Annotated[str, Field(pattern=r"^[0-9A-Za-z_:.-]{1,128}$")] | None = None
    limit: Limit = 50


class DeadLetterListAnswer(AnswerModel):
    """Dead letters, newest first."""

    items: tuple[DeadLetterAnswer, ...]
    next: str | None
    count: int = Field(description="All dead letters, on this page or not.")


class ReplayedAnswer(AnswerModel):
    """The push is back in the queue."""

    push_id: str
    status: str = "queued"
