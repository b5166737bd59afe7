"""What a store has to hold before it is used: its layout. Lanes come into being with their first push."""

import asyncio

from gateway.domain.errors import ConfigurationError, Problem
from gateway.store.batch import Commands
from gateway.store.keys import LAYOUT, Layout

FORMAT = 2
"""Of keys and documents. A gateway refuses a store of another format."""


async def require_layout(commands: Commands, layout: Layout) -> None:
    """Record number of shards and format at the first start, and refuse to run with others ever after: the same names
    would be looked for in other places. Raises `ConfigurationError`."""
    shards = len(layout.shards)
    await asyncio.gather(
        commands.run("HSETNX", LAYOUT, "shards", shards), commands.run("HSETNX", LAYOUT, "format", FORMAT)
    )
    made_with, made_in = (int(value) for value in await commands.run("HMGET", LAYOUT, "shards", "format"))
    if made_with != shards:
        why = f"the store was made with {made_with} shard(s) and cannot be used with {shards}"
        raise ConfigurationError(Problem(loc="store.shards", msg=why))
    if made_in != FORMAT:
        why = f"the store has format {made_in}, this gateway reads format {FORMAT}"
        raise ConfigurationError(Problem(loc="store.url", msg=why))
