"""Who else may read a file that holds a secret.

Asked for when the server can be reached from other machines; on loopback a developer's files are taken as they are.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOUNTED_SECRETS = ("/run/secrets", "/var/run/secrets")
"""Where Docker, Podman and Kubernetes mount secrets, readable by everyone within the container: its walls protect them.
systemd's place for them is in `CREDENTIALS_DIRECTORY`."""

_SECRET_KEYS = frozenset({"key", "secret", "secrets", "client_secret"})


def require_private(path: Path, environ: Mapping[str, str]) -> None:
    """Raises ValueError, with what to do, when others than its owner may read or write the file at `path`.

    A group may read it when the owner is root: so a service gets a secret that it cannot change (`root:push-gateway`,
    0640), which is PostgreSQL's rule too. Everything within a place for mounted secrets is taken.
    """
    if _is_mounted(path, environ):
        return
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    allowed = 0o040 if found.st_uid == 0 else 0
    if mode & 0o077 & ~allowed:
        raise ValueError(
            f"{path} holds a secret and may be read or written by others (mode {mode:04o}): make it 0600, or 0640 with "
            "root as its owner"
        )


def holds_secrets(given: Any) -> bool:
    """Whether a configuration, as its file has it, holds a secret in the open: not by `env` or `file`. A public key is
    none."""
    match given:
        case dict():
            return any(
                _is_open(value) if name in _SECRET_KEYS else holds_secrets(value) for name, value in given.items()
            )
        case list():
            return any(map(holds_secrets, given))
    return False


def _is_open(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_open, value))
    return isinstance(value, str) and "PUBLIC KEY" not in value


def _is_mounted(path: Path, environ: Mapping[str, str]) -> bool:
    places = [*MOUNTED_SECRETS, environ.get("CREDENTIALS_DIRECTORY", "")]
    return any(Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place)) for place in places if place)
