"""Real servers for the store's tests: the Valkey of the wheel and, where it is installed, Debian's redis-server."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from gateway.store.valkey_binary import find_server, server_config

DEADLINE_SECONDS = 20.0


def server_kinds() -> tuple[str, ...]:
    """The servers that the tests run against on this machine."""
    return ("valkey", "redis") if shutil.which("redis-server") else ("valkey",)


def binary(kind: str) -> Path:
    """The server's program."""
    return find_server() if kind == "valkey" else Path(shutil.which("redis-server") or "redis-server")


@dataclass(slots=True)
class Server:
    """A server process of the tests, on a socket in a directory of its own."""

    kind: str
    directory: Path
    process: subprocess.Popen[bytes]
    port: int = 0

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / "s"

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return f"unix://{self.socket}"

    def client(self) -> Redis:
        """A client for looking around; blocking, for the test only."""
        return Redis(unix_socket_path=str(self.socket), protocol=2)

    def names(self) -> list[str]:
        """Names of all keys."""
        with self.client() as client:
            return sorted(key.decode() for key in client.keys("*"))

    def empty(self) -> None:
        """Nothing in it any more, on its disk neither: a server that is killed next does not bring it back."""
        with self.client() as client:
            client.flushall()
            client.script_flush()
        self.write_out()

    def write_out(self) -> None:
        """Every write so far is in the append-only file. With `everysec` and a slow disk it may be held back for two
        seconds, and a kill would lose it."""
        with self.client() as client:
            client.config_set("appendfsync", "always")
            client.config_set("appendfsync", "everysec")

    def streams(self) -> list[str]:
        """Names of the tenants' streams in the lanes."""
        return [name for name in self.names() if ":q:" in name and ":s:" in name]

    def kill(self) -> None:
        """As by SIGKILL: nothing is finished."""
        self.process.kill()
        self.process.wait()

    def start(self, *more: str, patient: bool = True) -> None:
        """Start it, or start it again, with `more` lines of configuration; patient: until it is ready."""
        self.process = _spawn(self.kind, self.directory, self.port, more=more, patient=patient)

    @property
    def append_only_file(self) -> Path:
        """The file that writes go to now."""
        return max((self.directory / "appendonlydir").glob("*.incr.aof"))


@contextmanager
def running_server(kind: str, *, port: int = 0) -> Iterator[Server]:
    """A fresh server, on a socket and on `port` if one is given; gone afterwards, with its directory."""
    with tempfile.TemporaryDirectory(prefix="store") as folder:
        directory = Path(folder)
        server = Server(kind, directory, _spawn(kind, directory, port), port)
        try:
            yield server
        finally:
            server.process.send_signal(signal.SIGCONT)
            server.kill()


def _spawn(
    kind: str, directory: Path, port: int, *, more: tuple[str, ...] = (), patient: bool = True
) -> subprocess.Popen[bytes]:
    config = directory / "conf"
    wanted = server_config(directory=directory, socket=directory / "s", fsync="everysec")
    config.write_text("\n".join([wanted.replace("port 0", f"bind 127.0.0.1\nport {port}"), *more, ""]))
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            # A file that may not grow is an error, and no signal: as on a full disk.
            [binary(kind), config],
            stdout=log,
            stderr=log,
            start_new_session=True,
            restore_signals=False,
        )
    if patient:
        _until_ready(Redis(unix_socket_path=str(directory / "s")))
    return process


def _until_ready(client: Redis) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            client.ping()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            client.close()
            return


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """Three Redis nodes that hold all slots between them."""

    ports: tuple[int, ...]
    processes: tuple[subprocess.Popen[bytes], ...]

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)


@contextmanager
def running_cluster() -> Iterator[RunningCluster]:
    """A fresh cluster; gone afterwards."""
    ports = tuple(free_port() for _ in range(3))
    with tempfile.TemporaryDirectory(prefix="cluster") as folder:
        processes = tuple(_spawn_node(Path(folder), port) for port in ports)
        try:
            clients = [Redis(port=port, protocol=2) for port in ports]
            for client in clients:
                _until_ready(client)
            _join(clients)
            yield RunningCluster(ports, processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _spawn_node(folder: Path, port: int) -> subprocess.Popen[bytes]:
    directory = folder / str(port)
    directory.mkdir()
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": directory,
        "save": "",
        "cluster-enabled": "yes",
        "cluster-port": free_port(),
        "cluster-node-timeout": 2000,
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return subprocess.Popen([binary("redis"), *words], stdout=subprocess.DEVNULL, start_new_session=True)


def _join(clients: list[Any]) -> None:
    borders = (0, 5461, 10923, 16384)
    for client, first, end in zip(clients, borders, borders[1:], strict=False):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
    for client in clients[1:]:
        config: Any = client.config_get("cluster-port")
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", _port_of(client), config["cluster-port"])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not all(b"cluster_state:ok" in _raw(client, "CLUSTER", "INFO") for client in clients):
        assert time.monotonic() < deadline, "the cluster does not come up"
        time.sleep(0.05)
    for client in clients:
        client.close()


def _raw(client: Redis, *command: str) -> bytes:
    """A reply as it came: the client's reading of CLUSTER INFO differs between versions."""
    connection: Any = client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        reply: bytes = connection.read_response()
        return reply
    finally:
        client.connection_pool.release(connection)


def _port_of(client: Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class SentinelPair:
    """A primary, its replica, and a Sentinel that puts one in the other's place."""

    url: str
    primary: Server
    replica: Server


@contextmanager
def running_sentinel_pair() -> Iterator[SentinelPair]:
    """Two servers and a quick Sentinel; gone afterwards."""
    ports = (free_port(), free_port())
    with (
        running_server("redis", port=ports[0]) as primary,
        running_server("redis", port=ports[1]) as replica,
        tempfile.TemporaryDirectory(prefix="sentinel") as folder,
    ):
        with replica.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", ports[0])
        _until(lambda: _link(replica) == "up")
        process, port = _spawn_sentinel(Path(folder), ports[0])
        try:
            with Redis(port=port, protocol=2) as client:
                _until_ready(client)
                _until(lambda: b"slaves=1" in _raw(client, "INFO", "sentinel"))
            yield SentinelPair(f"redis+sentinel://127.0.0.1:{port}/pbx", primary, replica)
        finally:
            process.kill()
            process.wait()


def _spawn_sentinel(directory: Path, primary: int) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    lines = (
        f"port {port}",
        "bind 127.0.0.1",
        f"sentinel monitor pbx 127.0.0.1 {primary} 1",
        "sentinel down-after-milliseconds pbx 500",
        "sentinel failover-timeout pbx 3000",
    )
    config = directory / "sentinel.conf"
    config.write_text("\n".join(lines) + "\n")
    words = [str(binary("redis")), str(config), "--sentinel"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True), port


def _link(replica: Server) -> str:
    with replica.client() as client:
        return str(client.info("replication")["master_link_status"])


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
