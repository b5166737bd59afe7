"""The settings of a status: every row of the policy's table, its default, and its bad inputs by the field's name."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.domain.errors import InvalidInput
from gateway.domain.event import Direction
from gateway.domain.forwarding import DestinationKind
from gateway.domain.presence import (
    AnySettings,
    DoNotDisturbSettings,
    Endpoint,
    Profile,
    Status,
    StatusSettings,
    canonical_status,
    default_settings,
    forwards_always,
    parse_settings,
    settings_model,
    settings_status,
)

SETTINGS: TypeAdapter[AnySettings] = TypeAdapter(AnySettings)
ORDINARY = [status.value for status in Status if status is not Status.DO_NOT_DISTURB]
OFF: dict[str, Any] = {"enabled": False, "destination": None}
TO_VOICEMAIL = {"enabled": True, "destination": {"kind": "voicemail", "value": None, "prefix": ""}}
RULES = {"always": OFF, "no_answer": TO_VOICEMAIL, "when_busy": TO_VOICEMAIL}
ALL = ["extension_endpoint", "mobile_client", "desktop_client", "web_client"]


def _parse(body: dict[str, Any], *, status: str = "away", mobile_number: str | None = "+49151") -> AnySettings:
    return parse_settings(status, body, extension="1001", mobile_number=mobile_number)


def _refused(body: dict[str, Any], *, status: str = "away", mobile_number: str | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as refusal:
        _parse(body, status=status, mobile_number=mobile_number)
    return [problem.loc for problem in refusal.value.problems]


@pytest.mark.parametrize("status", [*ORDINARY, "training"])
def test_an_empty_object_takes_the_policys_defaults(status: str) -> None:
    assert json.loads(_parse({}, status=status).model_dump_json()) == {
        "information": "",
        "call_forwarding": {"internal": RULES, "external": RULES},
        "ring_strategy": {"ring_first": ALL, "ring_secondly": []},
        "ring_timeout_seconds": 30,
        "ring_mobile_simultaneously": {"enabled": False, "prefix": ""},
        "accept_push_notifications": True,
        "agent_status_auto_switch": {"action": "do_nothing", "pause_reason": None},
    }
    assert _parse({}, status=status) == default_settings(status)


def test_do_not_disturb_has_no_ring_settings_and_forwards_only_always() -> None:
    assert json.loads(_parse({}, status="do_not_disturb").model_dump_json()) == {
        "information": "",
        "call_forwarding": {"internal": {"always": OFF}, "external": {"always": OFF}},
        "accept_push_notifications": True,
        "agent_status_auto_switch": {"action": "do_nothing", "pause_reason": None},
    }
    assert _parse({}, status="do_not_disturb") == default_settings("do_not_disturb")


def _forward(destination: dict[str, Any] | None, *, enabled: bool = True) -> dict[str, Any]:
    return {"call_forwarding": {"external": {"always": {"enabled": enabled, "destination": destination}}}}


ACCEPTED: dict[str, dict[str, Any]] = {
    "information of 256 characters": {"information": "ü" * 256},
    "the shortest ring timeout": {"ring_timeout_seconds": 5},
    "the longest ring timeout": {"ring_timeout_seconds": 300},
    "two stages": {"ring_strategy": {"ring_first": ["web_client"], "ring_secondly": ["mobile_client"]}},
    "nothing rings": {"ring_strategy": {"ring_first": [], "ring_secondly": []}},
    "the mobile number rings too": {"ring_mobile_simultaneously": {"enabled": True, "prefix": "*#+0123456789012"}},
    "no push": {"accept_push_notifications": False},
    "pause with a reason": {"agent_status_auto_switch": {"action": "pause", "pause_reason": "lunch"}},
    "pause without a reason": {"agent_status_auto_switch": {"action": "pause"}},
    "log out": {"agent_status_auto_switch": {"action": "log_out"}},
    "to a colleague": _forward({"kind": "extension", "value": "1002"}),
    "to the own mobile number": _forward({"kind": "mobile_number", "prefix": "0"}),
    "to another number": _forward({"kind": "external_number", "value": "030123", "prefix": "0"}),
    "hang up": _forward({"kind": "hang_up"}),
    "off without a destination": _forward(None, enabled=False),
    "off with a destination": _forward({"kind": "queue", "value": "6400"}, enabled=False),
}


@pytest.mark.parametrize("row", ACCEPTED)
def test_is_accepted(row: str) -> None:
    stored = SETTINGS.dump_json(_parse(ACCEPTED[row]))
    assert SETTINGS.validate_json(stored) == _parse(ACCEPTED[row])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a ring timeout of 4": ({"ring_timeout_seconds": 4}, "ring_timeout_seconds"),
    "a ring timeout of 301": ({"ring_timeout_seconds": 301}, "ring_timeout_seconds"),
    "a ring timeout as text": ({"ring_timeout_seconds": "30"}, "ring_timeout_seconds"),
    "a ring timeout as a fraction": ({"ring_timeout_seconds": 30.0}, "ring_timeout_seconds"),
    "a ring timeout as a switch": ({"ring_timeout_seconds": True}, "ring_timeout_seconds"),
    "a ring timeout of nothing": ({"ring_timeout_seconds": None}, "ring_timeout_seconds"),
    "log_in outside available": ({"agent_status_auto_switch": {"action": "log_in"}}, "agent_status_auto_switch.action"),
    "an unknown action": ({"agent_status_auto_switch": {"action": "sleep"}}, "agent_status_auto_switch.action"),
    "an unknown action with a reason": (
        {"agent_status_auto_switch": {"action": "sleep", "pause_reason": "x"}},
        "agent_status_auto_switch.action",
    ),
    "a pause reason without pause": (
        {"agent_status_auto_switch": {"action": "log_out", "pause_reason": "lunch"}},
        "agent_status_auto_switch.pause_reason",
    ),
    "an endpoint in both stages": (
        {"ring_strategy": {"ring_first": ["mobile_client"], "ring_secondly": ["mobile_client"]}},
        "ring_strategy.ring_secondly",
    ),
    "an endpoint that is first by default": (
        {"ring_strategy": {"ring_secondly": ["mobile_client"]}},
        "ring_strategy.ring_secondly",
    ),
    "a second stage without a first": (
        {"ring_strategy": {"ring_first": [], "ring_secondly": ["mobile_client"]}},
        "ring_strategy.ring_secondly",
    ),
    "an endpoint twice": (
        {"ring_strategy": {"ring_first": ["mobile_client", "mobile_client"], "ring_secondly": ["web_client"]}},
        "ring_strategy.ring_first",
    ),
    "an unknown endpoint": ({"ring_strategy": {"ring_first": ["fax"]}}, "ring_strategy.ring_first.0"),
    "forwarding to itself": (
        _forward({"kind": "extension", "value": "1001"}),
        "call_forwarding.external.always.destination.value",
    ),
    "forwarding to itself while off": (
        _forward({"kind": "extension", "value": " 1001 "}, enabled=False),
        "call_forwarding.external.always.destination.value",
    ),
    "forwarding to nowhere": (_forward(None), "call_forwarding.external.always.destination"),
    "forwarding without a destination": (
        {"call_forwarding": {"internal": {"no_answer": {"enabled": True}}}},
        "call_forwarding.internal.no_answer.destination",
    ),
    "an unknown kind of destination": (
        _forward({"kind": "moon", "value": "1", "prefix": "0"}),
        "call_forwarding.external.always.destination.kind",
    ),
    "a prefix before a queue": (
        _forward({"kind": "queue", "value": "6400", "prefix": "0"}),
        "call_forwarding.external.always.destination.prefix",
    ),
    "a prefix of letters": (
        _forward({"kind": "external_number", "value": "1", "prefix": "x"}),
        "call_forwarding.external.always.destination.prefix",
    ),
    "a switch as text": (
        {"call_forwarding": {"external": {"always": {"enabled": "yes"}}}},
        "call_forwarding.external.always.enabled",
    ),
    "ringing a mobile number that is not there": (
        {"ring_mobile_simultaneously": {"enabled": True}},
        "ring_mobile_simultaneously.enabled",
    ),
    "a prefix of 17 signs": (
        {"ring_mobile_simultaneously": {"prefix": "0" * 17}},
        "ring_mobile_simultaneously.prefix",
    ),
    "information of 257 characters": ({"information": "x" * 257}, "information"),
    "information that is no text": ({"information": 7}, "information"),
    "accept push as text": ({"accept_push_notifications": "true"}, "accept_push_notifications"),
    "accept push as a number": ({"accept_push_notifications": 1}, "accept_push_notifications"),
    "an unknown field": ({"ring_loudly": True}, "ring_loudly"),
    "an unknown field inside": ({"ring_strategy": {"ring_thirdly": []}}, "ring_strategy.ring_thirdly"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_is_refused_by_name(row: str) -> None:
    body, loc = REFUSED[row]
    assert _refused(body) == [loc]


@pytest.mark.parametrize(
    "kind", [kind for kind in DestinationKind if kind not in ("voicemail", "mobile_number", "hang_up")]
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_destination_that_needs_a_value_is_refused_without(kind: str, value: str | None) -> None:
    place = "call_forwarding.external.always.destination.value"
    assert _refused(_forward({"kind": kind, "value": value})) == [place]
    assert _refused(_forward({"kind": kind})) == [place]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"ring_strategy": {}}, "ring_strategy"),
        ({"ring_timeout_seconds": 30}, "ring_timeout_seconds"),
        ({"ring_mobile_simultaneously": {}}, "ring_mobile_simultaneously"),
        ({"call_forwarding": {"internal": {"no_answer": OFF}}}, "call_forwarding.internal.no_answer"),
        ({"call_forwarding": {"external": {"when_busy": OFF}}}, "call_forwarding.external.when_busy"),
    ],
)
def test_do_not_disturb_refuses_what_it_does_not_have(body: dict[str, Any], loc: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        _parse(body, status="do_not_disturb")
    assert [(problem.loc, problem.msg) for problem in refusal.value.problems] == [
        (loc, "not available in do_not_disturb")
    ]


def test_do_not_disturb_calls_an_unknown_field_unknown() -> None:
    with pytest.raises(InvalidInput, match="ring_loudly: Extra inputs are not permitted"):
        _parse({"ring_loudly": 1}, status="do_not_disturb")


@pytest.mark.parametrize("status", ["do_not_disturb", *ORDINARY, "training"])
def test_log_in_is_only_in_available(status: str) -> None:
    body = {"agent_status_auto_switch": {"action": "log_in"}}
    if status == "available":
        assert _parse(body, status=status).agent_status_auto_switch.action == "log_in"
    else:
        assert _refused(body, status=status) == ["agent_status_auto_switch.action"]


def test_forwarding_to_itself_is_refused_in_do_not_disturb_too() -> None:
    place = "call_forwarding.external.always.destination.value"
    assert _refused(_forward({"kind": "extension", "value": "1001"}), status="do_not_disturb") == [place]


def test_every_problem_is_told_at_once() -> None:
    body = {"ring_timeout_seconds": 4, "information": "x" * 257, "accept_push_notifications": 1}
    assert set(_refused(body)) == {"ring_timeout_seconds", "information", "accept_push_notifications"}
    body = {
        "agent_status_auto_switch": {"action": "log_in"},
        "ring_mobile_simultaneously": {"enabled": True},
    }
    assert set(_refused(body)) == {"agent_status_auto_switch.action", "ring_mobile_simultaneously.enabled"}


def test_the_order_of_endpoints_says_nothing() -> None:
    one = StatusSettings.model_validate({"ring_strategy": {"ring_first": ["web_client", "mobile_client"]}})
    assert one.ring_strategy.ring_first == (Endpoint.MOBILE_CLIENT, Endpoint.WEB_CLIENT)


def test_stored_settings_are_read_as_what_they_were() -> None:
    for settings in (StatusSettings(), DoNotDisturbSettings()):
        assert type(SETTINGS.validate_json(SETTINGS.dump_json(settings))) is type(settings)
        assert type(SETTINGS.validate_python(settings)) is type(settings)


@pytest.mark.parametrize("direction", list(Direction))
def test_inbound_calls_follow_the_external_rules(direction: Direction) -> None:
    settings = _parse(_forward({"kind": "voicemail"}))
    assert forwards_always(settings, direction) is (direction is Direction.INBOUND)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("lunch", "lunch_break"),
        ("launch", "lunch_break"),
        ("dnd", "do_not_disturb"),
        ("DND", "do_not_disturb"),
        ("Do Not Disturb", "do_not_disturb"),
        ("business-trip", "business_trip"),
        (" off_work ", "off_work"),
        ("Gone Fishing", "Gone Fishing"),
    ],
)
def test_a_status_is_known_by_its_aliases_and_spellings(raw: str, status: str) -> None:
    assert canonical_status(raw) == status


def test_an_undeclared_status_uses_the_settings_of_available() -> None:
    assert settings_status("training", ()) == "available"
    assert settings_status("training", ("training",)) == "training"
    assert settings_status("away", ()) == "away"
    assert settings_model("training") is StatusSettings
    assert settings_model("do_not_disturb") is DoNotDisturbSettings


@pytest.mark.parametrize("timezone", ["Europe/Berlin", None])
def test_a_profile_takes_a_time_zone(timezone: str | None) -> None:
    assert Profile(timezone=timezone).timezone == timezone


@pytest.mark.parametrize("timezone", ["Moon/Base", "../etc/passwd", ""])
def test_a_profile_refuses_what_is_no_time_zone(timezone: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        Profile(timezone=timezone)
