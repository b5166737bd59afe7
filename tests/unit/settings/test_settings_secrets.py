"""Secrets are read from where they stand, and shown nowhere."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import ConfigurationError
from gateway.settings import SAMPLE_SECRETS, NamedKey, Secret, Settings, load_settings

CONFIG = Path(__file__).parents[3] / "config" / "gateway.toml"
KEY = "a-key-that-is-long-enough"


def load(directory: Path, text: str, **environ: str) -> Settings:
    file = directory / "gateway.toml"
    file.write_text(text)
    return load_settings(file, environ)


@pytest.mark.parametrize(
    "written", [f'"{KEY}"', '{ env = "K" }', '{ file = "key.txt" }', '{ file = "key-with-return.txt" }']
)
def test_a_secret_is_a_text_a_variable_or_a_file(tmp_path: Path, written: str) -> None:
    (tmp_path / "key.txt").write_text(KEY + "\n")
    (tmp_path / "key-with-return.txt").write_bytes(KEY.encode() + b"\r\n")
    settings = load(tmp_path, f'[admin]\napi_keys = [{{ name = "ops", key = {written} }}]', K=KEY)
    assert settings.admin.api_keys[0].key.reveal() == KEY


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('""', "the secret is empty"),
        ('{ env = "EMPTY" }', "the secret is empty"),
        ('{ env = "K", file = "f" }', "a secret is a string"),
        ("{ env = 3 }", "a secret is a string"),
        ("{}", "a secret is a string"),
        ("31337", "a secret is a string"),
        ('{ file = "gone" }', "gone cannot be read: No such file or directory"),
        ('{ file = "." }', "cannot be read: Is a directory"),
        ('{ file = "bytes" }', "is not UTF-8 text"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(tmp_path: Path, written: str, message: str) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=message) as caught:
        load(tmp_path, f'[admin]\napi_keys = [{{ name = "ops", key = {written} }}]', K="hidden-value", EMPTY="")
    assert "31337" not in str(caught.value)
    assert "hidden-value" not in str(caught.value)


def test_a_secret_is_in_no_message_about_it(tmp_path: Path) -> None:
    text = """
[admin]
api_keys = [{ name = "ops", key = "hunter2-short" }]
[[tenants]]
id = "t"
user_tokens = { algorithm = "ES256", key = "hunter2 is no key" }
[[tenants.sources]]
name = "s"
kind = "generic"
secret = "hunter2 is not base64"
"""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert len(caught.value.problems) == 3
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_does_not_print_or_serialize_itself() -> None:
    key = NamedKey(name="ops", key=Secret(KEY))
    for shown in (str(key), repr(key), f"{key.key}", json.dumps(key.model_dump(mode="json"))):
        assert KEY not in shown
        assert "**********" in shown


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("gateway.example.com", False),
    ],
)
def test_sample_secrets_are_good_on_loopback_only(tmp_path: Path, host: str, good: bool) -> None:
    sample = min(SAMPLE_SECRETS)
    text = f'[server]\nhost = "{host}"\n[admin]\napi_keys = [{{ name = "ops", key = "{sample}" }}]'
    if good:
        assert load(tmp_path, text).admin.api_keys[0].key.reveal() == sample
    else:
        with pytest.raises(
            ConfigurationError, match=r"admin\.api_keys\.0\.key: a sample secret is only good on loopback"
        ):
            load(tmp_path, text)


def test_behind_a_proxy_sample_secrets_are_refused_on_loopback_too(tmp_path: Path) -> None:
    text = f'[admin]\napi_keys = [{{ name = "ops", key = "{min(SAMPLE_SECRETS)}" }}]'
    with pytest.raises(ConfigurationError, match="sample secret"):
        load(tmp_path, f'[server]\ntrusted_proxies = ["127.0.0.1/32"]\n{text}')


def test_the_override_of_the_host_counts_too(tmp_path: Path) -> None:
    sample = min(SAMPLE_SECRETS)
    text = f'[admin]\napi_keys = [{{ name = "ops", key = "{sample}" }}]'
    with pytest.raises(ConfigurationError, match="sample secret"):
        load(tmp_path, text, PUSH_GATEWAY__SERVER__HOST="0.0.0.0")


def _secrets(value: Any) -> set[str]:
    match value:
        case dict():
            held = {value[name] for name in ("key", "secret") if isinstance(value.get(name), str)}
            return held.union(*(_secrets(inner) for inner in value.values()))
        case list():
            return set().union(*(_secrets(inner) for inner in value))
    return set()


def test_every_secret_of_the_sample_configuration_is_known_as_a_sample() -> None:
    assert _secrets(tomllib.loads(CONFIG.read_text())) == SAMPLE_SECRETS
