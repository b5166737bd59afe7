"""Opens the stage: simulator, store, one api and two workers, phones and a PBX. All are gone at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.process import SimulatorProcess, start_simulator
from tests.chaos.configuration import Keys, write_configuration
from tests.chaos.dice import dice
from tests.chaos.disasters import Target
from tests.chaos.options import Options
from tests.chaos.pbx import ANSWER_SECONDS, Pbx
from tests.chaos.phones import Phones
from tests.chaos.processes import GatewayProcess
from tests.chaos.stores import ChaosStore, EmbeddedStore, RedisStore
from tests.chaos.wire import Wire

HISTORY = 200_000


@dataclass(slots=True)
class Stage:
    """Everything that runs."""

    options: Options
    keys: Keys
    store: ChaosStore
    gateways: dict[Target, GatewayProcess]
    control: SimulatorControl
    session: aiohttp.ClientSession
    phones: Phones
    pbx: Pbx
    wire: Wire
    simulator: SimulatorProcess
    following: asyncio.Task[None] | None = field(default=None)

    @property
    def api(self) -> GatewayProcess:
        """Where events are posted."""
        return self.gateways[Target.API]


@asynccontextmanager
async def open_stage(options: Options) -> AsyncIterator[Stage]:
    """Everything runs, and every phone is registered."""
    options.directory.mkdir(parents=True, exist_ok=True)
    store = _store(options)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.stop)
        simulator = await stack.enter_async_context(
            start_simulator(options.directory / "simulator", history=HISTORY, ready_seconds=60)
        )
        control = await stack.enter_async_context(simulator.control())
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout, connector=connector))
        keys = Keys()
        config = write_configuration(
            options.directory,
            simulator=simulator,
            keys=keys,
            store_url=store.url,
            fsync=options.fsync,
            lease_seconds=options.lease_seconds,
        )
        await store.start()
        gateways = {
            target: GatewayProcess(target.value, role, config, options.directory)
            for target, role in ((Target.API, "api"), (Target.WORKER_1, "worker"), (Target.WORKER_2, "worker"))
        }
        for gateway in gateways.values():
            gateway.start()
            stack.push_async_callback(gateway.stop)
        url = gateways[Target.API].url
        rng = dice(options.seed, "phones")
        stage = Stage(
            options=options,
            keys=keys,
            store=store,
            gateways=gateways,
            control=control,
            session=session,
            phones=Phones(url, keys, session, control, options.cast, rng),
            pbx=Pbx(url, keys, session, options.patience_seconds),
            wire=Wire(control),
            simulator=simulator,
        )
        for gateway in gateways.values():
            await gateway.until_ready()
        await stage.phones.register_all()
        stage.following = asyncio.create_task(stage.wire.follow())
        try:
            yield stage
        finally:
            stage.following.cancel()
            await asyncio.gather(stage.following, return_exceptions=True)


def _store(options: Options) -> ChaosStore:
    directory = options.directory / "store"
    return EmbeddedStore(directory) if options.store == "embedded" else RedisStore(directory, options.fsync)
