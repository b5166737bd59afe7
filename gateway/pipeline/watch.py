"""Looks once a second at what operations ask for: queue, store, providers. Watches, and never steers but for one
thing: intake learns here that there is no more room."""

import asyncio

import structlog

from gateway.domain.errors import StoreUnavailable
from gateway.pipeline.services import Services

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0


async def watch(services: Services, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Keep gauges and capacity up to date until cancelled."""
    away = False
    while True:
        try:
            await look(services)
            away = False
        except StoreUnavailable as error:
            if not away:  # once an outage, not once a second
                logger.warning("the store does not answer", why=str(error))
            away = True
        except Exception:  # who watches must not be the first to go: intake would never learn that the store is full
            logger.exception("the watch met what it did not expect")
        await asyncio.sleep(interval_seconds)


async def look(services: Services) -> None:
    """One look."""
    now = services.clock()
    services.metrics.tasks.set(len(asyncio.all_tasks()))
    _look_at_senders(services, now)
    depths = await services.store.queue.depth()
    for lane, depth in depths.items():
        age = (depth.oldest_ms or 0) / 1000
        services.metrics.queue_depth.labels(lane=lane).set(depth.depth)
        services.metrics.queue_oldest_seconds.labels(lane=lane).set(age)
    services.capacity.queued = sum(depth.depth for depth in depths.values())
    health = await services.store.health()
    if health.ok:
        services.capacity.used_memory = health.used_memory
    services.metrics.dead_letters.set(await services.store.dead_letters.count())


def _look_at_senders(services: Services, now: int) -> None:
    for app_id, sender in services.senders.items():
        health = sender.health()
        labels = {"app": app_id, "provider": sender.app.provider.value}
        services.metrics.provider_up.labels(**labels).set(1 if health.up else 0)
        if health.credential_expires_at is not None:
            left = (health.credential_expires_at - now) / 1000
            services.metrics.credential_expires_seconds.labels(**labels).set(left)
