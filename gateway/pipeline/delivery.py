"""A push goes out: load it with its device, check that it is still true and wanted, send, settle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from gateway.domain.device import Device, DeviceState
from gateway.domain.event import Millis
from gateway.domain.outcome import Answer, Refused
from gateway.domain.push import Attempt, Push, PushState
from gateway.domain.settlement import Settlement
from gateway.policy import retry
from gateway.providers import Sender
from gateway.settings import Settings
from gateway.store import Lease, Loaded, Store
from gateway.telemetry.metrics import Metrics

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Sends pushes and settles what came of it."""

    settings: Settings
    store: Store
    senders: Mapping[str, Sender]
    metrics: Metrics
    clock: Callable[[], Millis]
    dice: Callable[[], float]

    async def deliver(self, lease: Lease) -> Settlement:
        """One push, from the queue to its settlement. Never raises for a provider's trouble.

        Raises `StoreUnavailable`; the lease then ends by itself and another worker repeats the push under the same
        ids.
        """
        loaded = await self.store.queue.load(lease)
        settlement = self._without_sending(loaded)
        if settlement is None and loaded is not None and loaded.device is not None:
            settlement = await self._send(loaded.push, loaded.device, loaded.attempts)
        settlement = settlement or Settlement(state=PushState.WITHDRAWN)
        if await self.store.queue.settle(lease, settlement):
            self._note(loaded, settlement)
        return settlement

    def _without_sending(self, loaded: Loaded | None) -> Settlement | None:
        """How the push ends when it is not to be sent; None: send it."""
        if loaded is None or loaded.withdrawn or loaded.state is PushState.WITHDRAWN:
            return Settlement(state=PushState.WITHDRAWN)
        if self.clock() > loaded.push.deadline:
            return Settlement(state=PushState.EXPIRED)
        device = loaded.device
        if device is None or device.state is not DeviceState.ACTIVE:
            return Settlement(state=PushState.TOKEN_GONE)
        if not device.takes(loaded.push.kind):
            return Settlement(state=PushState.WITHDRAWN)
        sender = self.senders.get(device.app)
        if sender is None:
            return Settlement(state=PushState.DEAD, attempt=self._refused("the app is no longer configured"))
        if not sender.circuit.admits(self.clock()):
            return self._wait_for_the_app(loaded.push, sender)
        return None

    def _refused(self, reason: str) -> Attempt:
        return retry.attempt(Answer(outcome=Refused(reason=reason)), self.clock())

    def _wait_for_the_app(self, push: Push, sender: Sender) -> Settlement:
        now = self.clock()
        due = max(sender.circuit.retry_at(now), now + 1000) + round(self.dice() * 1000)
        if due > push.deadline:
            return Settlement(state=PushState.EXPIRED)
        return Settlement(state=PushState.DEFERRED, due=due, counts=False)

    async def _send(self, push: Push, device: Device, attempts: int) -> Settlement:
        sender = self.senders[device.app]
        tenant = self.settings.tenant(push.tenant)
        if tenant is None:
            return Settlement(state=PushState.DEAD, attempt=self._refused("the tenant is no longer configured"))
        answer = await sender.send(push, device, privacy=tenant.policy.privacy, now=self.clock())
        now = self.clock()
        tried = retry.Tried(
            push=push,
            device=device,
            answer=answer,
            attempts=attempts,
            now=now,
            dice=self.dice(),
            app_opens_at=None if sender.circuit.admits(now) else sender.circuit.retry_at(now),
        )
        return retry.settle(tried)

    def _note(self, loaded: Loaded | None, settlement: Settlement) -> None:
        if loaded is None:
            return
        push, device, attempt = loaded.push, loaded.device, settlement.attempt
        app = device.app if device is not None else ""
        provider = device.provider.value if device is not None else ""
        outcome = attempt.outcome if attempt is not None else settlement.state.value
        self.metrics.pushes_total.labels(app=app, provider=provider, kind=push.kind, outcome=outcome).inc()
        if settlement.state is PushState.ACCEPTED:
            self.metrics.delivery_seconds.labels(kind=push.kind).observe(
                max(0, self.clock() - max(push.occurred_at, push.not_before or 0)) / 1000
            )
        if settlement.state is PushState.DEFERRED and attempt is not None:
            self.metrics.retries_total.labels(app=app, provider=provider, reason=attempt.outcome).inc()
        logger.info(
            "push settled",
            push_id=push.push_id,
            event_id=push.event_id,
            tenant=push.tenant,
            extension=push.extension,
            device_id=push.device_id,
            kind=push.kind,
            state=settlement.state,
            outcome=outcome,
            reason=attempt.reason if attempt is not None else "",
            due=settlement.due,
        )
