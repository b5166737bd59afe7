"""config/compose.yaml names what exists, and the configuration inside it can be loaded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import Settings, load_settings
from tests.support.dockerfile import read_dockerfile

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "config" / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text()))


def given_environment(compose: dict[str, Any]) -> dict[str, str]:
    """What the container gets: values as written, those of .env as somebody would set them."""
    written: dict[str, str] = compose["services"]["gateway"]["environment"]
    image = " ".join(step.text for step in read_dockerfile(ROOT / "Dockerfile") if step.name == "ENV")
    own = {name: f"value-of-{name}-made-by-openssl-rand" for name, value in written.items() if value.startswith("${")}
    return dict(pair.split("=", 1) for pair in image.split()) | written | own


def loaded(compose: dict[str, Any], tmp_path: Path) -> Settings:
    for name in compose["services"]["gateway"]["secrets"]:
        (tmp_path / name).write_text("not looked into here")
        (tmp_path / name).chmod(0o600)
    content: str = compose["configs"]["gateway"]["content"]
    assert "$" not in content, "Compose would take it for a variable"
    file = tmp_path / "gateway.toml"
    file.write_text(content.replace("/run/secrets", str(tmp_path)))
    return load_settings(file, given_environment(compose))


def test_the_configuration_inside_is_valid_in_the_container(compose: dict[str, Any], tmp_path: Path) -> None:
    settings = loaded(compose, tmp_path)
    assert settings.store.url == "redis://store:6379/0"
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8080)
    assert settings.source("hq") is not None
    assert len(settings.apps) == 2


def test_the_configuration_stands_where_the_image_looks_for_it(compose: dict[str, Any]) -> None:
    (command,) = [step for step in read_dockerfile(ROOT / "Dockerfile") if step.name == "CMD"]
    (config,) = compose["services"]["gateway"]["configs"]
    assert config == {"source": "gateway", "target": command.words()[-1]}


def test_everything_that_is_referred_to_is_declared(compose: dict[str, Any], tmp_path: Path) -> None:
    gateway, store = compose["services"]["gateway"], compose["services"]["store"]
    assert set(gateway["depends_on"]) <= set(compose["services"])
    assert set(gateway["secrets"]) == set(compose["secrets"])
    assert {mount.split(":")[0] for mount in store["volumes"]} == set(compose["volumes"])
    assert (COMPOSE.parent / gateway["build"] / "Dockerfile").is_file()
    settings = loaded(compose, tmp_path)
    host = settings.store.url.removeprefix("redis://").split(":")[0]
    assert host in compose["services"]


def test_secrets_are_kept_out_of_the_repository() -> None:
    ignored = (COMPOSE.parent / ".gitignore").read_text().split()
    assert {".env", "secrets/"} <= set(ignored)


def test_the_store_keeps_every_acknowledged_event_on_disk(compose: dict[str, Any]) -> None:
    command = compose["services"]["store"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options == {
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--save": "",
        "--maxmemory-policy": "noeviction",
    }


def test_the_gateway_needs_no_rights_and_has_time_to_drain(compose: dict[str, Any], tmp_path: Path) -> None:
    gateway = compose["services"]["gateway"]
    assert gateway["read_only"] is True
    assert gateway["tmpfs"]
    assert gateway["cap_drop"] == ["ALL"]
    assert int(gateway["stop_grace_period"].removesuffix("s")) > loaded(compose, tmp_path).server.drain_seconds


@pytest.mark.parametrize("service", ["gateway", "store"])
def test_every_service_is_watched(compose: dict[str, Any], service: str) -> None:
    check = compose["services"][service]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert service != "gateway" or "127.0.0.1:8080/readyz" in check["test"][-1]
