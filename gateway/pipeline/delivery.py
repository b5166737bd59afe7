"""A push goes out: load it with its device, check that it is still true and wanted, send, settle."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from gateway.domain.device import Device, DeviceState
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Millis
from gateway.domain.extension import Unread
from gateway.domain.outcome import Answer, AppTrouble, Refused, Unknown
from gateway.domain.push import Attempt, Push, PushState
from gateway.domain.settlement import Settlement
from gateway.pipeline import overtaken
from gateway.pipeline.ids import time_of
from gateway.policy import badge as badges
from gateway.policy import retry
from gateway.providers import Sender
from gateway.settings import Settings, TenantSettings
from gateway.store import Lease, Loaded, Settled, Store
from gateway.telemetry.metrics import Metrics

logger = structlog.get_logger(__name__)

SETTLE_AGAIN_SECONDS = 0.5
"""Between two tries to settle what was sent while the store is away."""


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
        if loaded is None:  # erased, and the lease with it
            return Settlement(state=PushState.WITHDRAWN)
        settlement = self._without_sending(loaded)
        push = self._with_present_badge(loaded)
        device, tenant = loaded.device, self.settings.tenant(push.tenant)
        if settlement is None and device is not None and tenant is not None:
            settlement = await self._send(push, device, tenant, loaded.attempts)
        settlement = settlement or Settlement(state=PushState.WITHDRAWN)
        settled = await self._settle(lease, settlement)
        if settled is not None:
            self._note(loaded, settlement)
            if settled.unread is not None and tenant is not None:
                await self._check_the_number(push, settled.unread, tenant)
        return settlement

    async def _check_the_number(self, push: Push, unread: Unread, tenant: TenantSettings) -> None:
        """What was counted on the way may be outdated by now, and the phone has it: see `overtaken`."""
        if push.badge in (None, self._counted(unread)):
            return
        try:
            await overtaken.tell_again(
                self.store, push, now=self.clock(), counted=self._counted, custom_statuses=tenant.policy.custom_statuses
            )
        except StoreUnavailable as error:  # the push is settled; the next one brings the number
            logger.warning("an overtaken number is not told again", push_id=push.push_id, why=str(error))

    def _without_sending(self, loaded: Loaded) -> Settlement | None:
        """How the push ends when it is not to be sent; None: send it."""
        push, device = loaded.push, loaded.device
        if loaded.withdrawn:
            return Settlement(state=PushState.WITHDRAWN)
        if loaded.state is not PushState.QUEUED:  # another worker has settled it since this lease was taken
            return Settlement(state=loaded.state)
        if self.clock() > push.deadline:
            return Settlement(state=PushState.EXPIRED)
        if device is None or device.state_for(push.kind) is not DeviceState.ACTIVE:
            return Settlement(state=PushState.TOKEN_GONE)
        if not device.takes(push.kind):
            return Settlement(state=PushState.WITHDRAWN)
        if (problem := self._configuration_problem(push, device)) is not None:
            return Settlement(state=PushState.DEAD, attempt=self._refused(problem))
        circuit = self.senders[device.app].circuit
        if not circuit.admits(self.clock()):
            return self._kept(push, circuit.retry_at(self.clock()) - self.clock())
        return None

    def _configuration_problem(self, push: Push, device: Device) -> str | None:
        tenant = self.settings.tenant(push.tenant)
        if tenant is None:
            return "the tenant is no longer configured"
        if device.app not in self.senders:
            return "the app is no longer configured"
        if device.app not in tenant.apps:
            return "the app is no longer one of the tenant's"
        return None

    def _refused(self, reason: str) -> Attempt:
        return retry.attempt(Answer(outcome=Refused(reason=reason)), self.clock())

    def _kept(self, push: Push, milliseconds: float) -> Settlement:
        """It waits for the app, which costs it nothing and leaves no line in its history: nothing was tried. Spread, so
        that what waited together does not come back at one moment."""
        due = self.clock() + round(max(milliseconds, 1000) + self.dice() * 1000)
        if due > push.deadline:
            return Settlement(state=PushState.EXPIRED)
        return Settlement(state=PushState.DEFERRED, due=due, counts=False)

    async def _send(self, push: Push, device: Device, tenant: TenantSettings, attempts: int) -> Settlement:
        sender = self.senders[device.app]
        answer = await self._answer(sender, push, device, tenant)
        if answer.status is not None:
            self._observe(sender, answer)
        elif isinstance(answer.outcome, AppTrouble):
            return self._kept(push, (answer.outcome.after_seconds or 0) * 1000)
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

    def _with_present_badge(self, loaded: Loaded) -> Push:
        """With the number that phones are to show by now. The one it was planned with may be outdated: alerts pass
        badges, and a repeat comes after what was sent meanwhile. Whatever comes last then shows the same."""
        push = loaded.push
        if push.badge is None:
            return push
        badge = self._counted(loaded.unread)
        return push if badge == push.badge else replace(push, badge=badge)

    def _counted(self, unread: Unread) -> int:
        oldest = self.clock() - self.settings.store.journal_retention_hours * 3_600_000
        return badges.badge(badges.since(unread, oldest))

    async def _answer(self, sender: Sender, push: Push, device: Device, tenant: TenantSettings) -> Answer:
        """The provider's answer. A mistake of ours reads as no answer: whether it was before or after the push went
        out, nobody knows."""
        try:
            return await sender.send(push, device, privacy=tenant.policy.privacy, now=self.clock())
        except Exception as error:
            logger.exception("sending failed by a mistake of ours", push_id=push.push_id)
            return Answer(outcome=Unknown(reason=f"internal: {type(error).__name__}"))

    async def _settle(self, lease: Lease, settlement: Settlement) -> Settled | None:
        """Settle, and stay with it while the store is away if something was sent: forgotten, it would be sent again.
        The store takes the first of several settlements, so that repeating one is safe."""
        end = self.clock() + round(self.settings.worker.lease_seconds * 1000)
        while True:
            try:
                return await self.store.queue.settle(lease, settlement)
            except StoreUnavailable:
                if settlement.attempt is None or self.clock() > end:
                    raise
            await asyncio.sleep(SETTLE_AGAIN_SECONDS)

    def _observe(self, sender: Sender, answer: Answer) -> None:
        labels = {"app": sender.app.id, "provider": sender.app.provider.value}
        self.metrics.provider_seconds.labels(**labels).observe(answer.milliseconds / 1000)

    def _note(self, loaded: Loaded, settlement: Settlement) -> None:
        push, device, attempt = loaded.push, loaded.device, settlement.attempt
        app = device.app if device is not None else ""
        provider = device.provider.value if device is not None else ""
        outcome = attempt.outcome if attempt is not None else settlement.state.value
        self.metrics.pushes_total.labels(app=app, provider=provider, kind=push.kind, outcome=outcome).inc()
        if settlement.state is PushState.ACCEPTED:
            since = max(time_of(push.event_id), push.not_before or 0)
            self.metrics.delivery_seconds.labels(kind=push.kind).observe(max(0, self.clock() - since) / 1000)
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
