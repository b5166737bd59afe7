"""One simulator inside the test's own loop; its credentials are made once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.server import Simulator, open_simulator
from tests.support.h2client import H2Client, open_h2
from tests.support.simulated import access_token, provider_token


@pytest.fixture(scope="session")
def credential_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture
def options(credential_directory: Path, request: pytest.FixtureRequest) -> SimulatorOptions:
    """Parametrize indirectly with a dict to start it otherwise."""
    changes: dict[str, Any] = getattr(request, "param", {})
    return SimulatorOptions(directory=credential_directory, apns_port=0, fcm_port=0, control_port=0, **changes)


@pytest.fixture
async def simulator(options: SimulatorOptions) -> AsyncIterator[Simulator]:
    async with open_simulator(options) as opened:
        yield opened


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[SimulatorControl]:
    async with SimulatorControl(str(simulator.announcement()["control_url"])) as opened:
        yield opened


@pytest.fixture
async def apns(simulator: Simulator) -> AsyncIterator[H2Client]:
    async with open_h2(str(simulator.announcement()["apns_url"]), simulator.credentials.ca_file) as client:
        yield client


@pytest.fixture
async def sandbox(simulator: Simulator) -> AsyncIterator[H2Client]:
    async with open_h2(str(simulator.announcement()["apns_sandbox_url"]), simulator.credentials.ca_file) as client:
        yield client


@pytest.fixture
async def fcm(simulator: Simulator) -> AsyncIterator[H2Client]:
    async with open_h2(str(simulator.announcement()["fcm_url"]), simulator.credentials.ca_file) as client:
        yield client


@pytest.fixture
def bearer(simulator: Simulator) -> str:
    """A good provider token."""
    return provider_token(simulator.credentials)


@pytest.fixture
async def access(simulator: Simulator, fcm: H2Client) -> str:
    """A good access token."""
    return await access_token(fcm, simulator.credentials)
