from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.web import Web, open_web


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Web]:
    """One application over one real store, for all tests of this room: each uses extensions of its own."""
    async with open_web(tmp_path_factory.mktemp("web")) as opened:
        yield opened
