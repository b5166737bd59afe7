"""How many pushes are taken and sent at once."""

import asyncio


class Slots:
    """Room for `size` pushes in flight.

    More may be taken than there is room for (a reading of several shards bounds each of them, and what was reclaimed
    is taken whole): those wait at `flight` for their turn, and no more are taken meanwhile.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._room = asyncio.Event()
        self.flight = asyncio.Semaphore(size)
        """Hold it while sending."""

    @property
    def has_room(self) -> bool:
        """Whether more may be taken."""
        return self._held < self._size

    async def free(self) -> int:
        """How many more may be taken; waits until there is room for at least one."""
        while not self.has_room:
            self._room.clear()
            await self._room.wait()
        return self._size - self._held

    def take(self) -> None:
        """One was taken."""
        self._held += 1

    def give(self) -> None:
        """One has ended."""
        self._held -= 1
        self._room.set()
