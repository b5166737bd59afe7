"""Asking again: on two busy cores anything may be slow once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

Value = TypeVar("Value")

PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.3


async def insist(ask: Callable[[], Awaitable[Value]]) -> Value:
    """Ask until there is an answer, whatever the network does; raises what it met last after two minutes of that. A
    refusal is an answer."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except aiohttp.ClientResponseError as error:
            if error.status < 500 or time.monotonic() > end:
                raise
        except (aiohttp.ClientError, OSError, TimeoutError):
            if time.monotonic() > end:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
