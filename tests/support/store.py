"""Real servers for the store's tests: the Valkey of the wheel and, where it is installed, Debian's redis-server."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from redis import Redis

from gateway.domain.decision import Action, Decision, EventRecord, PlannedPush, Reason
from gateway.domain.device import Device, Environment, Provider, Token
from gateway.domain.effects import Effects
from gateway.domain.event import Caller, EventKind, Millis, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.domain.push import Lane, Push, PushKind, PushState
from gateway.domain.settlement import Settlement
from gateway.pipeline.ids import ulid
from gateway.settings import StoreSettings
from gateway.store import Lease, Store, Stored
from gateway.store.valkey_binary import find_server, server_config
from tests.support.facts import an_event, facts

ALL_LANES = tuple(Lane)
TENANT = "acme"
EXTENSION = "1001"
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

    def kill(self) -> None:
        """As by SIGKILL: nothing is finished."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = _spawn(self.kind, self.directory, self.port)


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


def _spawn(kind: str, directory: Path, port: int) -> subprocess.Popen[bytes]:
    config = directory / "conf"
    wanted = server_config(directory=directory, socket=directory / "s", fsync="everysec")
    config.write_text(wanted.replace("port 0", f"bind 127.0.0.1\nport {port}"))
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen([binary(kind), config], stdout=log, stderr=log, start_new_session=True)
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


@contextmanager
def running_cluster() -> Iterator[list[int]]:
    """Three Redis nodes that hold all slots between them, by their ports."""
    ports = [free_port() for _ in range(3)]
    with tempfile.TemporaryDirectory(prefix="cluster") as folder:
        processes = [_spawn_node(Path(folder), port) for port in ports]
        try:
            clients = [Redis(port=port, protocol=2) for port in ports]
            for client in clients:
                _until_ready(client)
            _join(clients, ports)
            yield ports
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


def _join(clients: list[Any], ports: list[int]) -> None:
    borders = (0, 5461, 10923, 16384)
    for client, first, end in zip(clients, borders, borders[1:], strict=False):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
    for client in clients[1:]:
        config: Any = client.config_get("cluster-port")
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", _port_of(client), config["cluster-port"])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not all(b"cluster_state:ok" in _raw(client, "CLUSTER", "INFO") for client in clients):
        assert time.monotonic() < deadline, f"the cluster of {ports} does not come up"
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


def settings(url: str, *, retention_hours: int = 168, shards: int | None = None) -> StoreSettings:
    """Settings of a store at `url`."""
    return StoreSettings.model_validate({"url": url, "journal_retention_hours": retention_hours, "shards": shards})


@dataclass(slots=True)
class TestClock:
    """A clock that the test moves."""

    __test__ = False

    now: Millis = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def __call__(self) -> Millis:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Time goes on."""
        self.now += round(seconds * 1000)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until it holds."""
    end = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        os.kill(pid, 0)
        return True


def new_event_id(at: Millis) -> str:
    """An event id of that time."""
    return ulid(at, os.urandom)


def a_device(device_id: str = "alice-iphone", **fields: Any) -> Device:
    """A device of extension 1001 with a token of its own."""
    device = Device(
        tenant=TENANT,
        extension=EXTENSION,
        device_id=device_id,
        app="com.example.softphone.ios",
        provider=Provider.APNS,
        token=Token(f"alert-{uuid.uuid4()}"),
        voip_token=Token(f"voip-{uuid.uuid4()}"),
        environment=Environment.PRODUCTION,
        name="Alice's iPhone",
        locale="en-GB",
        registered_at=1_795_341_600_000,
    )
    return replace(device, **fields)


def a_push(event_id: str, device_id: str = "alice-iphone", **fields: Any) -> Push:
    """A missed-call push that is good for an hour of real time."""
    now = time.time_ns() // 1_000_000
    push = Push(
        push_id=str(uuid.uuid4()),
        event_id=event_id,
        tenant=TENANT,
        extension=EXTENSION,
        device_id=device_id,
        kind=PushKind.CALL_MISSED,
        collapse_id="c" * 32,
        occurred_at=now,
        deadline=now + 3_600_000,
        badge=1,
        call_id="call-1",
        caller=Caller(number="+4915112345678", name="Alice"),
    )
    return replace(push, **fields)


def a_record(
    event_id: str,
    *,
    event: PbxEvent | None = None,
    kind: EventKind = EventKind.CALL_MISSED,
    extension: str = EXTENSION,
    call_id: str = "call-1",
    identity: str | None = None,
    tenant: str = TENANT,
    action: Action = Action.FORWARD,
    reason: Reason = Reason.ALLOWED,
    pushes: tuple[Push, ...] = (),
) -> EventRecord:
    """An event, decided."""
    told = event or replace(an_event(kind, call_id=call_id, extension=extension), identity=identity)
    known = replace(facts(told, event_id=event_id), tenant=tenant)
    planned = tuple(PlannedPush(device_id=push.device_id, push_id=push.push_id) for push in pushes)
    return EventRecord(
        event_id=event_id,
        tenant=tenant,
        source="hq",
        received_at=known.now,
        facts=known,
        decision=Decision(action=action, reason=reason, pushes=planned),
    )


async def store_event(store: Store, effects: Effects, record: EventRecord) -> ExtensionState:
    """Accept an event on a fresh reading, which has to succeed; returns that reading."""
    call = record.facts.event.call
    extension = record.facts.event.extension
    state = await store.extensions.load(record.tenant, extension, call.id if call else None)
    assert await store.extensions.accept(state, record, effects) == Stored()
    return state


async def store_pushes(store: Store, *pushes: Push) -> str:
    """Accept an event of its own with these pushes; returns its id."""
    event_id = pushes[0].event_id
    tenant, extension = pushes[0].tenant, pushes[0].extension
    record = a_record(event_id, tenant=tenant, extension=extension, call_id=f"call of {event_id}", pushes=pushes)
    await store_event(store, Effects(pushes=pushes), record)
    return event_id


async def take_one(store: Store, consumer: str = "worker") -> Lease:
    """The one push that waits, whatever its lane."""
    leases = await take_all(store, consumer)
    assert len(leases) == 1
    return leases[0]


async def take_all(store: Store, consumer: str = "worker") -> list[Lease]:
    """Everything that waits now."""
    found: list[Lease] = []
    while leases := await store.queue.take(consumer, lanes=ALL_LANES, count=100, block_ms=0):
        found += leases
    return found


async def settle(store: Store, lease: Lease, state: PushState, **fields: Any) -> bool:
    """End a lease."""
    return await store.queue.settle(lease, Settlement(state=state, **fields))
