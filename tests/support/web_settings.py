"""Two tenants, their keys, apps and sources, for tests of the HTTP side."""

from pathlib import Path

from gateway.settings import Settings, load_settings

ADMIN_KEY = "admin-key-of-operations"
ALL_KEY = "acme-key-with-every-scope"
SCOPE_KEYS = {scope: f"acme-key-with-{scope}-only" for scope in ("events", "devices", "presence", "read")}
OTHER_KEY = "globex-key-with-every-scope"
JWT_KEY = "acme-user-token-key-of-enough-bytes"
OTHER_JWT_KEY = "globex-user-token-key-of-enough-bytes"
YEASTAR_SECRET = "yeastar-secret-of-hq"
GENERIC_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_b3RoZXItc2VjcmV0LW9mLWdsb2JleC1pcy1sb25n"
IOS = "com.example.softphone.ios"
ANDROID = "com.example.softphone.android"
FOREIGN_APP = "com.example.other"
APNS_TOKEN = "6f1c0d0e5b1d5a439d0c0b8f6c1f7a52" * 2

CONFIG = f"""
[server]
open_to = ["192.0.2.0/24"]
trusted_proxies = ["127.0.0.1/32"]
allow_private_urls = ["127.0.0.0/8"]
max_body_bytes = 65536
[store]
url = "STORE_URL"
[[admin.api_keys]]
name = "ops"
key = "{ADMIN_KEY}"
[[apps]]
id = "{IOS}"
[apps.apns]
team_id = "ABCDE12345"
key_id = "FGHIJ67890"
key_file = "AuthKey.p8"
topic = "com.example.softphone"
[[apps]]
id = "{ANDROID}"
[apps.fcm]
service_account_file = "account.json"
[[apps]]
id = "{FOREIGN_APP}"
[apps.fcm]
service_account_file = "account.json"
[[tenants]]
id = "acme"
timezone = "Europe/Berlin"
apps = ["{IOS}", "{ANDROID}"]
api_keys = [
    {{ name = "all", key = "{ALL_KEY}", scopes = ["events", "devices", "presence", "read"] }},
    {{ name = "events", key = "{SCOPE_KEYS["events"]}", scopes = ["events"] }},
    {{ name = "devices", key = "{SCOPE_KEYS["devices"]}", scopes = ["devices"] }},
    {{ name = "presence", key = "{SCOPE_KEYS["presence"]}", scopes = ["presence"] }},
    {{ name = "read", key = "{SCOPE_KEYS["read"]}", scopes = ["read"] }},
]
user_tokens = {{ algorithm = "HS256", key = "{JWT_KEY}" }}
policy = {{ custom_statuses = ["training"] }}
[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = "{YEASTAR_SECRET}"
[[tenants.sources]]
name = "crm"
kind = "generic"
secrets = ["whsec_{"b2xkLXNlY3JldC1vZi1hY21lLWdvaW5nLWF3YXk="}", "{GENERIC_SECRET}"]
[[tenants]]
id = "globex"
apps = ["{FOREIGN_APP}"]
api_keys = [{{ name = "all", key = "{OTHER_KEY}", scopes = ["events", "devices", "presence", "read"] }}]
user_tokens = {{ algorithm = "HS256", key = "{OTHER_JWT_KEY}" }}
[[tenants.sources]]
name = "globex-crm"
kind = "generic"
secret = "{OTHER_SECRET}"
"""


def settings_in(directory: Path, config: str = CONFIG, *, store_url: str = "embedded:./store") -> Settings:
    """The settings of `config`, with the files that it names."""
    for name in ("AuthKey.p8", "account.json"):
        (directory / name).write_text("not looked into here")
        (directory / name).chmod(0o600)
    file = directory / "gateway.toml"
    file.touch(mode=0o600)
    file.write_text(config.replace("STORE_URL", store_url))
    return load_settings(file, {})
