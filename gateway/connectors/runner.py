"""Carries out orders to agents beside the worker, until it is stopped."""

import asyncio
from contextlib import suppress

import structlog

from gateway.domain.errors import StoreUnavailable
from gateway.pipeline.agent_switch import AgentSwitch
from gateway.store import AgentLease

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
PAUSE_SECONDS = 1.0
MOST_IN_FLIGHT = 256
"""Orders under way at once; a PBX that takes its time holds up no other."""


class AgentRunner:
    """One process's share of the orders."""

    def __init__(self, switch: AgentSwitch, *, holder: str) -> None:
        self._switch = switch
        self._holder = holder
        self._flying: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, *, drain_seconds: float) -> None:
        """Work until `stop` is set; then what was begun is finished within `drain_seconds`. What is not is repeated by
        another, when its lease has ended."""
        while not stop.is_set():
            rest = await self._turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await stop.wait()
        if self._flying:
            await asyncio.wait(self._flying, timeout=drain_seconds)
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)

    async def _turn(self) -> float:
        if len(self._flying) >= MOST_IN_FLIGHT:
            return LOOK_SECONDS
        try:
            leases = await self._switch.take(self._holder)
        except StoreUnavailable:
            return PAUSE_SECONDS
        except Exception:  # the runner outlives whatever one turn meets
            logger.exception("orders to agents could not be taken")
            return PAUSE_SECONDS
        for lease in leases:
            task = asyncio.create_task(self._attempt(lease))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        return LOOK_SECONDS

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)

    async def _attempt(self, lease: AgentLease) -> None:
        """The order of one extension whose turn it is."""
        try:
            await self._switch.attempt(lease)
        except StoreUnavailable as error:
            logger.warning("agent action not noted: it is repeated", extension=lease.extension, why=str(error))
        except Exception:  # one order's failure touches no other; its lease ends by itself
            logger.exception("agent action failed", tenant=lease.tenant, extension=lease.extension)
