"""`[[tenants]]`: a customer with its keys, its PBXs and its policy."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field, ValidationInfo, field_validator

from gateway.domain.presence import STATUSES
from gateway.domain.tenant_policy import TenantPolicy
from gateway.ingress.signatures import standard_webhook_key
from gateway.ingress.yeastar_settings import FIELDS as PRESENCE_FIELDS
from gateway.settings.fields import Int, Name, Url, Zone
from gateway.settings.reading import Place, Reading, Section, part, parts
from gateway.settings.secret import Secret
from gateway.settings.sections import NamedKey

MIN_HS256_KEY_BYTES = 32
"""RFC 7518 3.2: a key of the hash's size or larger."""
MIN_RSA_BITS = 2048
"""RFC 7518 3.3."""
MIN_WEBHOOK_KEY_BYTES = 24
"""Standard Webhooks 1.0.0: a secret is 24 to 64 random bytes."""
MIN_YEASTAR_SECRET = 16
"""Characters; a P-Series PBX makes 32 of them."""


class Scope(StrEnum):
    """What a tenant's key may do."""

    EVENTS = "events"
    """Post events."""
    DEVICES = "devices"
    """Devices, test, receipts, heartbeat, inbox seen."""
    PRESENCE = "presence"
    """Presence, settings, profile."""
    READ = "read"
    """Every GET of the tenant, and preview."""


class TenantKey(NamedKey):
    """A key of a server of the tenant, limited by scopes."""

    scopes: frozenset[Scope]


class UserTokenSettings(Section):
    """How the JWTs of the tenant's mobile app are checked."""

    algorithm: Literal["HS256", "RS256", "ES256"]
    key: Secret | None = None
    """HS256: the shared secret. RS256, ES256: the public key as PEM."""
    jwks_url: Url | None = None
    audience: str | None = None
    """Checked when set."""
    issuer: str | None = None
    """Checked when set."""

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        key, jwks_url = given.get("key"), given.get("jwks_url")
        if given.get("algorithm") == "HS256":
            if key is None:
                yield ("key",), "required for HS256"
            if jwks_url is not None:
                yield ("jwks_url",), "not for HS256: its key is a shared secret"
        elif given.get("algorithm") in ("RS256", "ES256") and (key is None) == (jwks_url is None):
            yield ("key",), "exactly one of key and jwks_url is required"

    @field_validator("key")
    @classmethod
    def _fits_the_algorithm(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is not None and "algorithm" in info.data:
            _check_key(info.data["algorithm"], value.reveal().encode())
        return value


def _check_key(algorithm: str, key: bytes) -> None:
    if algorithm == "HS256":
        if len(key) < MIN_HS256_KEY_BYTES:
            raise ValueError(f"an HS256 key has at least {MIN_HS256_KEY_BYTES} bytes")
        return
    try:
        public = load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key in PEM") from error
    if algorithm == "RS256" and not (isinstance(public, RSAPublicKey) and public.key_size >= MIN_RSA_BITS):
        raise ValueError(f"RS256 needs an RSA key of at least {MIN_RSA_BITS} bits")
    if algorithm == "ES256" and not (
        isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1)
    ):
        raise ValueError("ES256 needs a P-256 key")


class ConnectorSettings(Section):
    """What the gateway may ask of a PBX, or tell it."""

    kind: Literal["yeastar", "webhook"]
    """webhook: a signed outbound webhook."""
    url: Url
    client_id: str | None = None
    client_secret: Secret | None = None
    sync: Literal["off", "pull", "both"] = "off"
    """Whether presence settings are read from the PBX, and written to it."""
    sync_interval_seconds: Annotated[Int, Field(ge=10, le=86_400)] = 900
    presence_fields: dict[str, str] | None = None
    """The firmware's names in `presence_list`, by the names that `docs/pbx/yeastar.md` lists; None: they are those."""
    push_setting_field: str | None = None
    """The firmware's name of Accept Push Notifications in `presence_list`; not synchronised while unset."""
    secret: Secret | None = None
    """Signs the outbound webhook."""

    @field_validator("presence_fields")
    @classmethod
    def _are_fields(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        unknown = sorted(set(value or ()) - PRESENCE_FIELDS)
        if unknown:
            raise ValueError(f"not synchronised: {', '.join(unknown)}")
        return value

    @field_validator("secret")
    @classmethod
    def _can_sign(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            standard_webhook_key(value.reveal())
        return value

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        needed = {"yeastar": ("client_id", "client_secret"), "webhook": ("secret",)}.get(str(given.get("kind")), ())
        for name in needed:
            if given.get(name) is None:
                yield (name,), f"required for a connector of kind {given['kind']}"


class SourceKind(StrEnum):
    """The dialect a source speaks."""

    GENERIC = "generic"
    """CloudEvents."""
    YEASTAR = "yeastar"
    """Yeastar P-Series webhooks."""


class SourceSettings(Section):
    """One PBX, or other sender of events: `POST /hooks/{name}`."""

    name: Name
    """Unique over all tenants."""
    kind: SourceKind
    secrets: tuple[Secret, ...]
    """What its requests are signed with; two while one replaces the other. Also written as `secret`."""
    timezone: Zone | None = None
    """Of the PBX's local times; None: the tenant's."""
    connector: ConnectorSettings | None = None

    @field_validator("secrets", mode="before")
    @classmethod
    def _are_one_or_two(cls, value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) not in (1, 2):
            raise ValueError("one secret, or two while one replaces the other")
        return value

    @field_validator("secrets")
    @classmethod
    def _can_sign(cls, value: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        for secret in value:
            _check_source_secret(info.data.get("kind"), secret.reveal())
        return value

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        if "secret" in given and "secrets" in given:
            yield ("secrets",), "secret or secrets, not both"

    @classmethod
    def spelled_out(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if "secrets" in given:
            return {name: value for name, value in given.items() if name != "secret"}
        if "secret" not in given:
            return given
        return {name: value for name, value in given.items() if name != "secret"} | {"secrets": (given["secret"],)}

    @classmethod
    def place(cls, given: Mapping[str, Any], loc: Place) -> Place:
        if loc[:1] == ("secrets",) and "secrets" not in given:
            return ("secret", *loc[2:])
        return loc


def _check_source_secret(kind: SourceKind | None, secret: str) -> None:
    match kind:
        case SourceKind.GENERIC if len(standard_webhook_key(secret)) < MIN_WEBHOOK_KEY_BYTES:
            raise ValueError(f"a Standard Webhooks secret has at least {MIN_WEBHOOK_KEY_BYTES} bytes")
        case SourceKind.YEASTAR if len(secret) < MIN_YEASTAR_SECRET:
            raise ValueError(f"the secret of a Yeastar webhook has at least {MIN_YEASTAR_SECRET} characters")


class TenantSettings(Section):
    """A customer."""

    id: Name
    timezone: Zone = "UTC"
    """For PBXs that send local time without a zone."""
    apps: tuple[str, ...] = ()
    """Ids of the applications that its users may register."""
    api_keys: tuple[TenantKey, ...] = ()
    user_tokens: UserTokenSettings | None = None
    """None: the tenant's apps cannot call the gateway themselves."""
    sources: tuple[SourceSettings, ...] = ()
    policy: TenantPolicy = TenantPolicy()

    @classmethod
    def rules(cls, given: Mapping[str, Any], reading: Reading) -> Iterator[tuple[Place, str]]:
        yield from repeated(parts(given, "api_keys"), "name", ("api_keys",))
        policy = part(given, "policy")
        declared = parts(policy, "custom_statuses")
        for index, status in enumerate(declared):
            if status in STATUSES:
                yield ("policy", "custom_statuses", index), "one of the six statuses cannot be declared again"
        for index, status in enumerate(parts(policy, "quiet_statuses")):
            if status not in STATUSES and status not in declared:
                yield ("policy", "quiet_statuses", index), "neither one of the six statuses nor in custom_statuses"

    def zone_of(self, source: SourceSettings) -> ZoneInfo:
        """The zone of that source's local times."""
        return ZoneInfo(source.timezone or self.timezone)


def repeated(items: Iterable[Any], name: str, place: Place) -> Iterator[tuple[Place, str]]:
    """A problem for each item whose `name` an earlier one has already."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        value = part(item, name)
        if isinstance(value, str) and value in seen:
            yield (*place, index, name), f"{value} is there already"
        elif isinstance(value, str):
            seen.add(value)
