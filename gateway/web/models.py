"""Bases of the JSON bodies: what validates a request and what renders an answer also makes the OpenAPI document."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from gateway.domain.event import Millis


class RequestModel(BaseModel):
    """A request body or query: closed, so that a misspelt field is an answer (422) and not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AnswerModel(BaseModel):
    """An answer body."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def json_bytes(self) -> bytes:
        """The body as UTF-8 JSON."""
        return self.__pydantic_serializer__.to_json(self)


def rfc3339(at: Millis) -> str:
    """`1764151200123` is `2025-11-26T10:00:00.123Z`."""
    seconds, rest = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


Timestamp: TypeAlias = Annotated[
    int,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""Milliseconds inside, RFC 3339 in UTC in an answer."""


def is_none(value: Any) -> bool:
    """For `exclude_if`: a part that is not there is left out."""
    return value is None


class ProblemPlace(AnswerModel):
    """One thing wrong with the input."""

    loc: str = Field(description="Place in the input, dotted.", examples=["data.call.id"])
    msg: str = Field(description="What is wrong there.", examples=["Field required"])


class ProblemAnswer(AnswerModel):
    """An error, as RFC 9457 (application/problem+json) has it."""

    type: str = Field(examples=["urn:pbx-push-gateway:problem:invalid-input"])
    title: str = Field(examples=["The input is invalid"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["data.call.id: Field required"])
    errors: tuple[ProblemPlace, ...] | None = Field(default=None, exclude_if=is_none)
