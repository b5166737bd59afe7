"""Where the demo plays: one tenant, one Yeastar PBX, one CRM, an iPhone and an Android phone."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.simulator.process import SimulatorProcess

TENANT = "acme"
TIMEZONE = "Europe/Berlin"
IOS_APP = "com.example.softphone.ios"
ANDROID_APP = "com.example.softphone.android"
ALICE = "1001"
BOB = "1002"

_ALL = ["extension_endpoint", "mobile_client", "desktop_client", "web_client"]
_DESK = ["extension_endpoint", "desktop_client", "web_client"]

ALICE_SETTINGS: dict[str, dict[str, Any]] = {
    "available": {},
    "away": {
        "call_forwarding": {
            "external": {"always": {"enabled": True, "destination": {"kind": "extension", "value": BOB}}}
        }
    },
    "business_trip": {"ring_strategy": {"ring_first": _DESK, "ring_secondly": ["mobile_client"]}},
    "do_not_disturb": {"accept_push_notifications": True},
    "lunch_break": {"ring_strategy": {"ring_first": _DESK, "ring_secondly": []}},
    "off_work": {"accept_push_notifications": False},
}
"""What Alice has set for each of the six statuses."""


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of one run, made anew each time."""

    admin: str = field(default_factory=_secret)
    provisioning: str = field(default_factory=_secret)
    user_tokens: str = field(default_factory=_secret)
    yeastar: str = field(default_factory=lambda: secrets.token_hex(16))
    crm: str = field(default_factory=lambda: "whsec_" + secrets.token_hex(32))
    iphone: str = field(default_factory=lambda: secrets.token_hex(32))
    iphone_voip: str = field(default_factory=lambda: secrets.token_hex(32))
    android: str = field(default_factory=lambda: f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(48)}")


def write_configuration(directory: Path, simulator: SimulatorProcess, keys: Keys, port: int) -> Path:
    """The demo's configuration file: the same format, and the same code, as in production."""
    path = directory / "gateway.toml"
    path.write_text(
        f"""\
[server]
port = {port}

[store]
url = "embedded:{directory / "store"}"

[log]
level = "warning"

[admin]
api_keys = [{{ name = "ops", key = "{keys.admin}" }}]

[[apps]]
id = "{IOS_APP}"
[apps.apns]
team_id = "{simulator.team_id}"
key_id = "{simulator.key_id}"
key_file = "{simulator.key_file}"
topic = "com.example.softphone"
url = "{simulator.apns_url}"
sandbox_url = "{simulator.apns_sandbox_url}"
ca_file = "{simulator.ca_file}"

[[apps]]
id = "{ANDROID_APP}"
[apps.fcm]
service_account_file = "{simulator.service_account_file}"
url = "{simulator.fcm_url}"
ca_file = "{simulator.ca_file}"

[[tenants]]
id = "{TENANT}"
timezone = "{TIMEZONE}"
apps = ["{IOS_APP}", "{ANDROID_APP}"]
[[tenants.api_keys]]
name = "provisioning"
key = "{keys.provisioning}"
scopes = ["events", "devices", "presence", "read"]

[tenants.user_tokens]
algorithm = "HS256"
key = "{keys.user_tokens}"

[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = "{keys.yeastar}"

[[tenants.sources]]
name = "crm"
kind = "generic"
secret = "{keys.crm}"
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path
