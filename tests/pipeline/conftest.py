"""The pipeline over a real Valkey, emptied before each test."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.support.pipeline import Pipeline, a_pipeline, settings_in
from tests.support.servers import Server, running_server
from tests.support.store import TestClock


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Thousands of pushes are not to be read here; errors are, as JSON."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def session_server() -> Iterator[Server]:
    with running_server("valkey") as server:
        yield server


@pytest.fixture
def server(session_server: Server) -> Server:
    """An empty server."""
    session_server.empty()
    return session_server


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Settings:
    return settings_in(tmp_path, server.url)


@pytest.fixture
async def store(server: Server, settings: Settings, clock: TestClock) -> AsyncIterator[Store]:
    async with open_store(settings.store, clock=clock) as opened:
        yield opened


@pytest.fixture
def pipeline(settings: Settings, store: Store, clock: TestClock) -> Pipeline:
    return a_pipeline(settings, store, clock)
