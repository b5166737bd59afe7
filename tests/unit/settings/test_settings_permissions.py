"""Files with secrets: who else may read them, asked as soon as the server can be reached from other machines."""

import os
from pathlib import Path

import pytest

from gateway.settings.permissions import holds_secrets, require_private
from tests.support.configurations import ANDROID, IOS, furnish, load, problems

ANYWHERE = '[server]\nhost = "0.0.0.0"\n'
FILES = ("AuthKey.p8", "account.json", "apns.pem", "key.txt")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    furnish(tmp_path)
    (tmp_path / "key.txt").write_text("a-key-that-is-long-enough")
    for name in FILES:
        (tmp_path / name).chmod(0o600)
    (tmp_path / "gateway.toml").touch(mode=0o600)
    return tmp_path


CERTIFICATE = IOS.replace('key_file = "AuthKey.p8"', 'certificate_file = "apns.pem"').replace(
    'team_id = "ABCDE12345"\nkey_id = "FGHIJ67890"\n', ""
)
KEY_FILE = '[admin]\napi_keys = [{ name = "ops", key = { file = "key.txt" } }]'
OPEN_KEY = '[admin]\napi_keys = [{ name = "ops", key = "a-key-that-is-long-enough" }]'
HOLDERS = [
    (IOS, "AuthKey.p8", "apps.0.apns.key_file"),
    (CERTIFICATE, "apns.pem", "apps.0.apns.certificate_file"),
    (ANDROID, "account.json", "apps.0.fcm.service_account_file"),
    (KEY_FILE, "key.txt", "admin.api_keys.0.key"),
]


@pytest.mark.parametrize(("text", "name", "loc"), HOLDERS)
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o620, 0o601, 0o777])
def test_a_secret_that_others_may_read_or_write_stops_the_start(
    house: Path, text: str, name: str, loc: str, mode: int
) -> None:
    (house / name).chmod(mode)

    found = problems(house, ANYWHERE + text)

    assert list(found) == [loc]
    assert f"{house / name} holds a secret" in found[loc]
    assert f"mode {mode:04o}" in found[loc]
    assert "0600" in found[loc]


@pytest.mark.parametrize(("text", "name", "loc"), HOLDERS)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_secret_of_the_service_or_of_root_and_its_group_is_taken(
    house: Path, text: str, name: str, loc: str, mode: int
) -> None:
    os.chown(house / name, 0, -1) if os.geteuid() == 0 else (house / name).chmod(mode & 0o700)
    (house / name).chmod(mode if os.geteuid() == 0 else mode & 0o700)

    load(house, ANYWHERE + text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_group_may_read_only_what_it_cannot_be_handed_by_another_user(house: Path) -> None:
    (house / "key.txt").chmod(0o640)
    os.chown(house / "key.txt", 12345, -1)

    assert "admin.api_keys.0.key" in problems(house, ANYWHERE + KEY_FILE)


@pytest.mark.parametrize(("text", "name", "loc"), HOLDERS)
def test_on_loopback_a_developers_files_are_taken_as_they_are(house: Path, text: str, name: str, loc: str) -> None:
    (house / name).chmod(0o644)

    load(house, text)


@pytest.mark.parametrize(("text", "name", "loc"), HOLDERS)
def test_behind_a_proxy_on_the_same_machine_they_are_not(house: Path, text: str, name: str, loc: str) -> None:
    (house / name).chmod(0o644)

    assert list(problems(house, '[server]\ntrusted_proxies = ["127.0.0.1/32"]\n' + text)) == [loc]


def test_a_place_for_mounted_secrets_protects_what_is_in_it(house: Path) -> None:
    place = house / "credentials"
    place.mkdir()
    file = place / "key.txt"
    file.write_text("a-key-that-is-long-enough")
    file.chmod(0o444)

    require_private(file, {"CREDENTIALS_DIRECTORY": str(place)})
    with pytest.raises(ValueError, match="holds a secret"):
        require_private(file, {"CREDENTIALS_DIRECTORY": str(house / "elsewhere")})
    with pytest.raises(ValueError, match="holds a secret"):
        require_private(file, {})


def test_a_link_out_of_the_place_is_not_in_it(house: Path) -> None:
    place = house / "credentials"
    place.mkdir()
    (house / "key.txt").chmod(0o644)
    (place / "key.txt").symlink_to(house / "key.txt")

    with pytest.raises(ValueError, match="holds a secret"):
        require_private(place / "key.txt", {"CREDENTIALS_DIRECTORY": str(place)})


def test_the_configuration_file_is_such_a_file_when_a_secret_stands_in_it(house: Path) -> None:
    file = house / "gateway.toml"
    file.chmod(0o644)

    assert list(problems(house, ANYWHERE + OPEN_KEY)) == [str(file)]
    load(house, ANYWHERE + KEY_FILE)
    load(house, OPEN_KEY)
    file.chmod(0o600)
    load(house, ANYWHERE + OPEN_KEY)


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({"admin": {"api_keys": [{"name": "ops", "key": "k"}]}}, True),
        ({"tenants": [{"sources": [{"secrets": [{"env": "A"}, "b"]}]}]}, True),
        ({"tenants": [{"sources": [{"connector": {"client_secret": "c"}}]}]}, True),
        ({"tenants": [{"user_tokens": {"key": "-----BEGIN PUBLIC KEY-----"}}]}, False),
        ({"tenants": [{"sources": [{"secret": {"file": "f"}, "name": "key"}]}]}, False),
        ({"server": {"host": "0.0.0.0"}}, False),
    ],
)
def test_a_secret_in_the_open_is_one_that_is_written_as_text(given: object, holds: bool) -> None:
    assert holds_secrets(given) is holds
