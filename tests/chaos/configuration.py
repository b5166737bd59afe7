"""The configuration that all gateway processes of a run share."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from gateway.simulator.process import SimulatorProcess
from tests.chaos.cast import ACME, ANDROID, IOS, LIFETIMES, SWIFT

TIMEZONE = "Europe/Berlin"
CONCURRENCY = 64
"""Pushes that a worker has in flight at most, and so repeats at most when it is killed."""
DRAIN_SECONDS = 3


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of one run."""

    admin: str = field(default_factory=_secret)
    api: dict[str, str] = field(default_factory=lambda: {ACME: _secret(), SWIFT: _secret()})
    """By tenant."""
    yeastar: str = field(default_factory=lambda: secrets.token_hex(16))
    generic: dict[str, str] = field(
        default_factory=lambda: {tenant: "whsec_" + secrets.token_hex(32) for tenant in (ACME, SWIFT)}
    )
    """By tenant; the source is called `<tenant>-pbx`."""


def write_configuration(
    directory: Path, *, simulator: SimulatorProcess, keys: Keys, store_url: str, fsync: str, lease_seconds: float
) -> Path:
    """The file, readable by its owner only."""
    path = directory / "gateway.toml"
    path.write_text(
        f"""\
[server]
drain_seconds = {DRAIN_SECONDS}
[store]
url = "{store_url}"
fsync = "{fsync}"
[worker]
concurrency = {CONCURRENCY}
lease_seconds = {lease_seconds}
[log]
level = "warning"
format = "json"
[admin]
api_keys = [{{ name = "ops", key = "{keys.admin}" }}]
{_apps(simulator)}
{_tenant(ACME, keys)}
{_tenant(SWIFT, keys)}
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


def _apps(simulator: SimulatorProcess) -> str:
    return f"""
[[apps]]
id = "{IOS}"
[apps.apns]
team_id = "{simulator.team_id}"
key_id = "{simulator.key_id}"
key_file = "{simulator.key_file}"
topic = "com.example.softphone"
url = "{simulator.apns_url}"
sandbox_url = "{simulator.apns_sandbox_url}"
ca_file = "{simulator.ca_file}"
[[apps]]
id = "{ANDROID}"
[apps.fcm]
service_account_file = "{simulator.service_account_file}"
url = "{simulator.fcm_url}"
ca_file = "{simulator.ca_file}"
"""


def _tenant(tenant: str, keys: Keys) -> str:
    ages = ", ".join(f'"{kind}" = {seconds}' for kind, seconds in LIFETIMES[tenant].items())
    yeastar = f'[[tenants.sources]]\nname = "hq"\nkind = "yeastar"\nsecret = "{keys.yeastar}"' if tenant == ACME else ""
    return f"""
[[tenants]]
id = "{tenant}"
timezone = "{TIMEZONE}"
apps = ["{IOS}", "{ANDROID}"]
[[tenants.api_keys]]
name = "all"
key = "{keys.api[tenant]}"
scopes = ["events", "devices", "presence", "read"]
[[tenants.sources]]
name = "{tenant}-pbx"
kind = "generic"
secret = "{keys.generic[tenant]}"
{yeastar}
[tenants.policy]
max_age_seconds = {{ {ages} }}
ring_first_seconds = 2
"""
