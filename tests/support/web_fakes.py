"""Rooms of a store that is away, or sick: what a real one can hardly be made to be at the right moment."""

import asyncio
from typing import Any

from gateway.domain.errors import StoreUnavailable
from gateway.store import LaneDepth, Store, StoreHealth


class Away:
    """Any room of a store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        async def unreachable(*args: object, **options: object) -> None:
            raise StoreUnavailable("the server does not answer", retry_after_seconds=3)

        return unreachable


class Sick(Away):
    """The store's health while it is away."""

    async def check(self) -> StoreHealth:
        return StoreHealth(ok=False, detail="the server does not answer")


class Sound:
    """The health of a store that is well, or has a weakness."""

    def __init__(self, *notes: str) -> None:
        self.notes = notes

    async def check(self) -> StoreHealth:
        return StoreHealth(ok=True, detail="ok", latency_ms=0.5, server="Valkey 9", fsync="always", notes=self.notes)


class Waiting:
    """A queue whose oldest push is old."""

    async def depth(self) -> dict[str, LaneDepth]:
        return {"alert": LaneDepth(depth=2, oldest_ms=61_000)}


class Mute:
    """The health of a store that takes its time."""

    async def check(self) -> StoreHealth:
        await asyncio.Event().wait()
        return StoreHealth(ok=True, detail="ok")


class Keyless:
    """User tokens of which none can be checked."""

    def without_keys(self) -> tuple[str, ...]:
        return ("acme",)


ROOMS = (
    "extensions",
    "devices",
    "inbox",
    "journal",
    "queue",
    "dead_letters",
    "deliveries",
    "agent_actions",
    "synchronised",
)


def store_that_is_away() -> Store:
    """A store of which nothing can be reached."""
    rooms: dict[str, Any] = {room: Away() for room in ROOMS}
    return Store(**rooms, _health=posing(Sick()))


def posing(double: object) -> Any:
    """The double in the place of the real thing."""
    return double
