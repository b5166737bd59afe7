"""What every Yeastar P-Series event has in common: how it is wrapped, and how its `msg` is checked."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import JsonValue, ValidationError

from gateway.domain.errors import InvalidInput, Problem
from gateway.domain.event import Millis
from gateway.domain.validation import problems_of
from gateway.ingress.fields import EXTENSION_PATTERN
from gateway.ingress.times import local_millis
from gateway.ingress.yeastar_models import Message

_EXTENSION = re.compile(EXTENSION_PATTERN)
_IN_BRACKETS = re.compile(r"^[^<>]*<([^<>]*)>$")
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


def called_extension(text: str) -> str | None:
    """The extension that was called: `2002`, or the number in `Bob <2002>`. None: what was called is none (a menu's
    name, nothing at all). That is no error of the PBX: it would repeat what it cannot better."""
    number = _IN_BRACKETS.sub(r"\1", text)
    return number if _EXTENSION.fullmatch(number) else None


def invalid(loc: str, msg: str) -> InvalidInput:
    """One problem as an error."""
    return InvalidInput(Problem(loc=loc, msg=msg))
