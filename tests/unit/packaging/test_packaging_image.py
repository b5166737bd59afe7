"""There is no Docker engine where the tests run: what the Dockerfile says is done step by step without one."""

import fnmatch
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from gateway.settings import ServerSettings
from tests.support.commands import options_of
from tests.support.dockerfile import Instruction, read_dockerfile

ROOT = Path(__file__).parents[3]
INSTALLED = "/opt/push-gateway"


def steps(name: str, stage: int | None = None) -> list[Instruction]:
    return [step for step in read_dockerfile(ROOT / "Dockerfile") if step.name == name and stage in (None, step.stage)]


def environment() -> dict[str, str]:
    text = " ".join(step.text for step in steps("ENV", 1))
    return dict(pair.split("=", 1) for pair in text.split())


def copied() -> list[tuple[str, str]]:
    return [(step.words()[0], step.words()[1]) for step in steps("COPY") if "--from=" not in step.text]


@pytest.mark.parametrize("source", [source for source, _ in copied()])
def test_what_is_copied_exists_and_is_not_ignored(source: str) -> None:
    assert (ROOT / source).exists()
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert patterns[0] == "*"
    assert f"!{source}" in patterns


def test_nothing_that_was_built_here_gets_into_the_image() -> None:
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    assert any(fnmatch.fnmatch("gateway/domain/__pycache__", pattern.replace("**/", "*/")) for pattern in patterns)


def test_dependencies_come_from_the_lock_with_their_hashes_and_nothing_is_compiled() -> None:
    (install,) = [step for step in steps("RUN", 0) if "pip install" in step.text]
    for option in ("--require-hashes", "--only-binary :all:", "-r /build/requirements.lock"):
        assert option in install.text
    assert ("requirements.lock", "/build/requirements.lock") in copied()


def test_it_does_not_run_as_root_and_writes_where_it_may() -> None:
    (user,) = steps("USER", 1)
    made = " ".join(step.text for step in steps("RUN", 1))
    assert f"useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin {user.text}" in made
    (volume,) = steps("VOLUME", 1)
    assert f"install -d -o {user.text} -g {user.text} {volume.text}" in made
    assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"


def test_the_environment_of_the_image_overrides_known_keys() -> None:
    overrides = [name.removeprefix("PUSH_GATEWAY__").lower().split("__") for name in environment() if "__" in name]
    assert sorted(overrides) == [["server", "host"], ["server", "port"]]
    assert set(ServerSettings.model_fields) >= {key for _, key in overrides}
    (exposed,) = steps("EXPOSE", 1)
    assert environment()["PUSH_GATEWAY__SERVER__PORT"] == exposed.text


def test_the_command_and_its_options_exist() -> None:
    (entrypoint,) = steps("ENTRYPOINT", 1)
    (command,) = steps("CMD", 1)
    assert entrypoint.words() == ["push-gateway"]
    verb, option, path = command.words()
    assert verb == "serve"
    assert option in options_of(verb)
    assert path == "/etc/push-gateway/gateway.toml"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/push-gateway as the builder makes it, elsewhere; the packages are those of this environment."""
    root = tmp_path_factory.mktemp("image")
    build, installed = root / "build", root / "opt"
    build.mkdir()
    for source, target in copied():
        if target.startswith("/build"):
            place = Path(target.replace("/build", str(build)))
            shutil.copytree(ROOT / source, place) if (ROOT / source).is_dir() else shutil.copy(ROOT / source, place)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(installed)], check=True)
    site = sysconfig.get_path("purelib", vars={"base": str(installed), "platbase": str(installed)})
    (Path(site) / "stand-in-for-pip-install.pth").write_text(sysconfig.get_path("purelib"))
    for step in steps("RUN", 0):
        if "-m venv" not in step.text and "pip install" not in step.text:
            text = step.text.replace(INSTALLED, str(installed)).replace("/build", str(build))
            subprocess.run(["/bin/sh", "-c", text], check=True, capture_output=True)
    shutil.rmtree(build)
    return installed


def contents(tree: Path) -> dict[Path, int]:
    """Every file with the time of its last change."""
    return {file: file.stat().st_mtime_ns for file in tree.rglob("*")}


def test_the_built_tree_runs_the_gateway_it_holds(image: Path, tmp_path: Path) -> None:
    site = sysconfig.get_path("purelib", vars={"base": str(image), "platbase": str(image)})
    found = subprocess.run(
        [image / "bin" / "python", "-c", "import gateway; print(gateway.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == f"{site}/gateway/__init__.py"
    assert list(Path(site, "gateway").rglob("*.pyc"))
    # Everything that is no code came along too.
    for file in (ROOT / "gateway").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert (Path(site) / file.relative_to(ROOT)).exists()


def test_it_serves_and_its_health_check_sees_it(image: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "var"
    home.mkdir()
    config = tmp_path / "gateway.toml"
    config.write_text(f'[server]\nport = {port}\n[store]\nurl = "embedded:{home}/store"\n')
    told = {name: value for name, value in environment().items() if name.startswith("PYTHON")}
    before = contents(image)
    (command,) = steps("CMD", 1)
    words = [str(config) if word.endswith(".toml") else word for word in command.words()]
    (health,) = steps("HEALTHCHECK", 1)
    check = json.loads(health.text.split("CMD", 1)[1])
    check = [str(image / "bin" / "python"), *(word.replace("8080", str(port)) for word in check[1:])]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [image / "bin" / "push-gateway", *words], stderr=log, cwd=home, env={"PATH": os.defpath, **told}
        )
    try:
        deadline = time.monotonic() + 30
        while (healthy := subprocess.run(check, capture_output=True, check=False)).returncode != 0:
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, healthy.stderr
            time.sleep(0.2)
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0, (tmp_path / "log").read_text()
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0
    assert contents(image) == before, "a read-only root file system would have been written to"
