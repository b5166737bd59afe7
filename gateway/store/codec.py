"""Between the domain's values and the store's bytes.

Documents are JSON by pydantic, hashes are flat fields. A field that an older gateway did not write takes the domain's
default when it is read. Tokens are in device hashes only, and pass `Seals` there.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter

from gateway.domain.decision import EventRecord
from gateway.domain.device import Device, DeviceState, Environment, Provider, TargetKind, Token
from gateway.domain.extension import CallState, InboxItem, RecentCall, Unread
from gateway.domain.presence import AnySettings, Presence, Profile
from gateway.domain.push import Attempt, Push, PushKind, PushState
from gateway.domain.settlement import DeviceChange
from gateway.store.results import Loaded, Move, PushRecord
from gateway.store.seals import CannotOpen, Seals

logger = structlog.get_logger(__name__)

Field: TypeAlias = str | bytes | int
Fields: TypeAlias = dict[bytes, bytes]

EVENT = TypeAdapter(EventRecord)
PRESENCE = TypeAdapter(Presence)
PROFILE = TypeAdapter(Profile)
SETTINGS: TypeAdapter[AnySettings] = TypeAdapter(AnySettings)
UNREAD = TypeAdapter(Unread)
RECENT_CALLS = TypeAdapter(tuple[RecentCall, ...])
CALL = TypeAdapter(CallState)
INBOX_ITEM = TypeAdapter(InboxItem)
PUSH = TypeAdapter(Push)
ATTEMPT = TypeAdapter(Attempt)
MOVE = TypeAdapter(Move)

_ZLIB_HEAD = 0x78


def pack(document: bytes) -> bytes:
    """A journal document, compressed: facts repeat the same words and stay for a week."""
    return zlib.compress(document, 1)


def unpack(stored: bytes) -> bytes:
    """What `pack` was given; a document stored without it is read as it is."""
    return zlib.decompress(stored) if stored and stored[0] == _ZLIB_HEAD else stored


def fields_of(reply: Mapping[bytes, bytes] | Sequence[bytes]) -> Fields:
    """A hash, whether the client made a mapping of it or a script returned it flat."""
    if isinstance(reply, Mapping):
        return dict(reply)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def flat(fields: Mapping[str, Field]) -> Iterable[Field]:
    """Fields and values as HSET takes them."""
    for name, value in fields.items():
        yield name
        yield value


@lru_cache(maxsize=4096)
def settings(document: bytes) -> AnySettings:
    """Settings of one status. Many extensions share theirs, and they are immutable: read once."""
    return SETTINGS.validate_json(document)


@lru_cache(maxsize=4096)
def profile(document: bytes) -> Profile:
    """A profile; immutable: read once."""
    return PROFILE.validate_json(document)


class _Registration(BaseModel):
    """What an app says of itself: written at registration and never changed after."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    extension: str
    device_id: str
    app: str
    provider: Provider
    target: TargetKind = TargetKind.TOKEN
    name: str = ""
    locale: str = ""
    app_version: str = ""
    kinds: tuple[PushKind, ...] = ()
    muted: bool = False


@lru_cache(maxsize=16_384)
def _registration(document: bytes) -> _Registration:
    return _Registration.model_validate_json(document)


def device_fields(device: Device, seals: Seals) -> dict[str, Field]:
    """A device's hash as a fresh registration writes it: active, no error, in the environment it says."""
    registration = _Registration(
        tenant=device.tenant,
        extension=device.extension,
        device_id=device.device_id,
        app=device.app,
        provider=device.provider,
        target=device.target,
        name=device.name,
        locale=device.locale,
        app_version=device.app_version,
        kinds=tuple(sorted(device.kinds)),
        muted=device.muted,
    )
    fields: dict[str, Field] = {
        "doc": registration.model_dump_json(),
        "token": seals.seal(device.token.reveal(), _place(registration, "token")),
        "environment": device.environment.value,
        "state": DeviceState.ACTIVE.value,
        "registered_at": device.registered_at,
    }
    if device.voip_token is not None:
        fields["voip_token"] = seals.seal(device.voip_token.reveal(), _place(registration, "voip_token"))
    return fields


_TOKENS = ("token", "voip_token")
UNREADABLE = "TokenUnreadable"
"""Error of a device whose token no key opens."""


def _place(registration: _Registration, field: str) -> tuple[str, ...]:
    return registration.tenant, registration.extension, registration.device_id, field


def sealed_fields(fields: Fields) -> Iterable[tuple[str, bytes, tuple[str, ...]]]:
    """The tokens of a device's hash: field, as it is stored, and the place that it is sealed for."""
    document = fields.get(b"doc")
    for name in _TOKENS if document is not None else ():
        stored = fields.get(name.encode())
        if document is not None and stored is not None:
            yield name, stored, _place(_registration(document), name)


def _tokens(fields: Fields, seals: Seals) -> dict[str, Token]:
    """The tokens by field; none when one of them cannot be opened."""
    try:
        return {name: Token(seals.open(stored, place)) for name, stored, place in sealed_fields(fields)}
    except CannotOpen:
        return {}


def device(fields: Fields, seals: Seals) -> Device | None:
    """The device of a hash; None for an empty one. One whose tokens cannot be opened has to register again."""
    document = fields.get(b"doc")
    if document is None:
        return None
    registration = _registration(document)
    accepted = fields.get(b"last_accepted_at")
    foreground = fields.get(b"foreground_at")
    error = fields.get(b"last_error")
    voip_at = fields.get(b"voip_environment")
    tokens, state = _tokens(fields, seals), DeviceState(fields[b"state"].decode())
    if not tokens:
        logger.error("token cannot be opened", tenant=registration.tenant, device_id=registration.device_id)
        tokens, state, error = {"token": Token("")}, DeviceState.NEEDS_REREGISTER, UNREADABLE.encode()
    return Device(
        tenant=registration.tenant,
        extension=registration.extension,
        device_id=registration.device_id,
        app=registration.app,
        provider=registration.provider,
        token=tokens["token"],
        target=registration.target,
        voip_token=tokens.get("voip_token"),
        environment=Environment(fields[b"environment"].decode()),
        name=registration.name,
        locale=registration.locale,
        app_version=registration.app_version,
        kinds=frozenset(registration.kinds),
        muted=registration.muted,
        foreground_at=int(foreground) if foreground is not None else None,
        state=state,
        registered_at=int(fields[b"registered_at"]),
        last_accepted_at=int(accepted) if accepted else None,
        last_error=error.decode() if error else None,
        tried_other_environment=fields.get(b"tried_other_environment") == b"1",
        voip_state=DeviceState(fields.get(b"voip_state", b"active").decode()),
        voip_environment=Environment(voip_at.decode()) if voip_at is not None else None,
    )


def change_fields(change: DeviceChange) -> dict[str, Field]:
    """The fields that a change writes; an empty error clears the last one."""
    fields: dict[str, Field] = {}
    if change.last_accepted_at is not None:
        fields["last_accepted_at"] = change.last_accepted_at
    if change.last_error is not None:
        fields["last_error"] = change.last_error
    if change.state is not None:
        fields["state"] = change.state.value
    if change.environment is not None:
        fields["environment"] = change.environment.value
    if change.tried_other_environment is not None:
        fields["tried_other_environment"] = int(change.tried_other_environment)
    if change.voip_state is not None:
        fields["voip_state"] = change.voip_state.value
    if change.voip_environment is not None:
        fields["voip_environment"] = change.voip_environment.value
    return fields


def with_push_states(call: CallState, states: Mapping[str, PushState]) -> CallState:
    """The call with how far its pushes are; one that is remembered no longer is left out."""
    pushes = tuple(replace(push, state=states[push.push_id]) for push in call.pushes if push.push_id in states)
    return replace(call, pushes=pushes)


def attempts(lines: bytes | None) -> tuple[Attempt, ...]:
    """Attempts, stored as one JSON object a line."""
    return tuple(ATTEMPT.validate_json(line) for line in lines.splitlines()) if lines else ()


PUSH_RECORD_FIELDS = ("doc", "state", "attempts", "receipt_at")


def push_record(reply: Sequence[bytes | None]) -> PushRecord | None:
    """From the values of `PUSH_RECORD_FIELDS`; None when there is no such push."""
    document, state, tried, receipt = reply
    if document is None or state is None:
        return None
    return PushRecord(
        push=PUSH.validate_json(document),
        state=PushState(state.decode()),
        attempts=attempts(tried),
        receipt_at=int(receipt) if receipt is not None else None,
    )


def loaded(reply: Sequence[Any], seals: Seals) -> Loaded:
    """From the answer of `load.lua`."""
    document, state, withdrawn, counted, registration, unread = reply
    return Loaded(
        push=PUSH.validate_json(document),
        state=PushState(state.decode()),
        withdrawn=withdrawn is not None,
        attempts=int(counted or 0),
        device=device(fields_of(registration), seals),
        unread=UNREAD.validate_json(unread) if unread is not None else Unread(),
    )


def without_device(push: Loaded) -> Loaded:
    """The push of a device that it must not go to any more."""
    return replace(push, device=None)
