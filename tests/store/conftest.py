"""The store on each kind of server, emptied before each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.domain.push import Push
from gateway.store import Store, open_store
from tests.support.servers import Server, running_server, server_kinds
from tests.support.store import TestClock, a_push, new_event_id, settings


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing is left out silently."""
    if "redis" not in server_kinds():
        terminalreporter.write_line("NOTE: redis-server is not installed: the store was tested against Valkey alone")


@pytest.fixture(scope="session", params=server_kinds())
def session_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running_server(request.param) as server:
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
async def store(server: Server, clock: TestClock) -> AsyncIterator[Store]:
    async with open_store(settings(server.url), clock=clock) as opened:
        yield opened


@pytest.fixture(params=[1, 4])
async def sharded(request: pytest.FixtureRequest, server: Server, clock: TestClock) -> AsyncIterator[Store]:
    """The same, with one shard and with several."""
    async with open_store(settings(server.url, shards=request.param), clock=clock) as opened:
        yield opened


@pytest.fixture
def push(clock: TestClock) -> Push:
    return a_push(new_event_id(clock()))
