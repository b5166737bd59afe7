"""Slow, idle and too many connections against the real process and its own event loop."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, open_gateway

HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


async def test_slow_heads_and_thousands_of_idle_connections_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"READ_TIMEOUT_SECONDS": "3.0", "MAX_CONNECTIONS": "2200"}.items():
        monkeypatch.setenv(f"PUSH_GATEWAY__SERVER__{name}", value)
    async with open_gateway(tmp_path) as gateway:
        crowd = [await visit(gateway) for _ in range(2000)]
        for number, (_, writer) in enumerate(crowd):
            writer.write(HEAD[: number % len(HEAD)])
        assert await served_within(gateway, 2.0)

        more = [await visit(gateway) for _ in range(400)]
        assert await served_within(gateway, 2.0)
        first, last = crowd[0][0], more[-1][0]
        assert await ended(first, 1.0)
        assert not await ended(last, 0.05)

        began = time.monotonic()
        assert await ended(last, 10.0)
        assert time.monotonic() - began < 6
        for _, writer in (*crowd, *more):
            writer.close()
        assert (await gateway.request("GET", "/v1/tenants/acme/events")).status == 200
        assert '"level":"error"' not in gateway.log


async def visit(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))


async def served_within(gateway: Gateway, seconds: float) -> bool:
    """Whether ten new callers get their answers."""
    began = time.monotonic()
    for _ in range(10):
        reader, writer = await visit(gateway)
        writer.write(HEAD + b"\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200")
        writer.close()
    return time.monotonic() - began < seconds


async def ended(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the other side has closed the connection."""
    with suppress(ConnectionError):
        try:
            async with asyncio.timeout(seconds):
                return await reader.read() == b""
        except TimeoutError:
            return False
    return True
