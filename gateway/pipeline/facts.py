"""From what is remembered of an extension to the facts of one decision."""

from gateway.domain.decision import DeviceFacts, Facts
from gateway.domain.device import Device, DeviceState
from gateway.domain.event import Millis, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.domain.tenant_policy import TenantPolicy
from gateway.policy import badge


def facts_of(
    state: ExtensionState,
    event: PbxEvent,
    *,
    event_id: str,
    policy: TenantPolicy,
    source: str,
    now: Millis,
    inbox_since: Millis,
) -> Facts:
    """Everything `decide` needs to know about `event`, from one consistent reading of its extension."""
    settings_of, settings = state.settings_for(state.presence.status, policy.custom_statuses)
    return Facts(
        event_id=event_id,
        tenant=state.tenant,
        event=event,
        now=now,
        presence=state.presence,
        settings_of=settings_of,
        settings=settings,
        call=state.call,
        unread=badge.since(state.unread, inbox_since),
        devices=tuple(_device_facts(device) for device in state.devices),
        policy=policy,
        vip_callers=state.profile.vip_callers,
        recent_calls=state.recent_calls,
        source=source,
    )


def _device_facts(device: Device) -> DeviceFacts:
    return DeviceFacts(
        device_id=device.device_id,
        app=device.app,
        provider=device.provider,
        kinds=device.kinds,
        muted=device.muted,
        state=device.state,
        has_voip_token=device.voip_token is not None and device.voip_state is DeviceState.ACTIVE,
        rings_only=device.rings_only,
    )
