"""Presence statuses and the settings of each, as a user configures them.

The words and the rules are those of Yeastar's "Configure Presence Settings" page; `docs/presence.md` has the
table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    Discriminator,
    Field,
    StrictBool,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway.domain.errors import InvalidInput, Problem
from gateway.domain.event import Direction, Millis
from gateway.domain.forwarding import (
    AlwaysCallForwarding,
    AlwaysForwardingRules,
    CallForwarding,
    DestinationKind,
    DialPrefix,
    ForwardingRules,
    SettingsModel,
)
from gateway.domain.validation import problems_of


class Status(StrEnum):
    """The six presence statuses. A tenant may declare more by name."""

    AVAILABLE = "available"
    AWAY = "away"
    BUSINESS_TRIP = "business_trip"
    DO_NOT_DISTURB = "do_not_disturb"
    LUNCH_BREAK = "lunch_break"
    OFF_WORK = "off_work"


STATUSES = frozenset(status.value for status in Status)

_ALIASES = {"lunch": Status.LUNCH_BREAK, "launch": Status.LUNCH_BREAK, "dnd": Status.DO_NOT_DISTURB}
"""Yeastar's events say `lunch`, its web portal `launch` (sic)."""


def canonical_status(raw: str) -> str:
    """The status meant by what a PBX or an app wrote; an unknown word stays as it came, stripped."""
    word = raw.strip()
    folded = word.lower().replace(" ", "_").replace("-", "_")
    if folded in _ALIASES:
        return _ALIASES[folded].value
    return folded if folded in STATUSES else word


class Endpoint(StrEnum):
    """Where an extension can be registered."""

    EXTENSION_ENDPOINT = "extension_endpoint"
    """IP phone, analog phone or softphone."""
    MOBILE_CLIENT = "mobile_client"
    DESKTOP_CLIENT = "desktop_client"
    WEB_CLIENT = "web_client"


Endpoints: TypeAlias = tuple[Endpoint, ...]


class RingStrategy(SettingsModel):
    """Which endpoints ring first, and which when the first do not answer."""

    ring_first: Endpoints = tuple(Endpoint)
    ring_secondly: Endpoints = ()

    @field_validator("ring_first", "ring_secondly")
    @classmethod
    def _is_a_set(cls, value: Endpoints) -> Endpoints:
        if len(set(value)) != len(value):
            raise ValueError("an endpoint is named twice")
        return tuple(endpoint for endpoint in Endpoint if endpoint in value)

    @field_validator("ring_secondly")
    @classmethod
    def _stages_are_disjoint(cls, ring_secondly: Endpoints, info: ValidationInfo) -> Endpoints:
        ring_first = info.data.get("ring_first")
        if ring_first is None:
            return ring_secondly
        both = [endpoint for endpoint in ring_secondly if endpoint in ring_first]
        if both:
            raise ValueError(f"{', '.join(both)} is in ring_first too")
        if ring_secondly and not ring_first:
            raise ValueError("ring_secondly needs a ring_first")
        return ring_secondly


class RingMobileSimultaneously(SettingsModel):
    """Ring the profile's mobile number together with the extension."""

    enabled: StrictBool = False
    prefix: DialPrefix = ""


class AgentAction(StrEnum):
    """What becomes of a dynamic queue agent when the status begins."""

    LOG_IN = "log_in"
    """Only in `available`."""
    LOG_OUT = "log_out"
    PAUSE = "pause"
    DO_NOTHING = "do_nothing"


class AgentStatusAutoSwitch(SettingsModel):
    """Automatic queue agent status."""

    action: AgentAction = AgentAction.DO_NOTHING
    pause_reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)] | None = None

    @field_validator("pause_reason")
    @classmethod
    def _reason_only_with_pause(cls, pause_reason: str | None, info: ValidationInfo) -> str | None:
        if pause_reason is not None and info.data.get("action", AgentAction.PAUSE) is not AgentAction.PAUSE:
            raise ValueError("pause_reason is only for the action pause")
        return pause_reason


Information: TypeAlias = Annotated[str, StringConstraints(max_length=256)]
"""The note beside a status, shown to colleagues."""


class StatusSettings(SettingsModel):
    """Settings of every status but Do Not Disturb."""

    information: Information = ""
    call_forwarding: CallForwarding = CallForwarding()
    ring_strategy: RingStrategy = RingStrategy()
    ring_timeout_seconds: Annotated[int, Field(ge=5, le=300, strict=True)] = 30
    """Unanswered for so long, the call goes to the destination of `no_answer`."""
    ring_mobile_simultaneously: RingMobileSimultaneously = RingMobileSimultaneously()
    accept_push_notifications: StrictBool = True
    agent_status_auto_switch: AgentStatusAutoSwitch = AgentStatusAutoSwitch()


class DoNotDisturbSettings(SettingsModel):
    """Settings of Do Not Disturb: no ring strategy, ring timeout or mobile number; forwarding only `always`."""

    information: Information = ""
    call_forwarding: AlwaysCallForwarding = AlwaysCallForwarding()
    accept_push_notifications: StrictBool = True
    agent_status_auto_switch: AgentStatusAutoSwitch = AgentStatusAutoSwitch()


def _settings_tag(value: Any) -> str:
    if isinstance(value, Mapping):
        return "status" if "ring_timeout_seconds" in value else "do_not_disturb"
    return "do_not_disturb" if isinstance(value, DoNotDisturbSettings) else "status"


AnySettings: TypeAlias = Annotated[
    Annotated[StatusSettings, Tag("status")] | Annotated[DoNotDisturbSettings, Tag("do_not_disturb")],
    Discriminator(_settings_tag),
]
"""Settings of any status. Stored whole, so that the ring timeout tells which of the two a document is."""


def forwards_always(settings: AnySettings, direction: Direction) -> bool:
    """Whether the `always` forwarding is on for calls of this direction (`inbound` is `external`)."""
    rules = settings.call_forwarding.internal if direction is Direction.INTERNAL else settings.call_forwarding.external
    return rules.always.enabled


class Profile(SettingsModel):
    """What belongs to the extension in every status."""

    mobile_number: Annotated[str, StringConstraints(pattern=r"^\+?[0-9*#]{1,31}$")] | None = None
    timezone: str | None = None
    """IANA name; None: the tenant's."""
    queues: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z*#_-]{1,32}$")], ...] = Field(
        default=(), max_length=64
    )
    """Numbers of the queues whose agent status follows the presence."""
    vip_callers: tuple[Annotated[str, StringConstraints(pattern=r"^\+?[0-9*#]{1,31}$")], ...] = Field(
        default=(), max_length=256
    )
    """Numbers that pass the push switch and the ring strategy while `policy.bypass.vip` is on."""
    source: str | None = None
    """Which PBX the extension lives on, when the tenant has several."""

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError("not an IANA time zone") from error
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """An extension's current status."""

    status: str = Status.AVAILABLE
    """One of `Status`, a declared custom status, or an undeclared word from a PBX, as it came."""
    information: str | None = None
    """Note set together with the status; None: the note of the status's settings."""
    since: Millis = 0
    """0: never set."""
    set_by: str = "default"
    """`default`, `app`, `api:<key name>`, `admin:<key name>` or `pbx:<source>`."""


def settings_status(status: str, custom_statuses: tuple[str, ...]) -> str:
    """The status whose settings apply: an undeclared one uses those of `available`."""
    return status if status in STATUSES or status in custom_statuses else Status.AVAILABLE.value


def default_settings(status: str) -> AnySettings:
    """What applies while nothing was stored for `status`."""
    return DoNotDisturbSettings() if status == Status.DO_NOT_DISTURB else StatusSettings()


def settings_model(status: str) -> type[StatusSettings] | type[DoNotDisturbSettings]:
    """The model that the settings of `status` have to satisfy."""
    return DoNotDisturbSettings if status == Status.DO_NOT_DISTURB else StatusSettings


def parse_settings(status: str, body: Mapping[str, Any], *, extension: str, mobile_number: str | None) -> AnySettings:
    """The settings of `status` from a JSON object, absent fields at their defaults.

    Raises `InvalidInput` naming each field: unknown or not in this status, wrong type, out of range, and what one
    field alone cannot show: `log_in` outside `available`, forwarding to the extension itself, ringing a mobile
    number that the profile does not have.
    """
    try:
        settings = settings_model(status).model_validate(body)
    except ValidationError as error:
        raise InvalidInput(*(_with_status(problem, status) for problem in problems_of(error))) from error
    problems = tuple(_cross_checks(status, settings, extension, mobile_number))
    if problems:
        raise InvalidInput(*problems)
    return settings


_NOT_IN_DO_NOT_DISTURB = frozenset(
    {*StatusSettings.model_fields, *ForwardingRules.model_fields}
    - {*DoNotDisturbSettings.model_fields, *AlwaysForwardingRules.model_fields}
)


def _with_status(problem: Problem, status: str) -> Problem:
    if status == Status.DO_NOT_DISTURB and problem.loc.rpartition(".")[2] in _NOT_IN_DO_NOT_DISTURB:
        return Problem(loc=problem.loc, msg="not available in do_not_disturb")
    return problem


def _cross_checks(status: str, settings: AnySettings, extension: str, mobile_number: str | None) -> list[Problem]:
    problems = []
    if settings.agent_status_auto_switch.action is AgentAction.LOG_IN and status != Status.AVAILABLE:
        problems.append(Problem(loc="agent_status_auto_switch.action", msg="log_in is only available in available"))
    for direction in ("internal", "external"):
        rules = getattr(settings.call_forwarding, direction)
        for condition in type(rules).model_fields:
            target = getattr(rules, condition).destination
            place = f"call_forwarding.{direction}.{condition}.destination"
            if target is None:
                continue
            if target.kind is DestinationKind.EXTENSION and target.value == extension:
                problems.append(Problem(loc=f"{place}.value", msg="an extension cannot be forwarded to itself"))
    if isinstance(settings, StatusSettings) and settings.ring_mobile_simultaneously.enabled and not mobile_number:
        problems.append(
            Problem(loc="ring_mobile_simultaneously.enabled", msg="needs the profile's mobile_number to be set")
        )
    return problems
