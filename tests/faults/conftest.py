"""One simulator for a module, one Valkey for all; the product anew for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import simulator_in_background
from tests.support.servers import Server, running_server
from tests.support.whole import Whole, emptied, open_whole


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    with running_server("valkey") as server:
        yield server


@pytest.fixture
def store_url(valkey: Server) -> str:
    """Of an empty store."""
    return emptied(valkey)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """One that ends a connection which opens more streams than it announced, as Apple does."""
    with simulator_in_background(tmp_path_factory.mktemp("simulator"), over_limit="goaway") as running:
        yield running


@pytest.fixture
async def whole(store_url: str, simulator: SimulatorProcess) -> AsyncIterator[Whole]:
    async with open_whole(store_url, simulator) as running:
        yield running
