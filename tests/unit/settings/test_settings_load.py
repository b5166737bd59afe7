"""A configuration file becomes Settings, or every problem that it has."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.device import Provider
from gateway.domain.errors import ConfigurationError
from gateway.settings import Scope, Settings, SourceKind, StoreSettings, load_settings
from tests.support.configurations import ANDROID, IOS, furnish, load, problems


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return furnish(tmp_path)


def test_an_empty_file_is_a_configuration_with_every_default(house: Path) -> None:
    settings = load(house, "")
    assert (settings.server.host, settings.server.port, settings.server.max_body_bytes) == ("127.0.0.1", 8080, 262144)
    assert settings.server.drain_seconds == 10
    assert settings.server.open_to == (IPv4Network("127.0.0.1/32"),)
    assert settings.store.fsync == "always"
    assert (settings.store.journal_retention_hours, settings.store.shards) == (168, None)
    assert (settings.worker.concurrency, settings.worker.lease_seconds) == (500, 30)
    assert (settings.log.level, settings.log.format) == ("info", "auto")
    assert (settings.admin.api_keys, settings.apps, settings.tenants) == ((), (), ())


def test_paths_are_relative_to_the_file_also_that_of_the_default_store(house: Path) -> None:
    settings = load(house, IOS + ANDROID)
    assert settings.store.url == f"embedded:{house}/var/store"
    assert settings.store.embedded_directory == f"{house}/var/store"
    ios, android = settings.app("ios"), settings.app("android")
    assert ios is not None
    assert ios.apns is not None
    assert ios.apns.key_file == house / "AuthKey.p8"
    assert android is not None
    assert android.fcm is not None
    assert android.fcm.service_account_file == house / "account.json"


def test_apps_tenants_and_sources_are_found_by_name(house: Path) -> None:
    settings = load(
        house,
        IOS
        + ANDROID
        + """
[[tenants]]
id = "acme"
timezone = "Europe/Berlin"
apps = ["ios", "android"]
api_keys = [{ name = "crm", key = "0123456789abcdef", scopes = ["read", "events"] }]
[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = "s1-of-sixteen-or-more"
[[tenants.sources]]
name = "lab"
kind = "generic"
secrets = ["whsec_c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz", "c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz"]
timezone = "Asia/Tokyo"
""",
    )
    acme = settings.tenant("acme")
    assert acme is not None
    assert acme.api_keys[0].scopes == {Scope.READ, Scope.EVENTS}
    found = settings.source("lab")
    assert found is not None
    tenant, lab = found
    assert tenant is acme
    assert lab.kind is SourceKind.GENERIC
    assert [secret.reveal() for secret in lab.secrets] == [
        "whsec_c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz",
        "c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz",
    ]
    assert acme.zone_of(lab) == ZoneInfo("Asia/Tokyo")
    assert acme.zone_of(acme.sources[0]) == ZoneInfo("Europe/Berlin")
    assert {app.id: app.provider for app in settings.apps} == {"ios": Provider.APNS, "android": Provider.FCM}
    assert (settings.app("x"), settings.tenant("x"), settings.source("x")) == (None, None, None)


def test_all_problems_are_told_at_once_and_each_names_its_place(house: Path) -> None:
    found = problems(
        house,
        """
[server]
port = "8080"
hots = "x"
[store]
url = "mysql://x"
[[apps]]
id = "a"
[apps.apns]
key_file = "gone.p8"
topic = "com.example.voip"
[[apps]]
id = "a"
[[tenants]]
id = "t"
apps = ["b"]
timezone = "Mars/Base"
policy = { quiet_statuses = ["asleep"], bypass = { vip = "yes" }, max_age_seconds = { "call.missed" = "1" } }
[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = { env = "NOT_SET" }
[[tenants]]
id = "t"
[[tenants.sources]]
name = "hq"
kind = "fax"
""",
    )
    assert found == {
        "server.port": "Input should be a valid integer",
        "server.hots": "unknown key",
        "store.url": "not embedded:DIRECTORY, nor one of redis://, rediss://, redis+sentinel://, rediss+sentinel://, "
        "redis+cluster://, rediss+cluster://, unix://",
        "apps.0.apns.key_file": f"{house}/gone.p8 cannot be read: No such file or directory",
        "apps.0.apns.team_id": "required with key_file",
        "apps.0.apns.key_id": "required with key_file",
        "apps.0.apns.topic": "the bundle id alone: .voip is appended for VoIP pushes",
        "apps.1": "exactly one of apns and fcm is required",
        "apps.1.id": "a is there already",
        "tenants.0.apps.0": "no app has the id b",
        "tenants.0.timezone": 'not an IANA time zone such as "Europe/Berlin"',
        "tenants.0.policy.quiet_statuses.0": "neither one of the six statuses nor in custom_statuses",
        "tenants.0.policy.bypass.vip": "Input should be a valid boolean",
        "tenants.0.policy.max_age_seconds.call.missed": "Input should be a valid integer",
        "tenants.0.sources.0.secret": "the environment variable NOT_SET is not set",
        "tenants.1.id": "t is there already",
        "tenants.1.sources.0.kind": "Input should be 'generic' or 'yeastar'",
        "tenants.1.sources.0.secret": "required",
        "tenants.1.sources.0.name": "another tenant has a source hq already",
    }


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SERVER__PORT", "9090", ("server", "port", 9090)),
        ("SERVER__HOST", "::1", ("server", "host", "::1")),
        ("SERVER__DRAIN_SECONDS", "2.5", ("server", "drain_seconds", 2.5)),
        ("SERVER__OPEN_TO", '["10.0.0.0/8"]', ("server", "open_to", (IPv4Network("10.0.0.0/8"),))),
        ("STORE__URL", "redis://h:1/0", ("store", "url", "redis://h:1/0")),
        ("STORE__FSYNC", "everysec", ("store", "fsync", "everysec")),
        ("STORE__SHARDS", "4", ("store", "shards", 4)),
        ("WORKER__CONCURRENCY", "7", ("worker", "concurrency", 7)),
        ("LOG__LEVEL", "debug", ("log", "level", "debug")),
    ],
)
def test_the_environment_overrides_single_values(
    house: Path, name: str, value: str, expected: tuple[str, str, Any]
) -> None:
    section, key, wanted = expected
    settings = load(house, "[server]\nport = 1\n", **{f"PUSH_GATEWAY__{name}": value})
    assert getattr(getattr(settings, section), key) == wanted


def test_keys_of_operations_can_come_from_the_environment_whole(house: Path) -> None:
    settings = load(
        house, "", PUSH_GATEWAY__ADMIN__API_KEYS='[{name = "ops", key = {env = "K"}}]', K="0123456789abcdef"
    )
    assert settings.admin.api_keys[0].key.reveal() == "0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "value", "place", "message"),
    [
        ("PUSH_GATEWAY__SERVER__PORT", "many", "PUSH_GATEWAY__SERVER__PORT", "valid integer"),
        ("PUSH_GATEWAY__SERVER__PROT", "1", "PUSH_GATEWAY__SERVER__PROT", "overrides no key"),
        ("PUSH_GATEWAY__SERVER", "1", "PUSH_GATEWAY__SERVER", "overrides no key"),
        ("PUSH_GATEWAY__TENANTS__0", "1", "PUSH_GATEWAY__TENANTS__0", "overrides no key"),
        ("PUSH_GATEWAY__SERVER__OPEN_TO", '["x"]', "PUSH_GATEWAY__SERVER__OPEN_TO.0", "not a network"),
    ],
)
def test_a_bad_override_is_named_by_its_variable(house: Path, name: str, value: str, place: str, message: str) -> None:
    found = problems(house, "", **{name: value})
    assert list(found) == [place]
    assert message in found[place]


def test_an_override_of_a_section_that_is_no_table_is_told_with_the_section(house: Path) -> None:
    assert list(problems(house, "server = 1", PUSH_GATEWAY__SERVER__PORT="1")) == ["server"]


def test_variables_of_others_are_left_alone(house: Path) -> None:
    assert load(house, "", PUSH_GATEWAY_ADMIN_KEY="x", PATH="/bin").server.port == 8080


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[server", "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
        (b"# \xff", "not UTF-8 at byte 2"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "gateway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file, {})
    (problem,) = caught.value.problems
    assert problem.loc == str(file)
    assert message in problem.msg


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path, {})


def test_a_store_password_can_come_from_a_file_and_is_not_printed(house: Path) -> None:
    (house / "store-url").write_text("rediss://:hunter2@store.example.com:6380/1\n")
    settings = load(house, '[store]\nurl = { file = "store-url" }')
    assert settings.store.url == "rediss://:hunter2@store.example.com:6380/1"
    assert settings.store.embedded_directory is None
    assert "hunter2" not in repr(settings)


def test_settings_made_by_hand_stand_on_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().store.url == f"embedded:{tmp_path}/var/store"
    assert Settings(store=StoreSettings(url="embedded:/srv")).store.embedded_directory == "/srv"
