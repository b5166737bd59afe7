"""The checks behind readiness and health, asked of the running parts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.domain.device import Provider
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Millis
from gateway.domain.push import Lane
from gateway.pipeline.services import Role, Services
from gateway.providers import Sender
from gateway.store import LaneDepth, StoreHealth
from gateway.web.models_ops import CheckAnswer, ChecksAnswer, HealthStatus
from gateway.web.user_tokens import UserTokens

PATIENCE_SECONDS = 3.0
"""A store that does not answer within this is down."""
FRESH_MILLIS = 1_000
"""Readiness is open to everyone: it asks the store at most so often."""
OLD_MILLIS = 60_000
"""A push that waits longer than this is taken by no worker."""

OK = CheckAnswer(status=HealthStatus.OK, detail="ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReading:
    """The store at one moment."""

    at: Millis
    health: StoreHealth
    lanes: Mapping[Lane, LaneDepth]
    dead_letters: int | None = None


class StoreGauge:
    """Reads the store, not more often than every second."""

    def __init__(self, services: Services, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._services = services
        self._patience = patience_seconds
        self._last: StoreReading | None = None
        self._turn = asyncio.Lock()

    async def read(self) -> StoreReading:
        """The last reading, or a new one."""
        async with self._turn:
            now = self._services.clock()
            if self._last is None or not 0 <= now - self._last.at < FRESH_MILLIS:
                self._last = await self._ask(now)
            return self._last

    async def _ask(self, now: Millis) -> StoreReading:
        store = self._services.store
        try:
            async with asyncio.timeout(self._patience):
                reading = StoreReading(at=now, health=await store.health(), lanes={})
                if not reading.health.ok:
                    return reading
                return replace(reading, lanes=await store.queue.depth(), dead_letters=await store.dead_letters.count())
        except TimeoutError:
            return StoreReading(at=now, health=StoreHealth(ok=False, detail="does not answer"), lanes={})
        except StoreUnavailable as error:
            return StoreReading(at=now, health=StoreHealth(ok=False, detail=str(error)), lanes={})


def checks_of(services: Services, reading: StoreReading, user_tokens: UserTokens) -> ChecksAnswer:
    """Every check, judged."""
    return ChecksAnswer(
        store=_store(reading.health),
        queue=_queue(services, reading),
        providers=_providers(services.senders, services.clock()),
        user_tokens=_user_tokens(user_tokens),
    )


def worst(checks: ChecksAnswer) -> HealthStatus:
    """The whole is as well as its sickest part."""
    found = {check.status for check in (checks.store, checks.queue, checks.providers, checks.user_tokens)}
    return next(status for status in (HealthStatus.DOWN, HealthStatus.DEGRADED, HealthStatus.OK) if status in found)


def _store(health: StoreHealth) -> CheckAnswer:
    if not health.ok:
        return CheckAnswer(status=HealthStatus.DOWN, detail=health.detail)
    if health.notes:
        return CheckAnswer(status=HealthStatus.DEGRADED, detail="; ".join(health.notes))
    return OK


def _queue(services: Services, reading: StoreReading) -> CheckAnswer:
    trouble = services.worker.trouble(services.clock()) if services.role is not Role.API else None
    if trouble is not None:
        return CheckAnswer(status=HealthStatus.DOWN, detail=f"the queue does not move: {trouble}")
    if (full := services.capacity.full()) is not None:
        return CheckAnswer(status=HealthStatus.DEGRADED, detail=f"{full}: events are refused")
    oldest = max((lane.oldest_ms or 0 for lane in reading.lanes.values()), default=0)
    if oldest > OLD_MILLIS:
        return CheckAnswer(status=HealthStatus.DEGRADED, detail=f"a push has been waiting for {oldest // 1000} s")
    return OK


def _providers(senders: Mapping[str, Sender], now: Millis) -> CheckAnswer:
    """Names no app: readiness is open to everyone; `/health` has the rest."""
    troubled = sum(not sender.health().up or _has_expired(sender, now) for sender in senders.values())
    if not troubled:
        return OK
    detail = f"{troubled} of {len(senders)} apps cannot be delivered to; their pushes are kept"
    return CheckAnswer(status=HealthStatus.DEGRADED, detail=detail)


def _has_expired(sender: Sender, now: Millis) -> bool:
    """Of Apple's certificates only: Google's access tokens are renewed by themselves."""
    expires_at = sender.health().credential_expires_at
    return sender.app.provider is Provider.APNS and expires_at is not None and expires_at <= now


def _user_tokens(user_tokens: UserTokens) -> CheckAnswer:
    without = len(user_tokens.without_keys())
    if not without:
        return OK
    return CheckAnswer(status=HealthStatus.DEGRADED, detail=f"{without} JWKS URLs have given no key yet")
