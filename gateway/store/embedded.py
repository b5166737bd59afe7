"""A Valkey server of our own, below a directory: started, shared, adopted, restarted and stopped.

Two locks in the directory carry the protocol, and both end with their holders, however those die:

- `server.lock` is inherited by the server process itself: whoever gets it knows that no server runs on the
  directory, and may start one. Two servers on one append-only file would destroy it.
- `users.lock` is held shared by every gateway process. Who gets it exclusively when leaving was the last, and stops
  the server. A server whose gateways were all killed lives on, and is adopted by the next one.

The server has a session of its own: Ctrl-C reaches the gateway only, which drains first.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import structlog
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.domain.errors import ConfigurationError, Problem, StoreUnavailable
from gateway.store.valkey_binary import find_server, server_config

_LEFT_TO_OTHERS: list[subprocess.Popen[bytes]] = []
"""Servers that this process started and others still use: not to be waited for, and not to be warned of."""

logger = structlog.get_logger(__name__)

READY_SECONDS = 120.0
"""A long append-only file takes its time to load."""
STOP_SECONDS = 30.0
"""From SIGTERM until the last write is on disk and the process is gone."""
LOOK_SECONDS = 0.2
"""Between two looks whether the server lives."""
MOST_PAUSE_SECONDS = 10.0
"""Between two starts of a server that keeps dying."""
MOST_LOG_BYTES = 1_000_000
"""A server's log beyond that is begun anew at its next start."""
MOST_SOCKET_BYTES = 100
"""The address of a unix socket has 104 bytes on macOS and 108 on Linux."""


class EmbeddedServer:
    """The server below one directory, as one of its gateway processes sees it."""

    def __init__(self, directory: Path, *, fsync: Literal["always", "everysec"] = "always") -> None:
        self._directory = directory.absolute()
        self._fsync = fsync
        self._log = self._directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = socket_path(self._directory)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The server runs, and is restarted when it dies, until the end of the block; then it is stopped, unless
        another process uses it.

        Raises `ConfigurationError` when the directory or the server cannot be used, `StoreUnavailable` when it does
        not get ready.
        """
        self._prepare()
        with self._lock_file("users.lock") as users:
            await _until_locked(users, fcntl.LOCK_SH)
            await self._start_if_none()
            await self._until_ready()
            watch = asyncio.create_task(self._watch(), name="embedded store")
            try:
                yield
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
                await self._leave(users)

    def _prepare(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            self._prepare_socket()
        except OSError as error:
            raise _unusable(self._directory, error.strerror or "cannot be used") from error

    def _prepare_socket(self) -> None:
        """The place of the socket; whoever leaves last removes it where it is not the directory itself."""
        if self.socket.parent != self._directory:
            self.socket.parent.mkdir(mode=0o700, exist_ok=True)
            _require_private(self.socket.parent)

    @contextlib.contextmanager
    def _lock_file(self, name: str) -> Any:
        try:
            descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self._directory, error.strerror or "cannot be written") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    async def _start_if_none(self) -> bool:
        """Start the server if none runs on the directory. The lock passes to it, and ends with it."""
        with self._lock_file("server.lock") as lock:
            if not _locked(lock, fcntl.LOCK_EX):
                return False
            await asyncio.to_thread(self._spawn, lock)
            return True

    def _spawn(self, lock: int) -> None:
        config = self._directory / "server.conf"
        config.write_text(server_config(directory=self._directory, socket=self.socket, fsync=self._fsync))
        self._prepare_socket()
        self.socket.unlink(missing_ok=True)
        big = self._log.exists() and self._log.stat().st_size > MOST_LOG_BYTES
        with self._log.open("wb" if big else "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, our own file
                [find_server(), config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                pass_fds=(lock,),
                start_new_session=True,
            )

    async def _until_ready(self) -> None:
        """Until it answers; as long as it only loads its data, that may take a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + READY_SECONDS
        while loop.time() < end:
            if await self._answers():
                return
            if self._process is not None and (self._process.poll() or 0) > 0:
                raise _unusable(self._directory, f"its server does not start: {self._last_words()}")
            # one that was killed or told to go is no fault of the directory's: it is started again
            await self._start_if_none()
            await asyncio.sleep(0.02)
        raise StoreUnavailable("the embedded store does not get ready")

    async def _answers(self) -> bool:
        """Whether the server is ready; an adopted one then follows our `fsync`."""
        async with _client(self.socket) as client:
            try:
                await client.execute_command("PING")
                await client.execute_command("CONFIG", "SET", "appendfsync", self._fsync)
            except (exceptions.RedisError, OSError):
                return False
            return True

    async def _watch(self) -> None:
        """Restart the server whenever nobody holds its lock any more."""
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            if self._process is not None:
                self._process.poll()
            try:
                started = await self._start_if_none()
            except (OSError, ConfigurationError) as error:
                logger.exception("the embedded store cannot be started", why=str(error))
                started = True
            if started:
                logger.warning("the embedded store had died and is started again", log=str(self._log))
            pause = min(pause * 2, MOST_PAUSE_SECONDS) if started else LOOK_SECONDS

    async def _leave(self, users: int) -> None:
        """Stop the server if no other gateway process uses it, and wait until it is gone: its last write is on disk
        then. Who starts meanwhile waits for `users.lock`."""
        fcntl.flock(users, fcntl.LOCK_UN)
        if not _locked(users, fcntl.LOCK_EX):
            if self._process is not None:
                _LEFT_TO_OTHERS.append(self._process)
            return
        await self._terminate()
        with self._lock_file("server.lock") as lock:
            try:
                await _until_locked(lock, fcntl.LOCK_EX, seconds=STOP_SECONDS)
            except StoreUnavailable:
                logger.exception("the embedded store does not stop", seconds=STOP_SECONDS)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        if self.socket.parent != self._directory:
            with contextlib.suppress(OSError):
                self.socket.parent.rmdir()

    async def _terminate(self) -> None:
        """SIGTERM, to our own child or to the process that answers on the socket."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            return
        async with _client(self.socket) as client:
            with contextlib.suppress(exceptions.RedisError, OSError):
                server = await client.info("server")
                os.kill(int(server["process_id"]), signal.SIGTERM)

    def _last_words(self) -> str:
        """The end of the server's log: it holds no data."""
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return " | ".join(line.strip() for line in lines[-3:])


def socket_path(directory: Path) -> Path:
    """Where the server of a directory listens: inside it, or below the temporary directory when the path is too long
    for a socket's address, or below /tmp where that is too long itself. The same for every process of this user."""
    inside = directory / "server.sock"
    if len(os.fsencode(inside)) <= MOST_SOCKET_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
    below = Path(f"push-gateway-{os.getuid()}-{name}", "server.sock")
    temporary = tempfile.gettempdir() / below
    return temporary if len(os.fsencode(temporary)) <= MOST_SOCKET_BYTES else "/tmp" / below  # noqa: S108 - 0700, and ours


def _require_private(folder: Path) -> None:
    """A directory below the temporary one may have been made by somebody else."""
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise _unusable(folder, "belongs to somebody else, or is open to others")


def _unusable(folder: Path, why: str) -> ConfigurationError:
    return ConfigurationError(Problem(loc="store.url", msg=f"the embedded store in {folder} cannot be used: {why}"))


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _until_locked(descriptor: int, how: int, *, seconds: float = READY_SECONDS) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not _locked(descriptor, how):
        if loop.time() > end:
            raise StoreUnavailable("the embedded store is locked by another process")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _client(socket: Path) -> AsyncIterator[Any]:
    client = Redis(
        unix_socket_path=str(socket),
        protocol=2,
        socket_timeout=2,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    )
    try:
        yield client
    finally:
        await client.aclose()
