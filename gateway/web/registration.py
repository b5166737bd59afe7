"""From a registration's body to a device: the app has to be the tenant's and to fit the push address."""

from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from gateway.domain.device import Device, Environment, Provider, TargetKind, Token
from gateway.domain.errors import InvalidInput, Problem
from gateway.domain.event import Millis
from gateway.domain.push import PushKind
from gateway.settings import AppSettings, Settings, TenantSettings
from gateway.web.models_devices import (
    ApnsPush,
    ApnsToken,
    DeviceBody,
    FcmFidPush,
    FcmToken,
    FcmTokenPush,
    PushAddress,
    Rfc8599Push,
)

_APNS_TOKEN: TypeAdapter[str] = TypeAdapter(ApnsToken)
_FCM_TOKEN: TypeAdapter[str] = TypeAdapter(FcmToken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a device's pushes go."""

    provider: Provider
    token: str
    target: TargetKind = TargetKind.TOKEN
    voip_token: str | None = None
    environment: Environment = Environment.PRODUCTION


def device_from(
    body: DeviceBody, settings: Settings, tenant: TenantSettings, extension: str, device_id: str, *, now: Millis
) -> Device:
    """The device that the body registers. Raises `InvalidInput` naming `app` or the part of `push` that is wrong."""
    app = settings.app(body.app) if body.app in tenant.apps else None
    if app is None:
        raise InvalidInput(Problem("app", "not one of the tenant's apps"))
    address = address_of(body.push, app)
    if address.provider is not app.provider:
        place = "push.pn_provider" if isinstance(body.push, Rfc8599Push) else "push.provider"
        raise InvalidInput(Problem(place, f"the app is reached by {app.provider}"))
    device = Device(
        tenant=tenant.id,
        extension=extension,
        device_id=device_id,
        app=app.id,
        provider=address.provider,
        token=Token(address.token),
        target=address.target,
        voip_token=None if address.voip_token is None else Token(address.voip_token),
        environment=address.environment,
        name=body.name,
        locale=body.locale,
        app_version=body.app_version,
        kinds=body.push_kinds,
        muted=body.muted,
        registered_at=now,
    )
    return replace(device, kinds=device.kinds & {PushKind.CALL_INCOMING}) if device.rings_only else device


def address_of(push: PushAddress, app: AppSettings) -> Address:
    """The address that any of the three ways to write it means."""
    match push:
        case ApnsPush():
            return Address(
                provider=Provider.APNS,
                token=push.token,
                voip_token=push.voip_token,
                environment=push.environment,
            )
        case FcmTokenPush():
            return Address(provider=Provider.FCM, token=push.token)
        case FcmFidPush():
            return Address(provider=Provider.FCM, token=push.fid, target=TargetKind.FID)
        case Rfc8599Push(pn_provider="fcm"):
            return Address(provider=Provider.FCM, token=_checked(_FCM_TOKEN, push.pn_prid))
        case Rfc8599Push():
            return _apple_address(push, app)


def _apple_address(push: Rfc8599Push, app: AppSettings) -> Address:
    environment = Environment.SANDBOX if push.pn_provider == "apns.dev" else Environment.PRODUCTION
    services = _services(push.pn_param, app)
    tokens = _tokens(push.pn_prid, services)
    voip = tokens.get("voip")
    return Address(
        provider=Provider.APNS,
        token=tokens.get("remote") or tokens["voip"],
        voip_token=voip,
        environment=environment,
    )


def _services(pn_param: str, app: AppSettings) -> tuple[str, ...]:
    """`("remote", "voip")` of `TEAM.bundle.remote&voip`; without a known ending it is `remote`."""
    identifier, _, ending = pn_param.rpartition(".")
    services = tuple(ending.split("&"))
    if not identifier or not set(services) <= {"remote", "voip"} or len(set(services)) != len(services):
        identifier, services = pn_param, ("remote",)
    if app.apns is not None:
        _check_identifier(identifier, app.apns.topic, app.apns.team_id)
    return services


def _check_identifier(identifier: str, topic: str, team_id: str | None) -> None:
    """The bundle has to be the app's; a team id may be missing, but not be another one."""
    if identifier in ("", topic):
        return
    team, _, bundle = identifier.partition(".")
    if bundle != topic:
        raise InvalidInput(Problem("push.pn_param", f"the app's bundle id is {topic}"))
    if team_id is not None and team != team_id:
        raise InvalidInput(Problem("push.pn_param", f"the app's team id is {team_id}"))


def _tokens(pn_prid: str, services: tuple[str, ...]) -> dict[str, str]:
    """Token by service: one bare token for one service, else `tok:remote&tok:voip`."""
    if ":" not in pn_prid and "&" not in pn_prid and len(services) == 1:
        return {services[0]: _checked(_APNS_TOKEN, pn_prid)}
    tokens = {}
    for part in pn_prid.split("&"):
        token, _, service = part.partition(":")
        tokens[service] = _checked(_APNS_TOKEN, token)
    if set(tokens) != set(services):
        raise InvalidInput(Problem("push.pn_prid", "names other services than pn_param: write tok:remote&tok:voip"))
    return tokens


def _checked(kind: TypeAdapter[str], token: str) -> str:
    try:
        return kind.validate_python(token)
    except ValidationError as error:
        raise InvalidInput(Problem("push.pn_prid", "not a device token of this provider")) from error
