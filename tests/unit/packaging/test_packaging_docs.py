"""What operators read is complete, and names nothing that does not exist."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from gateway.domain.tenant_policy import TenantPolicy
from gateway.pipeline.services import Role
from gateway.settings import LogSettings, ServerSettings, StoreSettings, WorkerSettings
from gateway.telemetry.metrics import Metrics
from tests.support.commands import options_of

ROOT = Path(__file__).parents[3]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def metric_names() -> set[str]:
    families = text_string_to_metric_families(Metrics().render().decode())
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if family.name.startswith("push_gateway_")
    }


def test_every_metric_is_explained_and_every_explained_one_exists() -> None:
    rows = set(re.findall(r"(?m)^\| `(push_gateway_\w+)", OPERATIONS))
    assert rows == metric_names()
    assert set(re.findall(r"push_gateway_\w+", OPERATIONS)) == metric_names()


def test_every_label_stands_beside_its_metric() -> None:
    metrics = Metrics()
    for name, labels in re.findall(r"(?m)^\| `push_gateway_(\w+)(?:\{([\w,]+)\})?`", OPERATIONS):
        assert getattr(metrics, name)._labelnames == tuple(filter(None, labels.split(","))), name


def test_every_key_that_is_named_with_its_section_exists() -> None:
    sections: dict[str, type[BaseModel]] = {
        "server": ServerSettings,
        "store": StoreSettings,
        "worker": WorkerSettings,
        "log": LogSettings,
        "policy": TenantPolicy,
    }
    for section, key in re.findall(rf"`({'|'.join(sections)})\.([a-z_]+)", OPERATIONS):
        assert key in sections[section].model_fields, f"{section}.{key}"


PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text()
    for page in (
        ROOT / "docs" / "operations.md",
        ROOT / "docs" / "pbx" / "yeastar.md",
        ROOT / "config" / "gateway.toml",
    )
}
NAMED = re.compile(r"push-gateway ((?:dead-letters )?[a-z][a-z-]*)((?: +(?:\[?--[a-z-]+|[\w./]+))*)")
"""A command with its options and arguments, as a page writes it."""


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists_with_its_options(page: str) -> None:
    named = [(found[1], found[2]) for found in NAMED.finditer(PAGES[page])]
    assert named
    for command, rest in named:
        assert set(re.findall(r"--[a-z-]+", rest)) <= options_of(*command.split()), command


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")), ids=str)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", (ROOT / page).read_text()):
        if "://" not in link:
            assert (ROOT / page).parent.joinpath(link).exists(), link


def test_roles_in_the_documentation_are_those_of_the_command() -> None:
    assert "--role " + "|".join(Role) in OPERATIONS
    assert get_args(StoreSettings.model_fields["fsync"].annotation) == ("always", "everysec")


def test_every_place_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for place in re.findall(r"`((?:gateway|tests)/[\w./]+)`", text):
        assert (ROOT / place).exists(), place
    for script in re.findall(r"(\w+\.lua)", text):
        assert (ROOT / "gateway" / "store" / "scripts" / script).exists(), script


def test_the_architecture_has_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {room.parent.name for room in (ROOT / "gateway").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"`gateway/(\w+)/`", text))


def test_the_layers_in_the_architecture_are_those_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    enforced = [re.findall(r"gateway\.(\w+)", layer) for layer in contract["layers"]]
    text = (ROOT / "docs" / "architecture.md").read_text().split("Layers, high to low:")[1].split("An import")[0]
    assert [re.findall(r"`(\w+)`", layer) for layer in text.split(">")] == enforced[1:]
