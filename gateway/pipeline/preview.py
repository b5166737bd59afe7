"""What would be decided, and what phones would receive. Writes nothing and sends nothing."""

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.domain.decision import Decision, Facts
from gateway.domain.device import Device, Provider
from gateway.domain.event import Millis, PbxEvent
from gateway.domain.push import Push
from gateway.payloads import apns, fcm
from gateway.pipeline.intake import Arrival, Intake
from gateway.policy.decide import decide
from gateway.policy.effects import effects
from gateway.settings import Settings, TenantSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPayload:
    """What one phone would receive."""

    device_id: str
    headers: dict[str, str]
    """APNs request headers without the provider token; empty for FCM."""
    body: dict[str, Any]
    """APNs payload, or FCM request body with the target's last four characters only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A decision that was not carried out."""

    facts: Facts
    decision: Decision
    payloads: tuple[PreviewPayload, ...]


async def preview(intake: Intake, settings: Settings, tenant: TenantSettings, event: PbxEvent, now: Millis) -> Preview:
    """Decide on `event` with the extension's present state."""
    arrival = Arrival(tenant=tenant, source="preview", received_at=now)
    state, facts = await intake.read(arrival, event, "preview")
    decision = decide(facts)
    payloads = []
    for push in effects(facts, decision).pushes:
        device = state.device(push.device_id)
        if device is not None:
            payloads.append(_payload(push, device, settings, tenant, now))
    return Preview(facts=facts, decision=decision, payloads=tuple(payloads))


def _payload(push: Push, device: Device, settings: Settings, tenant: TenantSettings, now: Millis) -> PreviewPayload:
    if device.provider is Provider.APNS:
        app = settings.app(device.app)
        topic = app.apns.topic if app is not None and app.apns is not None else ""
        message = apns.build(push, device, topic=topic, privacy=tenant.policy.privacy)
        return PreviewPayload(
            device_id=device.device_id, headers=dict(message.headers), body=orjson.loads(message.body)
        )
    message_body = fcm.build(push, device, privacy=tenant.policy.privacy, now=now).message
    body = {"message": {**message_body, device.target.value: f"…{device.token.hint}"}}
    return PreviewPayload(device_id=device.device_id, headers={}, body=body)
