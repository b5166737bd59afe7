"""Whether the store can be written, and what kind of server it is."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from redis import exceptions
from redis.asyncio import RedisCluster

from gateway.domain.errors import ConfigurationError, StoreUnavailable
from gateway.store.access import Access
from gateway.store.connection import Client
from gateway.store.results import StoreHealth
from gateway.store.setup import require_layout
from gateway.store.unavailable import CLIENT_ERRORS, translated

ANSWER_SECONDS = 2.0
"""A check that takes longer says that the store is down."""
PROBE_MS = 60_000


class Health:
    """Checks the store by writing to it."""

    def __init__(self, client: Client, access: Access) -> None:
        self._client = client
        self._access = access

    async def check(self) -> StoreHealth:
        """One write to every shard, the layout (that of an emptied store is written anew), and what the server says of
        itself. Never raises."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._probe()
                await require_layout(self._access.commands, self._access.layout)
                latency = (time.perf_counter() - started) * 1000
                return await self._described(latency)
        except ConfigurationError as error:
            return StoreHealth(ok=False, detail="; ".join(problem.msg for problem in error.problems))
        except (StoreUnavailable, *CLIENT_ERRORS) as error:
            why = translated(error)
            detail = str(why) if isinstance(why, StoreUnavailable) else "the store answers with an error"
            return StoreHealth(ok=False, detail=detail, latency_ms=(time.perf_counter() - started) * 1000)

    async def _probe(self) -> None:
        run, now = self._access.commands.run, self._access.clock()
        await asyncio.gather(*(run("SET", shard.probe, now, "PX", PROBE_MS) for shard in self._access.layout.shards))

    async def _described(self, latency_ms: float) -> StoreHealth:
        nodes = await self._info()
        first = nodes[0]
        product = "Valkey" if "valkey_version" in first else "Redis"
        version = first.get("valkey_version") or first.get("redis_version", "")
        config = await self._config()
        return StoreHealth(
            ok=True,
            detail="ok",
            latency_ms=latency_ms,
            server=f"{product} {version}".strip(),
            used_memory=max(int(node.get("used_memory", 0)) for node in nodes),
            fsync=config.get("appendfsync", "") if config.get("appendonly") == "yes" else "no" if config else "",
            notes=tuple(_notes(config)),
        )

    async def _info(self) -> list[Mapping[str, Any]]:
        client: Any = self._client
        if isinstance(client, RedisCluster):
            answers = await client.info(target_nodes=RedisCluster.PRIMARIES)
            return list(answers.values()) if "used_memory" not in answers else [answers]
        return [await client.info()]

    async def _config(self) -> Mapping[str, str]:
        """Settings that matter for the promises; empty where the server does not tell (managed services)."""
        client: Any = self._client
        try:
            answer: dict[str, str] = await client.config_get("appendonly", "appendfsync", "maxmemory-policy")
        except exceptions.ResponseError:
            return {}
        return answer


def _notes(config: Mapping[str, str]) -> list[str]:
    notes = []
    if config.get("appendonly") == "no":
        notes.append("no append-only file: what was accepted may be lost when the server stops")
    if config.get("maxmemory-policy", "noeviction") != "noeviction":
        notes.append("maxmemory-policy is not noeviction: the server may drop what was accepted")
    return notes
