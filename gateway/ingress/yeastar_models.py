"""The `msg` of Yeastar P-Series events, as the developer guide documents them and as PBXs really send them.

Every text is stripped (an empty value may be written as one blank), a number may stand where a text is documented and
the other way round, words compare without regard to case, and older spellings are known. Fields that no verdict
depends on are not read at all, and unknown ones are ignored: firmware adds them. "Event 300xx" is that of the Yeastar
P-Series developer guide.
"""

import re
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from gateway.ingress.fields import Extension, Identifier, Number
from gateway.ingress.times import local_time

_Words = TypeVar("_Words", bound=StrEnum)
_NUMBER = re.compile(r"[0-9]{1,9}")


def _text(value: object) -> object:
    """Stripped text; a number as its digits, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _number(value: object) -> object:
    """A count from a number or from digits; a blank is nothing, and nothing is 0."""
    text = _text(value)
    if text == "":
        return 0
    return int(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else value


class CallStatus(StrEnum):
    """How a call ended (30012, 30039)."""

    ANSWERED = "ANSWERED"
    NO_ANSWER = "NO ANSWER"
    BUSY = "BUSY"
    VOICEMAIL = "VOICEMAIL"
    """Not answered, and a new message was left."""
    ABANDONED = "ABANDONED"
    """The caller hung up first. Documented for 30039 only, taken in 30012 too."""
    FAILED = "FAILED"
    """As ABANDONED."""


class CallType(StrEnum):
    """Between whom a call was."""

    INTERNAL = "INTERNAL"
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


_SPELLINGS = {"ANSWERD": "ANSWERED", "NO ANSWERED": "NO ANSWER", "NOANSWER": "NO ANSWER"}
"""Other editions of the page, and the legacy Cloud and K2 series."""


def _word(words: type[_Words], value: object) -> _Words:
    text = _text(value)
    folded = " ".join(text.upper().replace("_", " ").split()) if isinstance(text, str) else ""
    try:
        return words(_SPELLINGS.get(folded, folded))
    except ValueError as error:
        raise ValueError(f"not one of {', '.join(words)}") from error


def _queue(text: str) -> str:
    return text[len(QUEUE_PREFIX) :].strip() if text.lower().startswith(QUEUE_PREFIX) else text


QUEUE_PREFIX = "queue-"
"""30029's example says `queue-6402` where 30025 and 30026 say `6402`."""

_Text: TypeAlias = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=1024)]
_Name: TypeAlias = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=1024)]
_Extension: TypeAlias = Annotated[Extension, BeforeValidator(_text)]
_Id: TypeAlias = Annotated[Identifier, BeforeValidator(_text)]
OptionalId: TypeAlias = Annotated[
    str, BeforeValidator(_text), StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{0,256}$")
]
_Number: TypeAlias = Annotated[Number, BeforeValidator(_text)]
_Queue: TypeAlias = Annotated[_Name, AfterValidator(_queue)]
_Seconds: TypeAlias = Annotated[int, BeforeValidator(_number), Field(ge=0, le=999_999_999)]
_Status: TypeAlias = Annotated[CallStatus, BeforeValidator(partial(_word, CallStatus))]
_Type: TypeAlias = Annotated[CallType, BeforeValidator(partial(_word, CallType))]
_Member: TypeAlias = Annotated[OptionalId, AfterValidator(str.upper)]


def _local_time(value: object) -> object:
    text = _text(value)
    return local_time(text) if isinstance(text, str) else value


class Message(BaseModel):
    """Base of the `msg` objects."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Registration(Message):
    """Event 30007: an endpoint of an extension registered or unregistered."""

    extension: _Extension
    kind: _Name
    status: _Name


class ExtensionCallState(Message):
    """Event 30008: an extension is ringing, busy or idle."""

    extension: _Extension
    status: _Name


class PresenceStatus(Message):
    """Event 30009: an extension's presence status was set."""

    extension: _Extension
    status: Annotated[Identifier, BeforeValidator(_text), StringConstraints(max_length=64)]


class ExtensionLeg(Message):
    """A member of a call: one of our extensions."""

    number: _Extension
    member_status: _Member
    call_path: _Text = ""
    """Filled only when the call went through an IVR, call flow, queue, ring group, paging or conference."""


class TrunkLeg(Message):
    """A member of a call: somebody outside, through a trunk."""

    from_: Annotated[_Number, Field(alias="from")] = ""
    to: _Text = ""
    member_status: _Member = ""
    call_path: _Text = ""


class CallMember(Message):
    """One element of `members`: it has one of the keys; one of another kind has none of them."""

    extension: ExtensionLeg | None = None
    inbound: TrunkLeg | None = None
    outbound: TrunkLeg | None = None


class CallMembers(Message):
    """Events 30011, 30014, 30016: who takes part in a call, and what each is doing."""

    call_id: _Id
    members: tuple[CallMember, ...] = Field(strict=False)


class CallDetails(Message):
    """Event 30012: a call is over."""

    call_id: _Id
    time_start: Annotated[datetime | None, BeforeValidator(_local_time)] = None
    call_from: _Number = ""
    call_to: _Text
    call_duration: _Seconds = 0
    talk_duration: _Seconds = 0
    status: _Status
    type: _Type
    uid: OptionalId = ""
    """Id of the record, in newer firmware; also an id of the voicemail that was left."""


class ExtensionChanged(Message):
    """Event 30022: an extension was created, changed or deleted; not what changed."""

    ext_number: _Extension
    option: _Name


class QueueCall(Message):
    """A call that an agent let ring."""

    call_id: _Id
    caller_number: _Number = ""


class AgentPaused(Message):
    """Event 30025: an agent was paused for the calls that it let ring."""

    queue_number: _Queue
    agent_number: _Extension
    calls: tuple[QueueCall, ...] = Field(default=(), strict=False)


class AgentRingTimeout(QueueCall):
    """Event 30026: an agent let a queue's call ring."""

    queue_number: _Queue
    agent_number: _Extension


class AgentStatus(Message):
    """Event 30029: an agent logged in, logged out, paused or resumed."""

    queue_number: _Queue
    agent_number: _Extension
    status: _Name


class TimelineLeg(Message):
    """Event 30039: one leg of a call that is over."""

    uid: _Id
    """Of the call."""
    cdr_id: OptionalId = ""
    """Of the leg."""
    call_from: _Number = ""
    call_to: _Text = ""
    call_type: _Type
    status: _Status
    time_start: Annotated[datetime | None, BeforeValidator(_local_time)] = None
    talk_duration: _Seconds = 0
    call_duration: _Seconds = 0
