"""A test push with a staged diagnosis: registered? credentials? the provider's answer?"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.domain.device import Device, DeviceState, Environment
from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, Answer
from gateway.domain.push import Push, PushKind, PushState, derive_collapse_id, derive_push_id
from gateway.pipeline.delivery import Delivery
from gateway.policy import retry
from gateway.providers import Sender
from gateway.settings import TenantSettings

TEST_LIFETIME: Millis = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TestStage:
    """One step of the diagnosis."""

    name: str
    """`registered`, `app`, `credentials` or `provider`."""
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """All stages until the first that failed."""

    stages: tuple[TestStage, ...]

    @property
    def ok(self) -> bool:
        """Whether the provider took the test push."""
        return all(stage.ok for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Sends test pushes past queue and policy, straight to the provider."""

    delivery: Delivery
    new_id: Callable[[Millis], str]

    async def test(self, tenant: TenantSettings, extension: str, device_id: str) -> TestReport:
        """Send a test push to one device and say how far it came."""
        device = await self.delivery.store.devices.get(tenant.id, extension, device_id)
        stages = [_registered(device)]
        if device is None or not stages[0].ok:
            return TestReport(stages=tuple(stages))
        sender = self.delivery.senders.get(device.app)
        stages.append(_app(tenant, device, configured=sender is not None))
        if sender is None or not stages[-1].ok:
            return TestReport(stages=tuple(stages))
        stages.append(self._credentials(sender))
        if stages[-1].ok:
            stages.append(await self._send(tenant, device))
        return TestReport(stages=tuple(stages))

    def _credentials(self, sender: Sender) -> TestStage:
        """As the last answers showed them. A circuit that would let one push through gets this one as its probe."""
        health = sender.health()
        if health.up:
            return TestStage(name="credentials", ok=True, detail="usable")
        admitted = sender.circuit.admits(self.delivery.clock())
        then = "this push probes it" if admitted else "pushes are kept"
        return TestStage(
            name="credentials", ok=admitted, detail=f"circuit {health.circuit}: {health.last_error or '-'}; {then}"
        )

    async def _send(self, tenant: TenantSettings, device: Device) -> TestStage:
        answer, environment = await self._attempt(tenant, device)
        if environment is not None:  # as a queued push would, at once
            device = replace(device, environment=environment, tried_other_environment=True)
            answer, _ = await self._attempt(tenant, device)
        ok = isinstance(answer.outcome, Accepted)
        outcome = retry.attempt(answer, self.delivery.clock()).outcome
        said = f"accepted in {answer.milliseconds} ms" if ok else f"{outcome}: {retry.reason_of(answer.outcome)}"
        status = f" (HTTP {answer.status})" if answer.status is not None else ""
        found = f", in {device.environment}" if ok and environment is not None else ""
        return TestStage(name="provider", ok=ok, detail=said + status + found)

    async def _attempt(self, tenant: TenantSettings, device: Device) -> tuple[Answer, Environment | None]:
        """The provider's answer, its lesson stored, and the other environment if that is to be tried next."""
        delivery, now = self.delivery, self.delivery.clock()
        push = self._push(device, now)
        answer = await delivery.senders[device.app].send(push, device, privacy=tenant.policy.privacy, now=now)
        tried = retry.Tried(
            push=push, device=device, answer=answer, attempts=0, now=delivery.clock(), dice=delivery.dice()
        )
        settlement = retry.settle(tried)
        if settlement.device is not None:
            await delivery.store.devices.apply(device, settlement.device)
        if settlement.state is not PushState.DEFERRED or settlement.device is None:
            return answer, None
        return answer, settlement.device.environment

    def _push(self, device: Device, now: Millis) -> Push:
        event_id = self.new_id(now)
        return Push(
            push_id=derive_push_id(event_id, device.device_id, PushKind.TEST),
            event_id=event_id,
            tenant=device.tenant,
            extension=device.extension,
            device_id=device.device_id,
            kind=PushKind.TEST,
            collapse_id=derive_collapse_id(device.tenant, device.extension, "test"),
            occurred_at=now,
            deadline=now + TEST_LIFETIME,
        )


def _registered(device: Device | None) -> TestStage:
    if device is None:
        return TestStage(name="registered", ok=False, detail="no such device is registered for this extension")
    if device.state is not DeviceState.ACTIVE:
        return TestStage(
            name="registered", ok=False, detail=f"{device.state}: {device.last_error or 'the token was retired'}"
        )
    if device.rings_only:
        return TestStage(
            name="registered", ok=False, detail="with a VoIP token alone: the phone can be rung, and shown nothing"
        )
    muted = ", muted: other pushes are not sent" if device.muted else ""
    return TestStage(name="registered", ok=True, detail=f"{device.provider} token …{device.token.hint}{muted}")


def _app(tenant: TenantSettings, device: Device, *, configured: bool) -> TestStage:
    if not configured:
        return TestStage(name="app", ok=False, detail=f"{device.app} is not configured")
    if device.app not in tenant.apps:
        return TestStage(name="app", ok=False, detail=f"{device.app} is not one of the tenant's apps")
    return TestStage(name="app", ok=True, detail=device.app)
