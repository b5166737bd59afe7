"""The fields of an FCM v1 message, and what each may hold (Firebase, REST resource projects.messages)."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Violation:
    """One google.rpc.BadRequest field violation."""

    field: str
    description: str


Problems: TypeAlias = list[Violation]
Check: TypeAlias = Callable[[Any, str], tuple[Any, Problems]]
"""Value and its path in, the value with snake_case names and its problems out."""

_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@functools.lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _CAMEL.sub(r"_\1", name).lower()


def _of_type(kinds: type | tuple[type, ...], label: str) -> Check:
    def check(value: Any, path: str) -> tuple[Any, Problems]:
        if isinstance(value, kinds) and (isinstance(value, bool) is (kinds is bool)):
            return value, []
        return value, [Violation(path, f"Invalid value at '{path}' ({label}), {value!r}")]

    return check


def _matching(pattern: str, description: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> tuple[Any, Problems]:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value, []
        return value, [Violation(path, f"Invalid value at '{path}': {description}")]

    return check


def _one_of(*members: str) -> Check:
    def check(value: Any, path: str) -> tuple[Any, Problems]:
        if isinstance(value, str) and value in members:
            return value, []
        return value, [Violation(path, f"Invalid value at '{path}' (enum), {value!r}")]

    return check


def _list_of(item: Check) -> Check:
    def check(value: Any, path: str) -> tuple[Any, Problems]:
        if not isinstance(value, list):
            return value, [Violation(path, f"Invalid value at '{path}' (repeated), {value!r}")]
        return value, [problem for index, entry in enumerate(value) for problem in item(entry, f"{path}[{index}]")[1]]

    return check


def _string_map(value: Any, path: str) -> tuple[Any, Problems]:
    if not isinstance(value, dict):
        return value, [Violation(path, f"Invalid value at '{path}' (map), {value!r}")]
    problems = [
        Violation(f"{path}[{index}].value", f"Invalid value at '{path}[{index}].value' (TYPE_STRING), {entry!r}")
        for index, entry in enumerate(value.values())
        if not isinstance(entry, str)
    ]
    return value, problems


def _struct(value: Any, path: str) -> tuple[Any, Problems]:
    return value, [] if isinstance(value, dict) else [Violation(path, f"Invalid value at '{path}' (struct), {value!r}")]


def _message(fields: Mapping[str, Check]) -> Check:
    def check(value: Any, path: str) -> tuple[Any, Problems]:
        if not isinstance(value, dict):
            return value, [Violation(path, f"Invalid value at '{path}' (message), {value!r}")]
        read: dict[str, Any] = {}
        problems: Problems = []
        for name, entry in value.items():
            field = _snake(name)
            inner = fields.get(field)
            if inner is None:
                reason = f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
                problems.append(Violation(path, reason))
            elif entry is not None:
                read[field], found = inner(entry, f"{path}.{field}" if path else field)
                problems += found
        return read, problems

    return check


_TEXT = _of_type(str, "TYPE_STRING")
_FLAG = _of_type(bool, "TYPE_BOOL")
_INTEGER = _of_type(int, "TYPE_INT32")
_TEXTS = _list_of(_TEXT)
_DURATION = _matching(r"[0-9]{1,12}(\.[0-9]{1,9})?s", "Illegal duration format; duration must end with 's'")
_NUMBER = _of_type((int, float), "TYPE_FLOAT")

_LIGHT = _message(
    {
        "color": _message({"red": _NUMBER, "green": _NUMBER, "blue": _NUMBER, "alpha": _NUMBER}),
        "light_on_duration": _DURATION,
        "light_off_duration": _DURATION,
    }
)
_LABEL = _message({"analytics_label": _matching(r"[a-zA-Z0-9\-_.~%]{1,50}", "not an analytics label")})
_ANDROID_NOTIFICATION = _message(
    {
        "title": _TEXT,
        "body": _TEXT,
        "icon": _TEXT,
        "color": _matching("#[0-9A-Fa-f]{6}", "must be in the form #RRGGBB"),
        "sound": _TEXT,
        "tag": _TEXT,
        "click_action": _TEXT,
        "body_loc_key": _TEXT,
        "body_loc_args": _TEXTS,
        "title_loc_key": _TEXT,
        "title_loc_args": _TEXTS,
        "channel_id": _TEXT,
        "ticker": _TEXT,
        "sticky": _FLAG,
        "event_time": _matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", "not a timestamp"),
        "local_only": _FLAG,
        "notification_priority": _one_of(
            "PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"
        ),
        "default_sound": _FLAG,
        "default_vibrate_timings": _FLAG,
        "default_light_settings": _FLAG,
        "vibrate_timings": _list_of(_DURATION),
        "visibility": _one_of("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
        "notification_count": _INTEGER,
        "light_settings": _LIGHT,
        "image": _TEXT,
        "bypass_proxy_notification": _FLAG,
        "proxy": _one_of("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
    }
)
_ANDROID = _message(
    {
        "collapse_key": _TEXT,
        "priority": _one_of("NORMAL", "HIGH", "normal", "high"),
        "ttl": _DURATION,
        "restricted_package_name": _TEXT,
        "data": _string_map,
        "notification": _ANDROID_NOTIFICATION,
        "fcm_options": _LABEL,
        "direct_boot_ok": _FLAG,
        "bandwidth_constrained_ok": _FLAG,
        "restricted_satellite_ok": _FLAG,
    }
)
_MESSAGE = _message(
    {
        "name": _TEXT,
        "token": _TEXT,
        "fid": _TEXT,
        "topic": _TEXT,
        "condition": _TEXT,
        "data": _string_map,
        "notification": _message({"title": _TEXT, "body": _TEXT, "image": _TEXT}),
        "android": _ANDROID,
        "android_v2": _struct,
        "apns": _message({"headers": _string_map, "payload": _struct, "fcm_options": _struct}),
        "webpush": _struct,
        "fcm_options": _LABEL,
    }
)
REQUEST = _message({"message": _MESSAGE, "validate_only": _FLAG})
"""The body of `messages:send`."""
