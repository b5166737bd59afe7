"""Yeastar's `presence_list` and our settings of a status, each read as the other. Pure.

The field names are those seen in request bodies of the P-Series web portal; the developer guide's own table was not to
be had, and firmware differs. So every name can be replaced (`presence_fields`), a field that a PBX does not send
changes nothing here, and only fields that it sends are written back.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

from gateway.domain.forwarding import DestinationKind
from gateway.domain.presence import AgentAction, AnySettings, Endpoint, Status, parse_settings

Row: TypeAlias = Mapping[str, JsonValue]

CALL_TYPES = {"internal": "in", "external": "ex"}
CONDITIONS = {"always": "always", "no_answer": "no_answer", "when_busy": "busy"}
ENDPOINTS = {
    Endpoint.EXTENSION_ENDPOINT: "endpoints",
    Endpoint.MOBILE_CLIENT: "mobile_client",
    Endpoint.DESKTOP_CLIENT: "desktop_client",
    Endpoint.WEB_CLIENT: "web_client",
}
STAGES = {"ring_first": "ring1", "ring_secondly": "ring2"}
AGENT_ACTIONS = {
    "login": AgentAction.LOG_IN,
    "logout": AgentAction.LOG_OUT,
    "pause": AgentAction.PAUSE,
    "no_action": AgentAction.DO_NOTHING,
}
KINDS = {
    "ext_vm": DestinationKind.VOICEMAIL,
    "extension": DestinationKind.EXTENSION,
    "ivr": DestinationKind.IVR,
    "play_greeting": DestinationKind.PLAY_GREETING,
    # Not seen on a PBX, and read only: a code is written back where the PBX itself used it.
    "voicemail": DestinationKind.VOICEMAIL,
    "ring_group": DestinationKind.RING_GROUP,
    "queue": DestinationKind.QUEUE,
    "conference": DestinationKind.CONFERENCE,
    "mobile_number": DestinationKind.MOBILE_NUMBER,
    "external_number": DestinationKind.EXTERNAL_NUMBER,
    "hang_up": DestinationKind.HANG_UP,
}
CODES = {KINDS[code]: code for code in ("ext_vm", "extension", "ivr", "play_greeting")}

FIELDS = frozenset(
    {
        "information",
        "ring_timeout",
        "enb_ring_mobile",
        "mobile_prefix",
        "dynamic_agent_action",
        *(f"enb_{stage}_{end}" for stage in STAGES.values() for end in ENDPOINTS.values()),
        *(f"enb_{way}_{when}_forward" for way in CALL_TYPES.values() for when in CONDITIONS.values()),
        *(
            f"{way}_{when}_forward_{part}"
            for way in CALL_TYPES.values()
            for when in CONDITIONS.values()
            for part in ("dest", "value", "prefix", "num")
        ),
    }
)
"""Names that `presence_fields` may replace."""

_PREFIX = re.compile(r"[0-9*#+]{0,16}")
_SWITCH = {"0": False, "1": True, "false": False, "true": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one PBX writes a `presence_list`."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Names of its firmware by ours, where they differ."""
    push_field: str | None = None
    """Its name of Accept Push Notifications; None: not synchronised."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """Numbers of its extensions by id."""

    def name(self, ours: str) -> str:
        """The firmware's name of a field."""
        return self.names.get(ours, ours)

    def text(self, row: Row, ours: str) -> str | None:
        """A field as stripped text; None: the PBX does not send it."""
        value = row.get(self.name(ours))
        if isinstance(value, bool):
            return str(int(value))
        return str(value).strip() if isinstance(value, (str, int)) else None

    def switch(self, row: Row, ours: str) -> bool | None:
        """A field that is 0 or 1; None: it is not sent, or neither."""
        text = self.text(row, ours)
        return None if text is None else _SWITCH.get(text.lower())

    def fingerprint(self, row: Row) -> str:
        """The same for rows that say the same about what is synchronised."""
        names = sorted(FIELDS) + ([self.push_field] if self.push_field else [])
        return fingerprint({name: self.text(row, name) for name in names})


@dataclass(slots=True)
class _Notes:
    """What had to be changed to fit this extension."""

    extension: str
    notes: list[str] = field(default_factory=list)

    def add(self, note: str) -> None:
        self.notes.append(note)


def settings_from(
    row: Row, present: AnySettings, *, status: str, extension: str, mobile_number: str | None, dialect: Dialect
) -> tuple[AnySettings, tuple[str, ...]]:
    """The settings of `status` as the PBX has them, normalised (POLICY 2), and what was changed to that end.

    What the PBX does not send stays as in `present`. Notes hold names of fields, never values.
    """
    notes = _Notes(extension)
    body = present.model_dump(mode="json")
    _information(body, row, dialect, notes)
    body["call_forwarding"] = _forwarding(body["call_forwarding"], row, dialect, notes)
    _agent(body, row, dialect, status, notes)
    if dialect.push_field is not None and (accepts := dialect.switch(row, dialect.push_field)) is not None:
        body["accept_push_notifications"] = accepts
    if status != Status.DO_NOT_DISTURB:
        body["ring_strategy"] = _ring_strategy(body["ring_strategy"], row, dialect, notes)
        _ring_timeout(body, row, dialect, notes)
        _ring_mobile(body, row, dialect, mobile_number, notes)
    settings = parse_settings(status, body, extension=extension, mobile_number=mobile_number)
    return settings, tuple(notes.notes)


def _information(body: dict[str, JsonValue], row: Row, dialect: Dialect, notes: _Notes) -> None:
    text = dialect.text(row, "information")
    if text is None:
        return
    if len(text) > 256:
        notes.add("information: cut at 256 characters")
    body["information"] = text[:256]


def _agent(body: dict[str, JsonValue], row: Row, dialect: Dialect, status: str, notes: _Notes) -> None:
    text = dialect.text(row, "dynamic_agent_action")
    action = AGENT_ACTIONS.get((text or "").lower())
    if action is None:
        if text:
            notes.add("dynamic_agent_action: unknown, left as it was")
        return
    if action is AgentAction.LOG_IN and status != Status.AVAILABLE:
        notes.add("dynamic_agent_action: login only in available")
        action = AgentAction.DO_NOTHING
    before = body["agent_status_auto_switch"]
    # The PBX has no field for the reason that we know of: the one that stands here stays.
    reason = before.get("pause_reason") if isinstance(before, dict) and action is AgentAction.PAUSE else None
    body["agent_status_auto_switch"] = {"action": action.value, "pause_reason": reason}


def _ring_strategy(before: Mapping[str, list[str]], row: Row, dialect: Dialect, notes: _Notes) -> JsonValue:
    stages: dict[str, list[str]] = {}
    for stage, theirs in STAGES.items():
        said = {end: dialect.switch(row, f"enb_{theirs}_{name}") for end, name in ENDPOINTS.items()}
        stages[stage] = [end for end, on in said.items() if (end in before[stage] if on is None else on)]
    first, second = stages["ring_first"], stages["ring_secondly"]
    if set(first) & set(second):
        notes.add("ring_secondly: what is in ring_first too is left out")
        second = [end for end in second if end not in first]
    if second and not first:
        notes.add("ring_secondly: it rings first, for nothing else does")
        first, second = second, []
    return {"ring_first": [*first], "ring_secondly": [*second]}


def _ring_timeout(body: dict[str, JsonValue], row: Row, dialect: Dialect, notes: _Notes) -> None:
    text = dialect.text(row, "ring_timeout")
    if text is None or not re.fullmatch(r"-?[0-9]{1,9}", text):
        return
    seconds = min(300, max(5, int(text)))
    if seconds != int(text):
        notes.add("ring_timeout: clamped to 5..300")
    body["ring_timeout_seconds"] = seconds


def _ring_mobile(
    body: dict[str, JsonValue], row: Row, dialect: Dialect, mobile_number: str | None, notes: _Notes
) -> None:
    before = body["ring_mobile_simultaneously"]
    mobile = dict(before) if isinstance(before, dict) else {}
    enabled, prefix = dialect.switch(row, "enb_ring_mobile"), dialect.text(row, "mobile_prefix")
    if enabled is not None:
        mobile["enabled"] = enabled
    if prefix is not None:
        mobile["prefix"] = _dialled(prefix, "mobile_prefix", notes)
    if mobile.get("enabled") and not mobile_number:
        notes.add("enb_ring_mobile: off, for there is no mobile number")
        mobile["enabled"] = False
    body["ring_mobile_simultaneously"] = mobile


def _forwarding(before: JsonValue, row: Row, dialect: Dialect, notes: _Notes) -> JsonValue:
    forwarding: dict[str, JsonValue] = {}
    for way, rules in (before if isinstance(before, dict) else {}).items():
        forwarding[way] = {
            condition: _condition(rule, row, dialect, f"{CALL_TYPES[way]}_{CONDITIONS[condition]}", notes)
            for condition, rule in (rules if isinstance(rules, dict) else {}).items()
        }
    return forwarding


def _condition(before: JsonValue, row: Row, dialect: Dialect, place: str, notes: _Notes) -> JsonValue:
    rule = dict(before) if isinstance(before, dict) else {}
    enabled = dialect.switch(row, f"enb_{place}_forward")
    if enabled is not None:
        rule["enabled"] = enabled
    code = dialect.text(row, f"{place}_forward_dest")
    if code:
        rule["destination"] = _destination(row, dialect, place, code, notes)
    target = rule.get("destination")
    if isinstance(target, dict) and target["kind"] == DestinationKind.EXTENSION and target["value"] == notes.extension:
        notes.add(f"{place}_forward: off, for it leads to the extension itself")
        return {"enabled": False, "destination": None}
    if rule.get("enabled") and target is None:
        notes.add(f"{place}_forward_dest: unknown, taken for hang_up")
        rule["destination"] = {"kind": DestinationKind.HANG_UP.value, "value": None, "prefix": ""}
    return rule


def _destination(row: Row, dialect: Dialect, place: str, code: str, notes: _Notes) -> JsonValue:
    """None: not one of ours."""
    kind = KINDS.get(code.lower())
    value = dialect.text(row, f"{place}_forward_value") or None
    prefix = ""
    match kind:
        case None:
            return None
        case DestinationKind.VOICEMAIL | DestinationKind.MOBILE_NUMBER | DestinationKind.HANG_UP:
            value = None
        case DestinationKind.EXTENSION:
            value = dialect.numbers.get(value or "", value)
        case DestinationKind.EXTERNAL_NUMBER:
            value = dialect.text(row, f"{place}_forward_num") or value
    if kind in (DestinationKind.MOBILE_NUMBER, DestinationKind.EXTERNAL_NUMBER):
        prefix = _dialled(dialect.text(row, f"{place}_forward_prefix") or "", f"{place}_forward_prefix", notes)
    elif kind not in (DestinationKind.VOICEMAIL, DestinationKind.HANG_UP) and not value:
        return None
    return {"kind": kind.value, "value": value[:64] if value else None, "prefix": prefix}


def _dialled(prefix: str, place: str, notes: _Notes) -> str:
    if _PREFIX.fullmatch(prefix):
        return prefix
    notes.add(f"{place}: not a prefix, left out")
    return ""


def changes_for(row: Row, settings: AnySettings, *, dialect: Dialect) -> dict[str, JsonValue]:
    """The fields of `row`, by the firmware's names, that `settings` have otherwise. What a PBX does not send, and a
    destination whose code it never used, is left alone."""
    changes: dict[str, JsonValue] = {}
    for name, wanted in _wanted(row, settings, dialect):
        is_now = dialect.text(row, name)
        if is_now is not None and is_now != str(wanted):
            changes[dialect.name(name)] = wanted
    return changes


def _wanted(row: Row, settings: AnySettings, dialect: Dialect) -> Iterator[tuple[str, str | int]]:
    body = settings.model_dump(mode="json")
    yield "information", body["information"]
    codes = {action: code for code, action in AGENT_ACTIONS.items()}
    yield "dynamic_agent_action", codes[settings.agent_status_auto_switch.action]
    if dialect.push_field is not None:
        yield dialect.push_field, int(body["accept_push_notifications"])
    for way, rules in body["call_forwarding"].items():
        for condition, rule in rules.items():
            yield from _wanted_forward(row, dialect, f"{CALL_TYPES[way]}_{CONDITIONS[condition]}", rule)
    for stage, ends in body.get("ring_strategy", {}).items():
        for end, name in ENDPOINTS.items():
            yield f"enb_{STAGES[stage]}_{name}", int(end in ends)
    if "ring_timeout_seconds" in body:
        yield "ring_timeout", body["ring_timeout_seconds"]
        yield "enb_ring_mobile", int(body["ring_mobile_simultaneously"]["enabled"])
        yield "mobile_prefix", body["ring_mobile_simultaneously"]["prefix"]


def _wanted_forward(
    row: Row, dialect: Dialect, place: str, rule: Mapping[str, JsonValue]
) -> Iterator[tuple[str, str | int]]:
    target = rule["destination"]
    if not isinstance(target, dict):
        yield f"enb_{place}_forward", int(bool(rule["enabled"]))
        return
    kind = DestinationKind(str(target["kind"]))
    used = (dialect.text(row, f"{place}_forward_dest") or "").lower()
    code = used if KINDS.get(used) is kind else CODES.get(kind)
    ids = {number: row_id for row_id, number in dialect.numbers.items()}
    value = str(target["value"] or "")
    if kind is DestinationKind.EXTENSION:
        value = ids.get(value, "")
    if code is None or (kind is DestinationKind.EXTENSION and not value):
        return
    yield f"enb_{place}_forward", int(bool(rule["enabled"]))
    yield f"{place}_forward_dest", code
    if kind is DestinationKind.EXTERNAL_NUMBER:
        yield f"{place}_forward_num", value
    elif value:
        yield f"{place}_forward_value", value
    if kind in (DestinationKind.MOBILE_NUMBER, DestinationKind.EXTERNAL_NUMBER):
        yield f"{place}_forward_prefix", str(target["prefix"])


def fingerprint(value: JsonValue) -> str:
    """32 characters, the same for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]
