"""What an FCM message asks of an Android phone."""

from typing import Any

from gateway.simulator.fcm_checks import FcmPush
from gateway.simulator.phones import NOW_OR_NEVER, Delivery

_DEFAULT_TTL_SECONDS = 2_419_200


def delivery_of(push: FcmPush, push_id: str, now: int) -> Delivery:
    """Notification messages are shown by the system, a data-only `call.incoming` rings, other data is the app's."""
    message = push.message
    android = message.get("android", {})
    data: dict[str, str] = {**message.get("data", {}), **android.get("data", {})}
    drawn: dict[str, Any] = {**message.get("notification", {}), **android.get("notification", {})}
    channel = str(drawn.get("channel_id", ""))
    ttl = float(android.get("ttl", f"{_DEFAULT_TTL_SECONDS}s")[:-1])
    kind = data.get("kind", "")
    return Delivery(
        push_id=push_id,
        kind=kind,
        title=str(drawn.get("title", "")),
        body=str(drawn.get("body", "")),
        visible=bool(drawn),
        rings=not drawn and kind == "call.incoming",
        sound=bool(drawn) and not channel.endswith(".quiet"),
        badge=_badge(drawn, data),
        thread=channel,
        collapse=str(drawn.get("tag", "")),
        storage_key=str(android.get("collapse_key", "")),
        expires_at=NOW_OR_NEVER if ttl == 0 else now + int(ttl * 1000),
        call_id=data.get("call_id", ""),
        caller_number=data.get("caller_number", ""),
        caller_name=data.get("caller_name", ""),
    )


def _badge(drawn: dict[str, Any], data: dict[str, str]) -> int | None:
    count = drawn.get("notification_count")
    if count is not None:
        return int(count)
    text = data.get("badge", "")
    return int(text) if text.isdecimal() else None
