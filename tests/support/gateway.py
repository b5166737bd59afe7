"""A real gateway process in front of a real simulator process, as users run them."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from gateway.ingress.signatures import sign_standard_webhook, sign_yeastar
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess, start_simulator

ROOT = Path(__file__).resolve().parents[2]
IOS = "com.example.softphone.ios"
ANDROID = "com.example.softphone.android"
YEASTAR_SECRET = secrets.token_hex(16)
CRM_SECRET = "whsec_" + secrets.token_hex(32)
API_KEY = secrets.token_urlsafe(32)
ADMIN_KEY = secrets.token_urlsafe(32)
JWT_KEY = secrets.token_urlsafe(32)
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass(slots=True)
class Gateway:
    """One gateway process and everything to talk to it."""

    directory: Path
    simulator: SimulatorProcess
    control: SimulatorControl
    session: aiohttp.ClientSession
    store_url: str
    url: str = ""
    process: asyncio.subprocess.Process | None = None
    extra: str = ""
    """More TOML, appended to the configuration."""
    _logs: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.directory / "gateway.toml"

    def write_config(self) -> Path:
        simulator = self.simulator
        self.config.write_text(
            f"""
[server]
port = 0
drain_seconds = 5
[store]
url = "{self.store_url}"
fsync = "always"
[worker]
lease_seconds = 3
[log]
level = "info"
format = "json"
[admin]
api_keys = [{{ name = "ops", key = "{ADMIN_KEY}" }}]
[[apps]]
id = "{IOS}"
[apps.apns]
team_id = "{simulator.team_id}"
key_id = "{simulator.key_id}"
key_file = "{simulator.key_file}"
topic = "com.example.softphone"
url = "{simulator.apns_url}"
sandbox_url = "{simulator.apns_sandbox_url}"
ca_file = "{simulator.ca_file}"
[[apps]]
id = "{ANDROID}"
[apps.fcm]
service_account_file = "{simulator.service_account_file}"
url = "{simulator.fcm_url}"
ca_file = "{simulator.ca_file}"
[[tenants]]
id = "acme"
timezone = "Europe/Berlin"
apps = ["{IOS}", "{ANDROID}"]
[[tenants.api_keys]]
name = "all"
key = "{API_KEY}"
scopes = ["events", "devices", "presence", "read"]
[tenants.user_tokens]
algorithm = "HS256"
key = "{JWT_KEY}"
[[tenants.sources]]
name = "hq"
kind = "yeastar"
secret = "{YEASTAR_SECRET}"
[[tenants.sources]]
name = "crm"
kind = "generic"
secret = "{CRM_SECRET}"
{self.extra}
""",
            encoding="utf-8",
        )
        self.config.chmod(0o600)
        return self.config

    async def start(self, role: str = "all") -> None:
        """Start `push-gateway serve` and wait until it says where it serves."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            "serve",
            "--config",
            str(self.config),
            "--role",
            role,
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self.url = ""
        reader = asyncio.create_task(self._read_log(self.process))
        deadline = time.monotonic() + START_SECONDS
        while not self.url:
            if reader.done() or time.monotonic() > deadline:
                raise RuntimeError("the gateway did not start:\n" + "\n".join(self._logs[-30:]))
            await asyncio.sleep(0.01)

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for raw in process.stderr:
            text = raw.decode(errors="replace").rstrip()
            self._logs.append(text)
            with contextlib.suppress(ValueError):
                entry = json.loads(text)
                if isinstance(entry, dict) and entry.get("event") == "serving":
                    self.url = str(entry["url"])

    @property
    def log(self) -> str:
        """Everything it has logged."""
        return "\n".join(self._logs)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process and wait for its end; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 30)
        self.process = None
        return code

    async def request(
        self, method: str, path: str, document: object = None, *, key: str | None = API_KEY, **options: Any
    ) -> Answer:
        """One request with a bearer key."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if document is not None:
            options["json"] = document
        async with self.session.request(method, self.url + path, headers=headers, **options) as response:
            return Answer(response.status, _decoded(await response.read()), dict(response.headers))

    async def register_iphone(self, extension: str = "1001", device: str = "iphone", **more: object) -> str:
        """Register an iPhone; its token."""
        token, voip = secrets.token_hex(32), secrets.token_hex(32)
        push = {"provider": "apns", "token": token, "voip_token": voip, "environment": "production"}
        document = {"app": IOS, "name": "An iPhone", "locale": "en", "push": push, **more}
        answer = await self.request("PUT", f"/v1/tenants/acme/extensions/{extension}/devices/{device}", document)
        assert answer.status in (200, 201), answer
        return token

    async def register_android(self, extension: str = "1002", device: str = "android", **more: object) -> str:
        """Register an Android phone; its token."""
        token = secrets.token_urlsafe(16) + ":" + secrets.token_urlsafe(60)
        document = {"app": ANDROID, "name": "A phone", "push": {"provider": "fcm", "token": token}, **more}
        answer = await self.request("PUT", f"/v1/tenants/acme/extensions/{extension}/devices/{device}", document)
        assert answer.status in (200, 201), answer
        return token

    async def yeastar(self, type_: int, msg: object, *, as_string: bool = True, secret: str = YEASTAR_SECRET) -> Answer:
        """Post a signed Yeastar webhook."""
        document = {"type": type_, "sn": "3631A2124000", "msg": json.dumps(msg) if as_string else msg}
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign_yeastar(secret, body)}
        return await self.request("POST", "/hooks/hq", key=None, data=body, headers=headers)

    async def call_ended(self, call: str, to: str = "1001", status: str = "NO ANSWER", **more: str) -> Answer:
        """Post 30012 about a call that began 40 s ago."""
        return await self.yeastar(30012, cdr(call, to, status, **more))

    async def cloud_event(
        self, kind: str, extension: str, data: object, *, message_id: str | None = None, **attributes: object
    ) -> Answer:
        """Post a CloudEvent signed by Standard Webhooks to `/hooks/crm`."""
        document = cloud_event(kind, extension, data, **attributes)
        body = json.dumps(document).encode()
        message_id = message_id or f"msg_{uuid.uuid4().hex}"
        seconds = int(time.time())
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign_standard_webhook(CRM_SECRET, message_id, seconds, body),
        }
        return await self.request("POST", "/hooks/crm", key=None, data=body, headers=headers)


def cdr(call: str, to: str, status: str, *, caller: str = "+4915112345678", kind: str = "Inbound") -> dict[str, object]:
    """The `msg` of 30012 about a call that began 40 s ago."""
    local = datetime.now(ZoneInfo("Europe/Berlin")) - timedelta(seconds=40)
    return {
        "call_id": call,
        "time_start": local.strftime("%Y-%m-%d %H:%M:%S"),
        "call_from": caller,
        "call_to": to,
        "call_duration": 25,
        "talk_duration": 0,
        "src_trunk_name": "trunk-a",
        "dst_trunk_name": " ",
        "status": status,
        "type": kind,
        "uid": f"cdr-{call}",
    }


def cloud_event(kind: str, extension: str, data: object, **attributes: object) -> dict[str, object]:
    """A structured CloudEvent."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/tests",
        "type": kind,
        "subject": extension,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
        **attributes,
    }


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


@asynccontextmanager
async def open_gateway(
    directory: Path, *, store_url: str | None = None, extra: str = "", start: bool = True
) -> AsyncIterator[Gateway]:
    """Simulator, configuration and gateway in `directory`; all processes are gone at the end."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        start_simulator(directory / "simulator") as simulator,
        simulator.control() as control,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        store = store_url or f"embedded:{directory / 'store'}"
        gateway = Gateway(directory, simulator, control, session, store, extra=extra)
        gateway.write_config()
        try:
            if start:
                await gateway.start()
            yield gateway
        finally:
            if gateway.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    await gateway.stop()
            stop_store(directory / "store")


def store_pid(directory: Path) -> int | None:
    """Process id of the embedded store in `directory`; None: none runs."""
    for entry in Path("/proc").iterdir() if Path("/proc").exists() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if "valkey" in line and str(directory) in line:
                    return int(entry.name)
    return None


def stop_store(directory: Path) -> None:
    """End an embedded store that a killed gateway left behind."""
    pid = store_pid(directory)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


async def eventually(check: Any, *, seconds: float = 15.0) -> Any:
    """Poll `check` (sync or async) until it gives something true; that value."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true within {seconds} s: {check}")
        await asyncio.sleep(0.02)
