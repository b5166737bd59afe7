"""Bodies about devices: the three ways to write down a push address, and the answer without tokens."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, StrictBool, StringConstraints, Tag, field_validator

from gateway.domain.device import REGISTRABLE_KINDS, Device, DeviceState, Environment, Provider, TargetKind
from gateway.domain.push import PushKind
from gateway.pipeline.diagnosis import TestReport
from gateway.web.models import AnswerModel, RequestModel, Timestamp, is_none

MAX_TOKEN = 4096

ApnsToken: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2}){16,200}$", to_lower=True, max_length=400)
]
"""Hex, an even number of digits, 32 to 400 of them: Apple says not to assume a length."""
FcmToken: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[!-~]{16,4096}$", max_length=MAX_TOKEN)]
"""Opaque: printable ASCII without blanks."""
Fid: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
"""Firebase installation id: base64url, 22 characters today."""


class ApnsPush(RequestModel):
    """An iPhone."""

    provider: Literal["apns"]
    token: ApnsToken
    voip_token: ApnsToken | None = None
    """PushKit token, for `call.incoming`."""
    environment: Environment = Environment.PRODUCTION


class FcmTokenPush(RequestModel):
    """An Android phone, by registration token."""

    provider: Literal["fcm"]
    token: FcmToken


class FcmFidPush(RequestModel):
    """An Android phone, by Firebase installation id."""

    provider: Literal["fcm"]
    fid: Fid


class Rfc8599Push(RequestModel):
    """The words of a SIP Contact (RFC 8599), with Linphone's extensions."""

    pn_provider: Literal["apns", "apns.dev", "fcm"]
    """`apns.dev`: Apple's sandbox."""
    pn_param: Annotated[str, StringConstraints(strip_whitespace=True, max_length=256)] = ""
    """APNs: `TEAM.bundle.voip`, or `TEAM.bundle.remote&voip`; the team id may be missing. FCM: the project."""
    pn_prid: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TOKEN)]
    """The token; for two services `tok:remote&tok:voip`."""


def _tag(value: Any) -> str:
    if isinstance(value, Rfc8599Push) or (isinstance(value, Mapping) and "pn_provider" in value):
        return "rfc8599"
    if isinstance(value, Mapping):
        provider = value.get("provider")
        return "fid" if provider == "fcm" and "fid" in value else str(provider)
    return "apns"


PUSH_TAGS = frozenset({"apns", "fcm", "fid", "rfc8599"})

PushAddress: TypeAlias = Annotated[
    Annotated[ApnsPush, Tag("apns")]
    | Annotated[FcmTokenPush, Tag("fcm")]
    | Annotated[FcmFidPush, Tag("fid")]
    | Annotated[Rfc8599Push, Tag("rfc8599")],
    Discriminator(
        _tag,
        custom_error_type="push_address",
        custom_error_message="provider should be apns or fcm, or pn_provider one of apns, apns.dev, fcm",
    ),
]

Kinds: TypeAlias = Literal["call.missed", "voicemail.new", "call.incoming", "badge"]
_ALL_KINDS: tuple[Kinds, ...] = ("call.missed", "voicemail.new", "call.incoming", "badge")
Locale: TypeAlias = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,8})?$")]


class DeviceBody(RequestModel):
    """A registration. PUT replaces the whole: absent fields take their defaults."""

    app: str
    """Id of one of the tenant's apps."""
    push: PushAddress
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = ""
    locale: Locale = ""
    """BCP 47; decides the language of titles and bodies. Empty: English."""
    app_version: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] = ""
    kinds: tuple[Kinds, ...] = Field(default=_ALL_KINDS, max_length=16)
    """What the app wants to be told."""
    muted: StrictBool = False
    """A muted device gets nothing."""

    @field_validator("locale")
    @classmethod
    def _with_hyphens(cls, value: str) -> str:
        return value.replace("_", "-")

    @property
    def push_kinds(self) -> frozenset[PushKind]:
        """The kinds as a set."""
        return frozenset(PushKind(kind) for kind in self.kinds)


class PushAddressAnswer(AnswerModel):
    """A push address without its tokens: the last four characters tell which one it is."""

    provider: Provider
    environment: Environment | None = Field(default=None, exclude_if=is_none, description="APNs only.")
    target: TargetKind | None = Field(default=None, exclude_if=is_none, description="FCM only: token or fid.")
    token_hint: str
    voip_token_hint: str | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def of(cls, device: Device) -> Self:
        """What may be shown of a device's tokens."""
        is_apns = device.provider is Provider.APNS
        return cls(
            provider=device.provider,
            environment=device.environment if is_apns else None,
            target=None if is_apns else device.target,
            token_hint=device.token.hint,
            voip_token_hint=device.voip_token.hint if device.voip_token else None,
        )


class DeviceAnswer(AnswerModel):
    """A registered device."""

    device_id: str
    app: str
    name: str
    locale: str
    app_version: str
    push: PushAddressAnswer
    kinds: tuple[PushKind, ...]
    muted: bool
    state: DeviceState = Field(description="needs_reregister: the token is proved dead and nothing is sent.")
    voip_state: DeviceState | None = Field(
        default=None,
        exclude_if=is_none,
        description="The same of the VoIP token, where one is registered: needs_reregister means that the phone is not "
        "rung any more, while `state` says whether it is told of everything else.",
    )
    registered_at: Timestamp
    last_accepted_at: Timestamp | None = Field(description="When the provider last took a push for it.")
    last_error: str | None

    @classmethod
    def of(cls, device: Device) -> Self:
        """Everything of a device but its tokens."""
        return cls(
            device_id=device.device_id,
            app=device.app,
            name=device.name,
            locale=device.locale,
            app_version=device.app_version,
            push=PushAddressAnswer.of(device),
            kinds=tuple(kind for kind in PushKind if kind in device.kinds & REGISTRABLE_KINDS),
            muted=device.muted,
            state=device.state,
            voip_state=device.state_for(PushKind.CALL_INCOMING) if device.voip_token else None,
            registered_at=device.registered_at,
            last_accepted_at=device.last_accepted_at,
            last_error=device.last_error or None,
        )


class DeviceListAnswer(AnswerModel):
    """All devices of the extension."""

    items: tuple[DeviceAnswer, ...]


class StageAnswer(AnswerModel):
    """One step of the diagnosis."""

    name: str = Field(examples=["provider"])
    ok: bool
    detail: str


class DiagnosisAnswer(AnswerModel):
    """How far a test push came: all stages until the first that failed."""

    ok: bool
    stages: tuple[StageAnswer, ...]

    @classmethod
    def of(cls, report: TestReport) -> Self:
        """The diagnosis, stage by stage."""
        stages = tuple(StageAnswer(name=one.name, ok=one.ok, detail=one.detail) for one in report.stages)
        return cls(ok=report.ok, stages=stages)


class ReceiptBody(RequestModel):
    """The app showed this push."""

    push_id: Annotated[
        str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", to_lower=True)
    ]


class HeartbeatBody(RequestModel):
    """Whether the app is in the foreground."""

    foreground: StrictBool
