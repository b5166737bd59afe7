"""So many at once, and tenants take turns: one that asks for much waits behind what it asked for, the others do not."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairGate:
    """Room for `size` at once. Who finds none waits in a line of its tenant; the lines give one in turns."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """In the order of turns; none is empty."""

    @property
    def waiting(self) -> int:
        """How many wait; those that gave up count until their turn."""
        return sum(map(len, self._lines.values()))

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Inside: one of `size`."""
        if self._room > 0:
            self._room -= 1
        else:
            await self._wait(tenant)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, tenant: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # given up at the very moment when the turn came
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._lines:
            tenant, line = next(iter(self._lines.items()))
            del self._lines[tenant]
            turn = line.popleft()
            if line:
                self._lines[tenant] = line
            if not turn.done():
                turn.set_result(None)
                return
        self._room += 1
