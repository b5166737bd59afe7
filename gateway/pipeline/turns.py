"""One writer at a time per extension, within this process.

The store refuses a write that was decided on an outdated reading; the loser reads again. Taking turns here keeps a
burst about one extension from losing against itself; between processes the store's check remains.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """A lock per extension, for as long as somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant: str, extension: str) -> AsyncIterator[None]:
        """The turn of one extension."""
        key = (tenant, extension)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield
