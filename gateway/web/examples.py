"""Request bodies that work, for the OpenAPI document. Each is tested against what reads it."""

from typing import Any

MISSED_CALL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1713151497.32",
    "source": "urn:pbx:hq",
    "type": "call.missed",
    "subject": "1001",
    "time": "2026-11-22T10:00:00Z",
    "data": {
        "call": {"id": "1713151497.32", "direction": "inbound", "via": "direct"},
        "caller": {"number": "+4915112345678", "name": "Alice"},
        "outcome": {"disposition": "no_answer", "ring_seconds": 25},
    },
}

YEASTAR_MISSED_CALL: dict[str, Any] = {
    "type": 30012,
    "sn": "3631A2100000",
    "msg": {
        "call_id": "1713840555.623",
        "time_start": "2026-11-22 11:00:00",
        "call_from": "+4915112345678",
        "call_to": "1001",
        "call_duration": 25,
        "talk_duration": 0,
        "status": "NO ANSWER",
        "type": "Inbound",
    },
}

DEVICE: dict[str, Any] = {
    "app": "com.example.softphone.ios",
    "name": "Alice's iPhone",
    "locale": "en-GB",
    "app_version": "4.2.0",
    "push": {
        "provider": "apns",
        "token": "6f1c0d0e5b1d5a439d0c0b8f6c1f7a526f1c0d0e5b1d5a439d0c0b8f6c1f7a52",
        "voip_token": "a52f1c0d0e5b1d5a439d0c0b8f6c1f7a526f1c0d0e5b1d5a439d0c0b8f6c1f70",
        "environment": "production",
    },
    "kinds": ["call.missed", "voicemail.new", "call.incoming", "badge"],
    "muted": False,
}

RECEIPT: dict[str, Any] = {"push_id": "6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52"}

HEARTBEAT: dict[str, Any] = {"foreground": True}

PRESENCE: dict[str, Any] = {"status": "away", "information": "Back at three"}

SETTINGS: dict[str, Any] = {
    "information": "",
    "call_forwarding": {
        "internal": {"always": {"enabled": False, "destination": None}},
        "external": {
            "no_answer": {"enabled": True, "destination": {"kind": "voicemail"}},
            "when_busy": {"enabled": True, "destination": {"kind": "extension", "value": "1002"}},
        },
    },
    "ring_strategy": {"ring_first": ["extension_endpoint"], "ring_secondly": ["mobile_client"]},
    "ring_timeout_seconds": 30,
    "accept_push_notifications": True,
}

SETTINGS_PATCH: dict[str, Any] = {"accept_push_notifications": False}

PROFILE_PATCH: dict[str, Any] = {"mobile_number": "+4915112345678", "queues": ["6400"]}

PREVIEW: dict[str, Any] = {
    "type": "call.missed",
    "data": {
        "call": {"id": "rehearsal-1", "direction": "inbound"},
        "caller": {"number": "+4915112345678", "name": "Alice"},
        "outcome": {"disposition": "no_answer"},
    },
}

SEEN: dict[str, Any] = {"event_ids": ["01KAXB7Q0R7M3V2N5T8C9D4E6F"]}
