"""SIGTERM ends a run as Ctrl-C does: with nothing left behind."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")


async def until_stopped(work: Coroutine[Any, Any, Value]) -> Value:
    """The work's result; SIGTERM cancels it, so that everything it opened is closed."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
