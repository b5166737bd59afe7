"""What is installed comes from a registry, exactly as it was locked, under a licence that may be shipped."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements-dev.lock")

ALLOWED = {
    "0bsd",
    "apache-2.0",
    "apache software license",
    "bsd-2-clause",
    "bsd-3-clause",
    "3-clause bsd license",
    "bsd license",
    "cnri-python",
    "isc",
    "isc license (iscl)",
    "mit",
    "mit license",
    "mit-0",
    "mozilla public license 2.0 (mpl 2.0)",
    "mpl-2.0",
    "psf-2.0",
    "python software foundation license",
    "the unlicense (unlicense)",
    "zlib",
}
"""May be installed beside Apache-2.0 and shipped in an image. The MPL is of its own files; no GPL, LGPL or AGPL."""

READ_BY_HAND = {"pyreqwest": "Apache-2.0: its metadata names only the file, dist-info/licenses/LICENSE"}
"""Whose metadata says nothing, with what their licence file says."""


def lines_of(lock: str) -> list[str]:
    """The lines of a lock without their continuations."""
    return re.sub(r" *\\\n\s*", " ", (ROOT / lock).read_text()).splitlines()


def installed(lock: str) -> list[str]:
    """Names of what applies on this machine."""
    pins = [Requirement(line.partition(" --hash")[0]) for line in lines_of(lock) if line.strip()]
    return [canonicalize_name(pin.name) for pin in pins if pin.marker is None or pin.marker.evaluate()]


def licences_of(name: str) -> set[str]:
    """Every licence of a package, by its expression, else its classifiers, else its licence field."""
    found = metadata.metadata(name)
    for expression in found.get_all("License-Expression", []):
        parts = re.split(r"\bAND\b|\bOR\b|\bWITH\b|[()]", expression)
        return {part.strip().lower() for part in parts if part.strip()}
    classifiers = [value for value in found.get_all("Classifier", []) if value.startswith("License ::")]
    told = [value.rpartition(" :: ")[2] for value in classifiers if not value.endswith("OSI Approved")]
    return {value.strip().lower() for value in told or found.get_all("License", []) if value.strip()}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_with_hashes_and_nothing_else(lock: str) -> None:
    for line in lines_of(lock):
        pin = r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==[0-9][0-9A-Za-z.+!]*( ; [^#@]+)?"
        assert re.fullmatch(rf"{pin}( --hash=sha256:[0-9a-f]{{64}})+", line), line[:200]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host_a_file_or_a_repository(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for word in ("://", "git+", "file:", " @ ", "--index", "--extra-index", "--find-links", "--trusted-host", "-e "):
        assert word not in text, word


@pytest.mark.parametrize("lock", LOCKS)
def test_every_licence_is_one_that_is_allowed(lock: str) -> None:
    for name in installed(lock):
        licences = licences_of(name)
        assert licences <= ALLOWED, (name, licences)
        assert licences or name in READ_BY_HAND, name


def test_what_was_read_by_hand_still_has_to_be() -> None:
    for name in READ_BY_HAND:
        assert not licences_of(name), f"{name} says it itself now"
        files = [str(file) for file in metadata.files(name) or () if "LICEN" in str(file).upper()]
        assert files, name


@pytest.mark.parametrize("expression", ["GPL-3.0-only", "MIT AND AGPL-3.0-or-later", "Apache-2.0 OR Proprietary"])
def test_another_licence_would_be_noticed(expression: str) -> None:
    parts = {part.strip().lower() for part in re.split(r"\bAND\b|\bOR\b", expression)}
    assert not parts <= ALLOWED
