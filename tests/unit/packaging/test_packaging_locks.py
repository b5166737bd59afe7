"""The locks are what is installed, the Makefile lists itself, and the scripts hold together."""

import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, Requirement]:
    """Pins by name, those that apply on this machine."""
    lines = re.findall(r"(?m)^([a-zA-Z0-9][^\\\n]*?)\s*\\$", (ROOT / name).read_text())
    pins = [Requirement(line) for line in lines]
    return {canonicalize_name(pin.name): pin for pin in pins if pin.marker is None or pin.marker.evaluate()}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_is_exact_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text()
    for block in re.split(r"(?m)^(?=[a-zA-Z0-9])", text):
        if block.strip():
            assert "==" in block.splitlines()[0], block
            assert "--hash=sha256:" in block, block
    assert "index-url" not in text


@pytest.mark.parametrize("name", LOCKS)
def test_what_runs_these_tests_was_installed_from_the_lock(name: str) -> None:
    for pin in locked(name).values():
        assert metadata.version(pin.name) in pin.specifier, pin


def test_the_development_lock_holds_everything_of_the_other() -> None:
    runtime, development = locked(LOCKS[0]), locked(LOCKS[1])
    assert {name: str(pin) for name, pin in development.items() if name in runtime} == {
        name: str(pin) for name, pin in runtime.items()
    }


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (LOCKS[0], PROJECT["project"]["dependencies"]),
        (LOCKS[1], PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_every_dependency_of_the_project_is_in_its_lock(lock: str, wanted: list[str]) -> None:
    pins = locked(lock)
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate():
            (version,) = [part.version for part in pins[canonicalize_name(requirement.name)].specifier]
            assert version in requirement.specifier, requirement


def test_make_lists_every_target_that_a_person_calls() -> None:
    shown = subprocess.run(["make", "--silent"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"(?m)^  make (\w+)", shown) == [
        "help",
        "demo",
        "test",
        "check",
        "bench",
        "fuzz",
        "audit",
        "lock",
        "clean",
        "chaos",
        "soak",
    ]


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("demo", r"\.venv/bin/push-gateway demo$"),
        ("test", r"\.venv/bin/python -m pytest$"),
        (
            "lock",
            r"uv pip compile pyproject\.toml --group dev --universal --generate-hashes .* requirements-dev\.lock$",
        ),
        ("check", r"\.ci/tests$"),
        ("bench", r"-m tests\.bench\.\$module;"),
        ("fuzz", r"\.venv/bin/python -m tests\.fuzz 60$"),
        ("audit", r"pip-audit --require-hashes --disable-pip --requirement requirements\.lock$"),
    ],
)
def test_a_target_does_what_it_says(target: str, line: str) -> None:
    planned = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(f"(?m){line}", planned)


@pytest.mark.parametrize("script", ["run", "environment", "tests"])
def test_a_script_can_be_run(script: str) -> None:
    file = ROOT / ".ci" / script
    assert file.stat().st_mode & 0o111
    shell = file.read_text().splitlines()[0].removeprefix("#!").split()[-1].rsplit("/", 1)[-1]
    subprocess.run([shell, "-n", str(file)], check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Just enough of the project for `.ci/environment`."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "environment").write_bytes((ROOT / ".ci" / "environment").read_bytes())
    (tmp_path / "bin").mkdir()
    return tmp_path


def set_up(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Runs the set-up where `python` is the only interpreter: a shell script that answers what it is asked."""
    fake = checkout / "bin" / "python3"
    fake.write_text(f"#!/bin/sh\n{python}\n")
    fake.chmod(0o755)
    environ = {"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", "PYTHON": str(fake)}
    return subprocess.run(
        ["sh", ".ci/environment", "requirements.lock"],
        cwd=checkout,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_named_with_what_to_do(checkout: Path) -> None:
    done = set_up(checkout, '[ "$1" = --version ] && echo "Python 3.9.6" && exit 0; exit 1')
    assert done.returncode == 1
    assert "Python 3.11 or later is needed, and Python 3.9.6 was found" in done.stderr
    assert "brew install" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_venv_module_is_named_with_the_package_to_install(checkout: Path) -> None:
    done = set_up(checkout, 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


@pytest.mark.parametrize(
    ("lacks", "installed"),
    [
        ((), None),
        (("redis-server",), "redis-server"),
        (("make", "python3", "redis-server"), "make python3 python3-venv redis-server"),
    ],
)
def test_ci_installs_what_debian_lacks_and_calls_make_check(
    tmp_path: Path, lacks: tuple[str, ...], installed: str | None
) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    answers = {"make": 'echo "make $*" >&2', "python3": ":", "redis-server": ":", "id": "echo 0"}
    install = 'case "$*" in *install*) cp "$0" "$(dirname "$0")/make";; esac' if "make" in lacks else ":"
    answers["apt-get"] = f'echo "apt-get $*" >&2; {install}'
    (tools / "cp").symlink_to(str(shutil.which("cp")))
    for name, answer in answers.items():
        if name not in lacks:
            (tools / name).write_text(f"#!{tools / 'bash'}\n{answer}\n")
            (tools / name).chmod(0o755)
    done = subprocess.run(
        [tools / "bash", str(tmp_path / ".ci" / "run")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stderr.splitlines()
    assert said[-1].endswith(" check")
    if installed is None:
        assert said == ["make check"]
    else:
        assert said[0] == "apt-get -qq update"
        assert said[1] == f"apt-get -qq -y install --no-install-recommends {installed}"
