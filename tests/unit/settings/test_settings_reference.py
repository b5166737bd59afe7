"""config/gateway.reference.toml is the reference: every key, no other, with the true defaults."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gateway.domain.tenant_policy import DEFAULT_MAX_AGE_SECONDS
from gateway.settings import Settings, load_settings

CONFIG = Path(__file__).parents[3] / "config"
REFERENCE = CONFIG / "gateway.reference.toml"
MAX_AGE = "tenants.policy.max_age_seconds"
SHORT_FORMS = {"tenants.sources.secret"}
"""Written beside a field of the models that it stands for."""
ENVIRON = {
    "PUSH_GATEWAY_ADMIN_KEY": "an-admin-key-of-ours",
    "PUSH_GATEWAY_TOKEN_KEY": "dG9rZW4ga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE=",
    "ACME_KEY": "a-key-of-the-tenant",
    "ACME_JWT_KEY": "a-shared-secret-of-thirty-two-bytes",
    "HQ_SECRET": "a-secret-of-the-pbx",
    "HQ_OLD_SECRET": "the-secret-before-it",
    "HQ_CLIENT_SECRET": "a-secret-of-the-api",
    "HQ_CONNECTOR_SECRET": "c2lnbnMgb3VyIHJlcXVlc3Rz",
}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside `X | None`, `tuple[X, ...]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def keys_of(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every key below `model`, dotted, with its default (`...`: required, or made by a factory)."""
    keys: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner = list(models_in(field.annotation))
        for below in inner:
            keys |= keys_of(below, f"{prefix}{name}.")
        if not inner:
            keys[f"{prefix}{name}"] = ... if field.default is PydanticUndefined else field.default
    return keys


def keys_written(text: str) -> dict[str, bool]:
    """Every key in the file, dotted; False for one behind a `#`."""
    table, keys = "", {}
    for line in text.splitlines():
        if header := re.fullmatch(r"\[+([a-z_.]+)\]+", line):
            table = header[1]
        elif key := re.match(r'(# )?([a-z_]+|"[a-z.]+") = ', line):
            keys[table if table == MAX_AGE else f"{table}.{key[2]}"] = not key[1]
    return keys


def values_written() -> dict[str, Any]:
    """Every value in the file, dotted."""
    found: dict[str, Any] = {}

    def walk(value: Any, place: str) -> None:
        if isinstance(value, dict) and place != MAX_AGE and not {"env", "file"} & set(value):
            for name, inner in value.items():
                walk(inner, f"{place}.{name}" if place else name)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for inner in value:
                walk(inner, place)
        else:
            found[place] = value

    walk(tomllib.loads(REFERENCE.read_text()), "")
    return found


def plain(value: Any) -> Any:
    """A default as TOML would write it."""
    return [str(item) for item in value] if isinstance(value, tuple) else value


def test_the_reference_holds_every_key_of_the_models_and_no_other() -> None:
    assert keys_written(REFERENCE.read_text()).keys() - SHORT_FORMS == keys_of(Settings).keys()


def test_what_stands_in_the_reference_is_the_default() -> None:
    defaults = keys_of(Settings)
    examples = {
        "tenants.apps",
        "apps.apns.team_id",
        "apps.apns.key_id",
        "apps.apns.key_file",
        "tenants.user_tokens.key",
    }
    examples |= {"tenants.sources.connector.client_id", "tenants.sources.connector.client_secret"}
    compared = 0
    for key, value in values_written().items():
        default = defaults.get(key, ...)
        if default is ... or key in examples:
            continue
        compared += 1
        assert value == plain(default), key
    assert compared > 25


def test_ages_in_the_reference_are_those_that_apply() -> None:
    assert values_written()[MAX_AGE] == DEFAULT_MAX_AGE_SECONDS


def test_a_key_behind_a_hash_has_no_default_and_every_other_without_one_is_marked() -> None:
    defaults, marked = keys_of(Settings), keys_written(REFERENCE.read_text())
    for key, active in marked.items():
        if not active and key != "tenants.sources.secrets":
            assert defaults[key] is None, key


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The reference beside the files that it names."""
    for name in ("AuthKey.p8", "service-account.json"):
        (tmp_path / name).write_text("not looked into here")
    return Path(shutil.copy(REFERENCE, tmp_path))


def test_the_reference_can_be_loaded(copied: Path) -> None:
    settings = load_settings(copied, ENVIRON)
    assert settings.source("hq") is not None
    assert len(settings.apps) == 2


@pytest.mark.parametrize("key", ["shards", "audience", "issuer", "timezone", "push_setting_field", "secrets"])
def test_an_example_behind_a_hash_can_be_loaded_too(copied: Path, key: str) -> None:
    text, count = re.subn(rf"(?m)^# ({key} = )", r"\1", copied.read_text())
    if key == "secrets":
        text = text.replace('\nsecret = { env = "HQ_SECRET" }', "")
    copied.write_text(text)
    assert count == 1
    load_settings(copied, ENVIRON)


def test_the_comment_above_every_key_says_something() -> None:
    lines = REFERENCE.read_text().splitlines()
    for index, line in enumerate(lines):
        if re.match(r"(# )?[a-z_]+ = ", line) and line != 'id = "com.example.softphone.android"':
            assert re.match(r"#\s+\S", lines[index - 1]), line


def test_the_sample_configuration_runs_on_what_the_simulator_writes(tmp_path: Path) -> None:
    simulator = tmp_path / "var" / "simulator"
    simulator.mkdir(parents=True)
    for name in ("AuthKey_SIMKEY0001.p8", "ca.pem", "service-account.json"):
        (simulator / name).write_text("not looked into here")
    (tmp_path / "config").mkdir()
    settings = load_settings(Path(shutil.copy(CONFIG / "gateway.toml", tmp_path / "config")), {})
    assert settings.store.embedded_directory == str(tmp_path / "var" / "store")
    assert {source.name for tenant in settings.tenants for source in tenant.sources} == {"hq", "lab"}
