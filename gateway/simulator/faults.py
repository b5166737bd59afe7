"""Scripted faults as documents: which requests they meet, and what happens then."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.domain.device import Environment


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Document):
    """The requests that a fault meets; what is None matches everything."""

    provider: Literal["apns", "fcm", "oauth"] | None = None
    environment: Environment | None = None
    token: str | None = None
    """Device token or installation id."""
    topic: str | None = None
    """The whole `apns-topic`."""
    path: str | None = None
    """Start of the request's path."""


class Frames(_Document):
    """Unusual but lawful framing of an answer (HTTP/2 only)."""

    split: int | None = Field(default=None, ge=1)
    """At most so many bytes of body in a DATA frame."""
    padding: int = Field(default=0, ge=0, le=255)
    """Padding bytes on HEADERS and DATA."""
    continuation: bool = False
    """The header block goes out as HEADERS with one byte and CONTINUATION with the rest."""
    empty_data: int = Field(default=0, ge=0, le=100)
    """Empty DATA frames before the body."""
    table_size_update: bool = False
    """Start the header block with an HPACK table size update to 0."""


class Answer(_Document):
    """Answer so; without `status` the true answer, only later or framed differently."""

    do: Literal["answer"] = "answer"
    status: int | None = Field(default=None, ge=200, le=599)
    reason: str = ""
    """APNs reason; FCM error code (FcmError detail); OAuth error."""
    timestamp: int | None = None
    """APNs 410, milliseconds."""
    retry_after: str | int | None = None
    body: str | None = None
    """Exactly this body; empty: no body."""
    headers: dict[str, str] = Field(default_factory=dict)
    frames: Frames | None = None


class NoAnswer(_Document):
    """Never answer this request; the connection lives on."""

    do: Literal["no_answer"] = "no_answer"


class RstStream(_Document):
    """Reset the stream (HTTP/1.1: close the connection)."""

    do: Literal["rst_stream"] = "rst_stream"
    code: int = Field(default=2, ge=0)
    """HTTP/2 error code: 2 INTERNAL_ERROR, 7 REFUSED_STREAM, 8 CANCEL, 11 ENHANCE_YOUR_CALM."""


class GoAway(_Document):
    """Say GOAWAY and close once the streams that count are answered."""

    do: Literal["goaway"] = "goaway"
    last_stream: Literal["below", "above"] = "below"
    """`below`: the last stream id is below this request, which is thus not processed. `above`: this one is answered."""
    code: int = Field(default=0, ge=0)
    debug: dict[str, Any] | None = None
    """Debug data as JSON, such as `{"reason": "Shutdown"}`."""
    close: bool = True
    """Close the connection when the answered streams are done."""


class Reset(_Document):
    """TCP RST."""

    do: Literal["reset"] = "reset"


class Close(_Document):
    """Close the connection without a word."""

    do: Literal["close"] = "close"


class HalfOpen(_Document):
    """Stop reading and answering on this connection for ever, PING included."""

    do: Literal["half_open"] = "half_open"


class MaxStreams(_Document):
    """Announce another MAX_CONCURRENT_STREAMS; the request itself is served."""

    do: Literal["max_streams"] = "max_streams"
    limit: int = Field(ge=0, le=1_000_000)


class StallWindow(_Document):
    """Give no more flow-control credit on this connection; the request itself is served."""

    do: Literal["stall_window"] = "stall_window"


What: TypeAlias = Annotated[
    Answer | NoAnswer | RstStream | GoAway | Reset | Close | HalfOpen | MaxStreams | StallWindow,
    Field(discriminator="do"),
]


class Fault(_Document):
    """A scripted fault: the next `count` requests that `match` meet `what`."""

    what: What
    match: Match = Match()
    count: int | None = Field(default=1, ge=1)
    """None: until deleted."""
    skip: int = Field(default=0, ge=0)
    """Let so many matching requests pass first."""
    delay_ms: int = Field(default=0, ge=0)
    """Wait before it happens."""
    deliver: bool = False
    """The push is processed and reaches the phone although the answer is the fault's: a lost answer."""
    now: bool = False
    """For goaway, reset, close, half_open, max_streams and stall_window: do it at once, without waiting for a request,
    to every open connection that `match.provider` and `match.environment` name."""

    @model_validator(mode="after")
    def _now_needs_no_request(self) -> Self:
        if self.now and isinstance(self.what, Answer | NoAnswer | RstStream):
            raise ValueError(f"{self.what.do} needs a request; it cannot be played now")
        return self


class ScriptedFault(_Document):
    """A fault that is in force."""

    id: int
    fault: Fault
    hits: int
    """How many requests it has met."""
    remaining: int | None
    """How many it will still meet; None: any number."""
