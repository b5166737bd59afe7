"""`presence_list` of a Yeastar PBX, read as our settings and written back."""

from typing import Any

import pytest

from gateway.domain.presence import AnySettings, default_settings, parse_settings
from gateway.ingress.yeastar_settings import FIELDS, Dialect, changes_for, settings_from
from tests.support.yeastar_pbx import presence_list

NUMBERS = {"17": "1002", "10": "1001"}
PLAIN = Dialect(numbers=NUMBERS)


def the_row(word: str = "away", **changes: Any) -> dict[str, Any]:
    (row,) = [row for row in presence_list(**{word: changes}) if row["status"] == word]
    return row


def read(
    row: dict[str, Any],
    *,
    status: str = "away",
    dialect: Dialect = PLAIN,
    mobile: str | None = "+4915112345678",
    present: AnySettings | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    before = present or default_settings(status)
    settings, notes = settings_from(row, before, status=status, extension="1001", mobile_number=mobile, dialect=dialect)
    return settings.model_dump(mode="json"), notes


@pytest.mark.parametrize("status", ["available", "away", "do_not_disturb", "off_work"])
def test_the_portals_default_is_our_default(status: str) -> None:
    assert read(the_row(status), status=status) == (default_settings(status).model_dump(mode="json"), ())


VOICEMAIL = {"kind": "voicemail", "value": None, "prefix": ""}


@pytest.mark.parametrize(
    ("changes", "place", "expected"),
    [
        ({"information": "at the dentist"}, ("information",), "at the dentist"),
        ({"ring_timeout": "45"}, ("ring_timeout_seconds",), 45),
        (
            {"enb_ring_mobile": 1, "mobile_prefix": "9"},
            ("ring_mobile_simultaneously",),
            {"enabled": True, "prefix": "9"},
        ),
        ({"dynamic_agent_action": "pause"}, ("agent_status_auto_switch", "action"), "pause"),
        (
            {"enb_ring1_mobile_client": 0, "enb_ring2_mobile_client": 1},
            ("ring_strategy", "ring_secondly"),
            ["mobile_client"],
        ),
        (
            {"enb_ex_always_forward": 1, "ex_always_forward_dest": "extension", "ex_always_forward_value": "17"},
            ("call_forwarding", "external", "always"),
            {"enabled": True, "destination": {"kind": "extension", "value": "1002", "prefix": ""}},
        ),
        (
            {"enb_in_busy_forward": 0},
            ("call_forwarding", "internal", "when_busy"),
            {"enabled": False, "destination": VOICEMAIL},
        ),
    ],
)
def test_each_field_is_read(changes: dict[str, Any], place: tuple[str, ...], expected: Any) -> None:
    found, notes = read(the_row(**changes))
    for name in place:
        found = found[name]
    assert (found, notes) == (expected, ())


@pytest.mark.parametrize(
    ("changes", "place", "expected"),
    [
        ({"ring_timeout": 3}, ("ring_timeout_seconds",), 5),
        ({"ring_timeout": 3000}, ("ring_timeout_seconds",), 300),
        ({"information": "x" * 300}, ("information",), "x" * 256),
        ({"enb_ring2_mobile_client": 1}, ("ring_strategy", "ring_secondly"), []),
        ({"dynamic_agent_action": "login"}, ("agent_status_auto_switch", "action"), "do_nothing"),
        ({"dynamic_agent_action": "dance"}, ("agent_status_auto_switch", "action"), "do_nothing"),
        ({"mobile_prefix": "nine"}, ("ring_mobile_simultaneously", "prefix"), ""),
        (
            {"enb_ex_always_forward": 1, "ex_always_forward_dest": "extension", "ex_always_forward_value": "10"},
            ("call_forwarding", "external", "always", "enabled"),
            False,
        ),
        (
            {"enb_ex_always_forward": 1, "ex_always_forward_dest": "call_flow", "ex_always_forward_value": "3"},
            ("call_forwarding", "external", "always", "destination", "kind"),
            "hang_up",
        ),
    ],
)
def test_what_does_not_fit_is_normalised_and_noted(
    changes: dict[str, Any], place: tuple[str, ...], expected: Any
) -> None:
    found, notes = read(the_row(**changes))
    for name in place:
        found = found[name]
    assert found == expected
    assert len(notes) == 1


def test_without_a_mobile_number_none_is_rung() -> None:
    found, notes = read(the_row(enb_ring_mobile=1), mobile=None)
    assert found["ring_mobile_simultaneously"]["enabled"] is False
    assert len(notes) == 1


def test_second_stage_alone_rings_first() -> None:
    none: dict[str, Any] = {
        f"enb_ring1_{end}": 0 for end in ("endpoints", "mobile_client", "desktop_client", "web_client")
    }
    found, notes = read(the_row(**none, enb_ring2_web_client=1))
    assert found["ring_strategy"] == {"ring_first": ["web_client"], "ring_secondly": []}
    assert len(notes) == 1


def test_what_the_pbx_does_not_send_stays_as_it_is_here() -> None:
    body = {"ring_timeout_seconds": 77, "agent_status_auto_switch": {"action": "pause", "pause_reason": "Lunch"}}
    present = parse_settings("away", body, extension="1001", mobile_number=None)
    found, _ = read({"status": "away"}, present=present)
    assert found == present.model_dump(mode="json")
    found, _ = read({"status": "away", "dynamic_agent_action": "pause"}, present=present)
    assert found["agent_status_auto_switch"]["pause_reason"] == "Lunch"


@pytest.mark.parametrize(("value", "accepts"), [(0, False), ("0", False), (1, True), (True, True)])
def test_the_push_switch_is_read_only_under_its_configured_name(value: Any, accepts: bool) -> None:
    row = the_row(accept_push=value)
    assert read(row)[0]["accept_push_notifications"] is True
    assert read(row, dialect=Dialect(push_field="accept_push"))[0]["accept_push_notifications"] is accepts


def test_names_of_other_firmware_are_configured() -> None:
    row = {"status": "away", "ring_time": 44}
    assert read(row, dialect=Dialect(names={"ring_timeout": "ring_time"}))[0]["ring_timeout_seconds"] == 44
    assert "ring_timeout" in FIELDS


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({}, {}),
        ({"information": "away"}, {"information": "away"}),
        ({"ring_timeout_seconds": 45}, {"ring_timeout": 45}),
        ({"agent_status_auto_switch": {"action": "log_out"}}, {"dynamic_agent_action": "logout"}),
        (
            {"ring_strategy": {"ring_first": ["web_client"], "ring_secondly": ["mobile_client"]}},
            {"enb_ring1_endpoints": 0, "enb_ring1_mobile_client": 0, "enb_ring1_desktop_client": 0}
            | {"enb_ring2_mobile_client": 1},
        ),
        (
            {
                "call_forwarding": {
                    "internal": {"always": {"enabled": True, "destination": {"kind": "extension", "value": "1002"}}}
                }
            },
            {"enb_in_always_forward": 1, "in_always_forward_dest": "extension", "in_always_forward_value": "17"},
        ),
        # A code that this PBX never used is not guessed.
        (
            {
                "call_forwarding": {
                    "internal": {"always": {"enabled": True, "destination": {"kind": "queue", "value": "6400"}}}
                }
            },
            {},
        ),
        ({"accept_push_notifications": False}, {}),
    ],
)
def test_only_what_differs_is_written(body: dict[str, Any], changes: dict[str, Any]) -> None:
    settings = parse_settings("away", body, extension="1001", mobile_number=None)
    assert changes_for(the_row(), settings, dialect=PLAIN) == changes


def test_the_push_switch_is_written_under_its_configured_name() -> None:
    settings = parse_settings("away", {"accept_push_notifications": False}, extension="1001", mobile_number=None)
    assert changes_for(the_row(push=1), settings, dialect=Dialect(push_field="push")) == {"push": 0}
    assert changes_for(the_row(), settings, dialect=Dialect(push_field="push")) == {}


@pytest.mark.parametrize("word", ["available", "away", "do_not_disturb"])
def test_what_was_written_is_read_again_as_it_was_meant(word: str) -> None:
    body: dict[str, Any] = {
        "information": "note",
        "agent_status_auto_switch": {"action": "pause"},
        "call_forwarding": {"external": {"always": {"enabled": True, "destination": {"kind": "ivr", "value": "9"}}}},
    }
    meant = parse_settings(word, body, extension="1001", mobile_number=None)
    row = the_row(word)
    row |= changes_for(row, meant, dialect=PLAIN)
    assert read(row, status=word)[0] == meant.model_dump(mode="json")
    assert PLAIN.fingerprint(row) != PLAIN.fingerprint(the_row(word))
