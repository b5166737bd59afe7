"""One installation of the mobile app for an extension."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.event import Millis
from gateway.domain.push import PushKind


class Provider(StrEnum):
    """Who delivers to the phone."""

    APNS = "apns"
    FCM = "fcm"


class Environment(StrEnum):
    """Which of Apple's two services knows the token; `production` for FCM."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"

    @property
    def other(self) -> "Environment":
        """The one that a BadDeviceToken may really belong to."""
        return Environment.SANDBOX if self is Environment.PRODUCTION else Environment.PRODUCTION


class DeviceState(StrEnum):
    """Whether the device can be told anything."""

    ACTIVE = "active"
    NEEDS_REREGISTER = "needs_reregister"
    """Its token was retired by proof; the app has to register again."""


class TargetKind(StrEnum):
    """What an FCM address is; APNs has only tokens."""

    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    FID = "fid"
    """Firebase installation id (2026)."""


REGISTRABLE_KINDS = frozenset({PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW, PushKind.CALL_INCOMING, PushKind.BADGE})
"""What an app may ask for in `kinds`; the default is all four."""


class Token:
    """A device token. Prints as its last four characters only, so that no log line or traceback holds one."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself: for the store and for the wire, and for nothing else."""
        return self._value

    @property
    def hint(self) -> str:
        """The last four characters, as answers show them."""
        return self._value[-4:]

    def __repr__(self) -> str:
        return f"Token(…{self.hint})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A registration as stored. `registered_at` is its version: whatever is settled against an older one is void."""

    tenant: str
    extension: str
    device_id: str
    app: str
    provider: Provider
    token: Token
    target: TargetKind = TargetKind.TOKEN
    voip_token: Token | None = None
    environment: Environment = Environment.PRODUCTION
    name: str = ""
    locale: str = ""
    """BCP 47 tag as the app gave it; empty: English."""
    app_version: str = ""
    kinds: frozenset[PushKind] = field(default=REGISTRABLE_KINDS)
    muted: bool = False
    state: DeviceState = DeviceState.ACTIVE
    registered_at: Millis = 0
    last_accepted_at: Millis | None = None
    last_error: str | None = None
    tried_other_environment: bool = False
    """After a BadDeviceToken the environment was switched once already."""
    voip_state: DeviceState = DeviceState.ACTIVE
    """Of the VoIP token beside an alert token: it is retired alone, and the phone is still told of everything else."""
    voip_environment: Environment | None = None
    """Where the VoIP token alone is tried after its BadDeviceToken; None: in `environment`, as the alert token."""
    foreground_at: Millis | None = None
    """When the app last said that it is in the foreground; None: it is not, or never said so."""

    @property
    def rings_only(self) -> bool:
        """Registered with a VoIP token alone (RFC 8599 `pn-param` ending in `.voip`), which then stands for both."""
        return self.provider is Provider.APNS and self.voip_token == self.token

    def rings_apart(self, kind: PushKind) -> bool:
        """Whether a push of this kind goes to a VoIP token that is another than the alert token."""
        apart = self.voip_token is not None and not self.rings_only
        return kind is PushKind.CALL_INCOMING and self.provider is Provider.APNS and apart

    def state_for(self, kind: PushKind) -> DeviceState:
        """Whether a push of this kind has a token that is believed to live."""
        return self.voip_state if self.state is DeviceState.ACTIVE and self.rings_apart(kind) else self.state

    def environment_for(self, kind: PushKind) -> Environment:
        """Which of Apple's services a push of this kind goes to."""
        return (self.voip_environment if self.rings_apart(kind) else None) or self.environment

    def token_for(self, kind: PushKind) -> Token | None:
        """The token that a push of this kind goes to: iOS rings by the VoIP token alone, and shows nothing by it."""
        if self.provider is Provider.APNS and (kind is PushKind.CALL_INCOMING or self.rings_only):
            return self.voip_token if kind is PushKind.CALL_INCOMING else None
        return self.token

    def takes(self, kind: PushKind) -> bool:
        """Whether this device is told this kind (POLICY rule 10: `kinds`, `muted`, `state`, `voip_token`)."""
        if self.muted or self.state_for(kind) is not DeviceState.ACTIVE or self.token_for(kind) is None:
            return False
        return kind not in REGISTRABLE_KINDS or kind in self.kinds
