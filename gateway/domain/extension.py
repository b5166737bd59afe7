"""What the gateway remembers of one extension: the state that decisions are made from."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.domain.agent_action import AgentOrder
from gateway.domain.device import Device
from gateway.domain.event import Caller, EventKind, Millis, Via
from gateway.domain.presence import AnySettings, Presence, Profile, default_settings, settings_status
from gateway.domain.push import PushKind, PushState


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPush:
    """A push that was planned for a call, and how far it is."""

    push_id: str
    device_id: str
    kind: PushKind
    state: PushState = PushState.QUEUED


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """What is known of one call at one extension, whatever order its events came in."""

    call_id: str
    via: Via | None = None
    answered_here: bool = False
    answered_elsewhere: bool = False
    answered_by: str | None = None
    """Extension that took it, where an event named it."""
    forwarded: bool = False
    ended: bool = False
    voicemail: bool = False
    """A `voicemail.new` of this call is known."""
    missed_event: str | None = None
    """Event id of its missed call while that stands in the inbox."""
    pushes: tuple[CallPush, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenItem:
    """An inbox item that the user has not seen."""

    event_id: str
    at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What the badge counts (`policy.badge`)."""

    missed: tuple[UnseenItem, ...] = ()
    voicemails: tuple[UnseenItem, ...] = ()
    """Unseen `voicemail.new` items that the mailbox count does not hold yet."""
    mailbox_new: int = 0
    """Unread messages by the last `voicemail.mailbox`, less those seen since."""
    mailbox_at: Millis = 0
    """Time of that event; 0: none came yet."""
    told: int = 0
    """The number that was last sent to phones; -1: not known, for a push that held one was stopped, or the count
    changed without one."""


class InboxKind(StrEnum):
    """What an inbox item is."""

    CALL_MISSED = "call.missed"
    VOICEMAIL_NEW = "voicemail.new"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxVoicemail:
    """The voicemail part of an inbox item."""

    message_id: str | None = None
    duration_seconds: int | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """One line of the app's list."""

    event_id: str
    kind: InboxKind
    occurred_at: Millis
    seen: bool = False
    caller: Caller = Caller()
    call_id: str | None = None
    voicemail: InboxVoicemail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentCall:
    """A caller of the last minutes, for `policy.bypass.repeat_caller`."""

    number: str
    at: Millis
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionState:
    """One consistent reading of an extension, and of one call where an event is about one."""

    tenant: str
    extension: str
    rev: int = 0
    """Version of the whole; a write is accepted only against the version it was decided on."""
    presence: Presence = Presence()
    settings: dict[str, AnySettings] = field(default_factory=dict)
    """Stored settings by status; absent statuses have their defaults."""
    profile: Profile = Profile()
    devices: tuple[Device, ...] = ()
    unread: Unread = Unread()
    recent_calls: tuple[RecentCall, ...] = ()
    agent_orders: tuple[AgentOrder, ...] = ()
    """What changes of presence asked of the queues, the newest change's first."""
    call: CallState | None = None

    def settings_for(self, status: str, custom_statuses: tuple[str, ...]) -> tuple[str, AnySettings]:
        """The status whose settings apply to `status`, and those settings."""
        applies = settings_status(status, custom_statuses)
        return applies, self.settings.get(applies) or default_settings(applies)

    def device(self, device_id: str) -> Device | None:
        """The device of that id, if it is registered."""
        return next((device for device in self.devices if device.device_id == device_id), None)

    def with_settings(self, status: str, settings: AnySettings) -> "ExtensionState":
        """The same extension with other settings for `status`."""
        return replace(self, settings={**self.settings, status: settings})


INBOX_KIND = {EventKind.CALL_MISSED: InboxKind.CALL_MISSED, EventKind.VOICEMAIL_NEW: InboxKind.VOICEMAIL_NEW}
