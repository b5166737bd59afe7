"""Builders of facts with sensible defaults: a missed call from outside, just now, to an available extension with an
iPhone and an Android phone."""

from collections.abc import Iterable

from gateway.domain.decision import DeviceFacts, Facts
from gateway.domain.device import REGISTRABLE_KINDS, DeviceState, Provider
from gateway.domain.event import (
    Call,
    Caller,
    Direction,
    Disposition,
    EventKind,
    Mailbox,
    Millis,
    Outcome,
    PbxEvent,
    Via,
    Voicemail,
)
from gateway.domain.extension import CallState, RecentCall, Unread
from gateway.domain.forwarding import (
    AlwaysCallForwarding,
    AlwaysForwardingRules,
    CallForwarding,
    Destination,
    DestinationKind,
    ForwardingCondition,
    ForwardingRules,
)
from gateway.domain.presence import (
    AnySettings,
    DoNotDisturbSettings,
    Endpoint,
    Presence,
    RingStrategy,
    Status,
    StatusSettings,
    settings_status,
)
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import TenantPolicy

NOW: Millis = 1_795_341_600_000
TENANT = "acme"
EXTENSION = "1001"
CALL_ID = "1713151497.32"
CALLER = Caller(number="+4915112345678", name="Alice")

ALL_FIRST = RingStrategy()
MOBILE_SECONDLY = RingStrategy(
    ring_first=(Endpoint.EXTENSION_ENDPOINT,), ring_secondly=(Endpoint.MOBILE_CLIENT, Endpoint.WEB_CLIENT)
)
NO_MOBILE = RingStrategy(ring_first=(Endpoint.EXTENSION_ENDPOINT,), ring_secondly=(Endpoint.DESKTOP_CLIENT,))

_ON = ForwardingCondition(
    enabled=True, destination=Destination(kind=DestinationKind.EXTERNAL_NUMBER, value="030123456")
)
_OFF = ForwardingCondition()


def a_device(
    device_id: str = "alice-iphone",
    *,
    provider: Provider = Provider.APNS,
    kinds: Iterable[PushKind] = REGISTRABLE_KINDS,
    muted: bool = False,
    state: DeviceState = DeviceState.ACTIVE,
    has_voip_token: bool = True,
    rings_only: bool = False,
) -> DeviceFacts:
    """A device as a decision sees it."""
    return DeviceFacts(
        device_id=device_id,
        app=f"com.example.softphone.{'ios' if provider is Provider.APNS else 'android'}",
        provider=provider,
        kinds=frozenset(kinds),
        muted=muted,
        state=state,
        has_voip_token=has_voip_token and provider is Provider.APNS,
        rings_only=rings_only and has_voip_token and provider is Provider.APNS,
    )


IPHONE = a_device()
ANDROID = a_device("alice-android", provider=Provider.FCM)


def settings_of(
    status: str = "away",
    *,
    accept_push: bool = True,
    ring: RingStrategy = ALL_FIRST,
    ring_timeout: int = 30,
    always: Iterable[Direction] = (),
) -> AnySettings:
    """Settings of a status; in Do Not Disturb what it does not have is left out. `always`: directions that the
    status always forwards."""
    internal, external = (_ON if direction in always else _OFF for direction in (Direction.INTERNAL, Direction.INBOUND))
    if status == Status.DO_NOT_DISTURB:
        return DoNotDisturbSettings(
            accept_push_notifications=accept_push,
            call_forwarding=AlwaysCallForwarding(
                internal=AlwaysForwardingRules(always=internal), external=AlwaysForwardingRules(always=external)
            ),
        )
    return StatusSettings(
        accept_push_notifications=accept_push,
        ring_strategy=ring,
        ring_timeout_seconds=ring_timeout,
        call_forwarding=CallForwarding(
            internal=ForwardingRules(always=internal), external=ForwardingRules(always=external)
        ),
    )


def an_event(
    kind: EventKind = EventKind.CALL_MISSED,
    *,
    occurred_at: Millis | None = NOW,
    call_id: str | None = CALL_ID,
    direction: Direction = Direction.INBOUND,
    via: Via | None = None,
    ring_stage: int | None = None,
    disposition: Disposition | None = None,
    answered_by: str | None = None,
    caller: Caller = CALLER,
    message_id: str | None = "1713840555-00000623",
    mailbox_new: int = 3,
    presence: str | None = None,
    extension: str = EXTENSION,
) -> PbxEvent:
    """An event with the parts that its kind has."""
    about_call = kind not in (EventKind.VOICEMAIL_MAILBOX, EventKind.PRESENCE_CHANGED) and call_id is not None
    voicemail = Voicemail(message_id=message_id, duration_seconds=12) if kind is EventKind.VOICEMAIL_NEW else None
    return PbxEvent(
        kind=kind,
        extension=extension,
        identity=None,
        occurred_at=occurred_at,
        call=Call(id=call_id or "", direction=direction, via=via, ring_stage=ring_stage) if about_call else None,
        caller=caller if about_call else Caller(),
        outcome=Outcome(disposition=disposition, answered_by=answered_by),
        voicemail=voicemail,
        mailbox=Mailbox(new=mailbox_new) if kind is EventKind.VOICEMAIL_MAILBOX else None,
        presence=(presence or "away") if kind is EventKind.PRESENCE_CHANGED else None,
    )


def facts(
    event: PbxEvent | None = None,
    *,
    kind: EventKind = EventKind.CALL_MISSED,
    status: str = Status.AVAILABLE.value,
    disposition: Disposition | None = None,
    answered_by: str | None = None,
    direction: Direction = Direction.INBOUND,
    via: Via | None = None,
    ring_stage: int | None = None,
    caller: Caller = CALLER,
    mailbox_new: int = 3,
    presence: str | None = None,
    age: Millis = 0,
    now: Millis = NOW,
    accept_push: bool = True,
    ring: RingStrategy = ALL_FIRST,
    ring_timeout: int = 30,
    always: Iterable[Direction] = (),
    call: CallState | None = None,
    unread: Unread | None = None,
    devices: tuple[DeviceFacts, ...] = (IPHONE, ANDROID),
    policy: TenantPolicy | None = None,
    vip_callers: tuple[str, ...] = (),
    recent_calls: tuple[RecentCall, ...] = (),
    event_id: str = "01JEVENT",
) -> Facts:
    """Facts of one decision. `age`: how long before the receipt it happened, in milliseconds."""
    rules = policy or TenantPolicy()
    applies = settings_status(status, rules.custom_statuses)
    return Facts(
        event_id=event_id,
        tenant=TENANT,
        event=event
        or an_event(
            kind,
            occurred_at=now - age,
            direction=direction,
            via=via,
            ring_stage=ring_stage,
            disposition=disposition,
            answered_by=answered_by,
            caller=caller,
            mailbox_new=mailbox_new,
            presence=presence,
        ),
        now=now,
        presence=Presence(status=status),
        settings_of=applies,
        settings=settings_of(applies, accept_push=accept_push, ring=ring, ring_timeout=ring_timeout, always=always),
        call=call,
        unread=unread or Unread(),
        devices=devices,
        policy=rules,
        vip_callers=vip_callers,
        recent_calls=recent_calls,
        source="hq",
    )
