"""The application behind its real door, and clients that say what they like, as slowly as they like."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from gateway.pipeline.services import Services
from gateway.web.app import create_app
from gateway.web.connections import Door


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Client:
    """One raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, text: str | bytes) -> None:
        """Send so much."""
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def hear(self, *, seconds: float = 10.0) -> Heard:
        """The next answer."""
        async with asyncio.timeout(seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        is_json = "json" in headers.get("content-type", "")
        return Heard(int(head[0].split()[1]), headers, json.loads(body) if is_json else body)

    async def closed(self, *, seconds: float = 10.0) -> bytes:
        """What still came until the other side closed the connection."""
        with suppress(ConnectionError):
            async with asyncio.timeout(seconds):
                return await self.reader.read()
        return b""

    def close(self) -> None:
        """Go away."""
        self.writer.close()


@dataclass(slots=True)
class House:
    """An application on a port of its own."""

    port: int
    clients: list[Client]

    async def visit(self) -> Client:
        """A new connection."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def ask(self, path: str = "/livez") -> int:
        """The status of one request on a connection of its own."""
        client = await self.visit()
        client.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = await client.hear()
        client.close()
        return heard.status


@asynccontextmanager
async def open_house(services: Services, **limits: object) -> AsyncIterator[House]:
    """The application with these keys of `[server]`, behind its door."""
    server = services.settings.server.model_copy(update={"port": 0, **limits})
    settings = services.settings.model_copy(update={"server": server})
    runner = web.AppRunner(create_app(replace(services, settings=settings)), handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    await Door(runner, server).start()
    house = House(runner.addresses[0][1], [])
    try:
        yield house
    finally:
        for client in house.clients:
            client.close()
        for site in list(runner.sites):
            await site.stop()
        await runner.cleanup()
