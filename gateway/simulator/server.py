"""Opens the simulator: credentials, three TLS listeners, the control API; announces itself; ends on SIGTERM."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.domain.device import Environment
from gateway.simulator import credentials as files
from gateway.simulator.apns_server import ApnsSession
from gateway.simulator.control import Control
from gateway.simulator.credentials import Credentials
from gateway.simulator.exchange import Session
from gateway.simulator.fcm_server import FcmSession
from gateway.simulator.http2_server import Surroundings
from gateway.simulator.listeners import Listener
from gateway.simulator.oauth import AccessTokens
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.provider_tokens import TokenVerifier
from gateway.simulator.world import World


def now_ms() -> int:
    """The wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A simulator that listens."""

    options: SimulatorOptions
    credentials: Credentials
    apns: Listener
    apns_sandbox: Listener
    fcm: Listener
    control_port: int

    def announcement(self) -> dict[str, str | int]:
        """What `simulator.json` says; see `process.SimulatorProcess`."""
        host = "127.0.0.1" if self.options.host in {"0.0.0.0", "::", ""} else self.options.host
        credentials = self.credentials
        return {
            "pid": os.getpid(),
            "directory": str(credentials.directory),
            "apns_url": f"https://{host}:{self.apns.port}",
            "apns_sandbox_url": f"https://{host}:{self.apns_sandbox.port}",
            "fcm_url": f"https://{host}:{self.fcm.port}",
            "control_url": f"http://{host}:{self.control_port}",
            "ca_file": str(credentials.ca_file),
            "key_file": str(credentials.key_file()),
            "key_id": files.KEY_ID,
            "spare_key_file": str(credentials.key_file(files.SPARE_KEY_ID)),
            "spare_key_id": files.SPARE_KEY_ID,
            "team_id": files.TEAM_ID,
            "topic": files.TOPIC,
            "client_certificate_file": str(credentials.client_certificate_file),
            "service_account_file": str(credentials.service_account_file),
            "project_id": files.PROJECT_ID,
        }


@asynccontextmanager
async def open_simulator(options: SimulatorOptions) -> AsyncIterator[Simulator]:
    """Listen until the end of the block. Raises OSError when a port is taken or DIR cannot be written."""
    credentials = files.open_credentials(options.directory.resolve(), options.host)
    around = Surroundings(over_limit=options.over_limit)
    world = World(clock=now_ms, counts=around.counts, history=options.history, strict_tokens=options.strict_tokens)
    access = AccessTokens(
        clock=now_ms,
        account_key=credentials.account_key,
        client_email=files.CLIENT_EMAIL,
        lifetime_seconds=options.access_token_seconds,
    )
    apns = _apns_listener(
        "apns", Environment.PRODUCTION, world=world, around=around, options=options, credentials=credentials
    )
    sandbox = _apns_listener(
        "apns_sandbox", Environment.SANDBOX, world=world, around=around, options=options, credentials=credentials
    )
    fcm = _fcm_listener(world, around, access)
    apns_tls = files.server_context(credentials, client_certificates=True, protocols=("h2",))
    fcm_tls = files.server_context(credentials, client_certificates=False, protocols=("h2", "http/1.1"))
    control = Control(world=world, around=around, access=access, listeners=(apns, sandbox, fcm))
    runner = web.AppRunner(control.application(), access_log=None, handle_signals=False, shutdown_timeout=0.5)
    try:
        await apns.open(options.host, options.apns_port, apns_tls)
        await sandbox.open(options.host, options.sandbox_port, apns_tls)
        await fcm.open(options.host, options.fcm_port, fcm_tls)
        control_port = await _open_control(runner, options)
        simulator = Simulator(
            options=options,
            credentials=credentials,
            apns=apns,
            apns_sandbox=sandbox,
            fcm=fcm,
            control_port=control_port,
        )
        token_uri = f"{simulator.announcement()['fcm_url']}/token"
        access.audiences |= {token_uri, f"https://localhost:{fcm.port}/token"}
        files.point_account_at(credentials, token_uri)
        yield simulator
    finally:
        for listener in (apns, sandbox, fcm):
            await listener.close()
        await runner.cleanup()


async def run_simulator(options: SimulatorOptions) -> None:
    """Serve until SIGTERM or SIGINT; `simulator.json` is there exactly while everything listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_simulator(options) as simulator:
        announcement = simulator.credentials.directory / "simulator.json"
        files.write_private(announcement, json.dumps(simulator.announcement(), indent=2).encode())
        try:
            await stop.wait()
        finally:
            announcement.unlink(missing_ok=True)


async def _open_control(runner: web.AppRunner, options: SimulatorOptions) -> int:
    await runner.setup()
    await web.TCPSite(runner, options.host, options.control_port).start()
    port = runner.addresses[0][1]
    return int(port)


def _apns_listener(
    name: str,
    environment: Environment,
    *,
    world: World,
    around: Surroundings,
    options: SimulatorOptions,
    credentials: Credentials,
) -> Listener:
    verifier = TokenVerifier(credentials.provider_keys, files.TEAM_ID)
    topics = frozenset(options.topics)

    def open_session(certified_topic: str | None) -> Session:
        return ApnsSession(world, verifier, environment, topics=topics, certified_topic=certified_topic)

    return Listener(name=name, provider="apns", environment=environment, around=around, open_session=open_session)


def _fcm_listener(world: World, around: Surroundings, access: AccessTokens) -> Listener:
    def open_session(certified_topic: str | None) -> Session:
        del certified_topic
        return FcmSession(world, access, around.counts, files.PROJECT_ID)

    return Listener(
        name="fcm",
        provider="fcm",
        environment=Environment.PRODUCTION,
        around=around,
        open_session=open_session,
        http1=True,
    )
