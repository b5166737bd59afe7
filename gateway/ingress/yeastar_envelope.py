"""What every Yeastar P-Series event has in common: how it is wrapped, and how its `msg` is checked."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.domain.errors import InvalidInput, Problem
from gateway.domain.event import Millis
from gateway.domain.validation import problems_of
from gateway.ingress.fields import Extension
from gateway.ingress.times import local_millis
from gateway.ingress.yeastar_models import Message

_EXTENSION: TypeAdapter[str] = TypeAdapter(Extension)
_Model = TypeVar("_Model", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What surrounds `msg`."""

    event_id: int
    serial: str
    """Of the PBX; empty where the event does not carry it."""
    timezone: ZoneInfo

    def identity(self, *parts: str) -> str:
        """What makes an event this one: PBX, event id, and the parts that a repeat has in common with it.

        No part holds a control character, so the line ends keep two lists from reading alike.
        """
        return "\n".join((self.serial, str(self.event_id), *parts))

    def millis(self, local: datetime | None) -> Millis | None:
        """The instant of a wall-clock time of the PBX."""
        return None if local is None else local_millis(local, self.timezone)


def parse(model: type[_Model], message: dict[str, JsonValue]) -> _Model:
    """The `msg` as its model has it; raises `InvalidInput` naming each place below `msg`."""
    try:
        return model.model_validate(message)
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix="msg")) from error


def extension_at(text: str, loc: str) -> str:
    """`text` as an extension; raises `InvalidInput` for the place `loc`."""
    try:
        return _EXTENSION.validate_python(text)
    except ValidationError as error:
        raise InvalidInput(*problems_of(error, prefix=loc)) from error


def invalid(loc: str, msg: str) -> InvalidInput:
    """One problem as an error."""
    return InvalidInput(Problem(loc=loc, msg=msg))
