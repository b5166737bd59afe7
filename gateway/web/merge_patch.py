"""JSON Merge Patch (RFC 7386)."""

from pydantic import JsonValue


def merged(target: JsonValue, patch: JsonValue) -> JsonValue:
    """`target` with `patch` applied: objects are merged, null removes a member, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
