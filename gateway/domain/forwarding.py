"""Call forwarding as a user configures it: per call type and condition, a switch and a destination."""

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationInfo, field_validator


class SettingsModel(BaseModel):
    """Base of the settings objects: closed (an unknown field is an error) and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DestinationKind(StrEnum):
    """Where a forwarded call goes."""

    VOICEMAIL = "voicemail"
    EXTENSION = "extension"
    RING_GROUP = "ring_group"
    QUEUE = "queue"
    IVR = "ivr"
    CONFERENCE = "conference"
    MOBILE_NUMBER = "mobile_number"
    """The mobile number of the profile."""
    EXTERNAL_NUMBER = "external_number"
    PLAY_GREETING = "play_greeting"
    """Play a greeting, then hang up."""
    HANG_UP = "hang_up"


_WITHOUT_VALUE = frozenset({DestinationKind.VOICEMAIL, DestinationKind.MOBILE_NUMBER, DestinationKind.HANG_UP})
_WITH_PREFIX = frozenset({DestinationKind.MOBILE_NUMBER, DestinationKind.EXTERNAL_NUMBER})

DialPrefix: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9*#+]{0,16}$")]
"""Prefix of the outbound route: digits, `*`, `#`, `+`, up to 16."""


class Destination(SettingsModel):
    """Target of a forwarding rule."""

    kind: DestinationKind
    value: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] | None = Field(
        default=None, validate_default=True
    )
    """Number or name of the target; required for every kind but voicemail, mobile_number and hang_up."""
    prefix: DialPrefix = ""
    """Only for mobile_number and external_number."""

    @field_validator("value")
    @classmethod
    def _value_where_the_kind_needs_one(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if not value and kind is not None and kind not in _WITHOUT_VALUE:
            raise ValueError(f"value is required for a destination of kind {kind}")
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix_only_for_numbers(cls, prefix: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if prefix and kind is not None and kind not in _WITH_PREFIX:
            raise ValueError("prefix is only for mobile_number and external_number")
        return prefix


VOICEMAIL = Destination(kind=DestinationKind.VOICEMAIL)


class ForwardingCondition(SettingsModel):
    """One condition's switch and destination; the destination may be null while the switch is off."""

    enabled: StrictBool = False
    destination: Destination | None = Field(default=None, validate_default=True)

    @field_validator("destination")
    @classmethod
    def _destination_when_on(cls, destination: Destination | None, info: ValidationInfo) -> Destination | None:
        if destination is None and info.data.get("enabled"):
            raise ValueError("destination is required while enabled")
        return destination


_TO_VOICEMAIL = ForwardingCondition(enabled=True, destination=VOICEMAIL)


class ForwardingRules(SettingsModel):
    """Forwarding of one call type."""

    always: ForwardingCondition = ForwardingCondition()
    no_answer: ForwardingCondition = _TO_VOICEMAIL
    when_busy: ForwardingCondition = _TO_VOICEMAIL


class CallForwarding(SettingsModel):
    """Forwarding of calls from colleagues and from outside."""

    internal: ForwardingRules = ForwardingRules()
    external: ForwardingRules = ForwardingRules()


class AlwaysForwardingRules(SettingsModel):
    """Do Not Disturb supports only `always`."""

    always: ForwardingCondition = ForwardingCondition()


class AlwaysCallForwarding(SettingsModel):
    """Forwarding in Do Not Disturb."""

    internal: AlwaysForwardingRules = AlwaysForwardingRules()
    external: AlwaysForwardingRules = AlwaysForwardingRules()
