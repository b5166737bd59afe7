"""Small configuration files, and what reading them says."""

from pathlib import Path

import pytest

from gateway.domain.errors import ConfigurationError
from gateway.settings import Settings, load_settings

IOS = """
[[apps]]
id = "ios"
[apps.apns]
team_id = "ABCDE12345"
key_id = "FGHIJ67890"
key_file = "AuthKey.p8"
topic = "com.example.softphone"
"""
ANDROID = """
[[apps]]
id = "android"
[apps.fcm]
service_account_file = "account.json"
"""
TENANT = """
[[tenants]]
id = "acme"
"""


def load(house: Path, text: str, **environ: str) -> Settings:
    file = house / "gateway.toml"
    file.write_text(text)
    return load_settings(file, environ)


def problems(house: Path, text: str, **environ: str) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        load(house, text, **environ)
    return {problem.loc: problem.msg for problem in caught.value.problems}


def furnish(house: Path) -> Path:
    """Puts the files that the configurations here name into `house`."""
    for name in ("AuthKey.p8", "account.json", "apns.pem", "ca.pem"):
        (house / name).write_text("not looked into here")
    return house
