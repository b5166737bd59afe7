"""Registrations, and who owns which token.

The index of token owners is the truth: a push goes to a device only while the index names that device. A registration
first writes the device, then claims its tokens, then deletes who had them until then. Broken off in between, the phone
belongs to exactly one of the two at every moment, and registering again finishes it.
"""

import asyncio
import json
from typing import Any

import structlog

from gateway.domain.device import Device, Token
from gateway.domain.errors import Conflict
from gateway.domain.event import Millis
from gateway.domain.settlement import DeviceChange
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.keys import encoded
from gateway.store.lua import APPLY, FACTS, HEARTBEAT, REGISTER, RELEASE, UNREGISTER
from gateway.store.results import Move, Place, Registered

logger = structlog.get_logger(__name__)

MOST_DEVICES = 20
"""Of one extension."""
MOST_MOVES = 1000
"""In a tenant's audit list."""

Owner = tuple[str, str, str]
"""Tenant, extension, device id."""


def owner_of(device: Device) -> Owner:
    """Who a device is, as the token index names it."""
    return device.tenant, device.extension, device.device_id


class Devices:
    """Registers and reads devices. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def register(self, device: Device) -> Registered:
        """Create or replace a registration; its state becomes `active`. Registering the same again changes nothing
        else.

        Its tokens move here from whoever had them: that registration is deleted, and the move is put on the audit
        lists of both tenants. Raises `Conflict` when the extension has 20 devices.
        """
        tokens = token_keys(self._access, device)
        fields = codec.device_fields(device, self._access.seals) | dict(
            zip(("token_key", "voip_key"), tokens, strict=False)
        )
        keys = self._access.layout.extension(device.tenant, device.extension)
        names = (keys.record, keys.device_ids, keys.device(device.device_id))
        reply = await self._access.commands.call(
            REGISTER, names, encoded(device.device_id), MOST_DEVICES, self._access.clock(), *codec.flat(fields)
        )
        if reply == b"full":
            raise Conflict(f"an extension has at most {MOST_DEVICES} devices")
        created, *owned = reply
        dropped = [key.decode() for key in owned if key is not None and key.decode() not in tokens]
        moved = await self._claim(device, tokens)
        await asyncio.gather(*(release(self._access, key, owner_of(device)) for key in dropped))
        return Registered(created=bool(created), moved_from=moved)

    async def get(self, tenant: str, extension: str, device_id: str) -> Device | None:
        """One registration."""
        key = self._access.layout.extension(tenant, extension).device(device_id)
        return codec.device(codec.fields_of(await self._access.commands.run("HGETALL", key)), self._access.seals)

    async def list(self, tenant: str, extension: str) -> tuple[Device, ...]:
        """All registrations of an extension, by device id."""
        keys = self._access.layout.extension(tenant, extension)
        names = (keys.record, keys.device_ids, keys.record)
        reply = await self._access.commands.call(FACTS, names, keys.device_prefix, keys.shard.push_prefix)
        found = (codec.device(codec.fields_of(hashed), self._access.seals) for hashed in reply[1])
        return tuple(sorted((item for item in found if item is not None), key=lambda item: item.device_id))

    async def delete(self, tenant: str, extension: str, device_id: str) -> bool:
        """Delete a registration. False: there was none."""
        return await self.unregister((tenant, extension, device_id), token_key="")

    async def apply(self, device: Device, change: DeviceChange) -> bool:
        """Record what an outcome taught. False: the device is gone or has registered again; nothing was written."""
        fields = codec.change_fields(change)
        if not fields:
            return False
        keys = self._access.layout.extension(device.tenant, device.extension)
        names = (keys.record, keys.device(device.device_id))
        head = (change.registered_at, self._access.clock())
        return bool(await self._access.commands.call(APPLY, names, *head, *codec.flat(fields)))

    async def heartbeat(self, tenant: str, extension: str, device_id: str, at: Millis | None) -> bool:
        """The app was in the foreground `at`; None: it is no more. False: there is no such device."""
        key = self._access.layout.extension(tenant, extension).device(device_id)
        return bool(await self._access.commands.call(HEARTBEAT, (key,), "" if at is None else at))

    async def owns(self, device: Device, token: Token) -> bool:
        """Whether the index names this device, or nobody, for one of its tokens. If it names another, the stale
        registration is deleted: an interrupted move left it."""
        key = self._access.layout.token(device.provider, token.reveal())
        owner = _owner(await self._access.commands.run("GET", key))
        if owner is None or owner == owner_of(device):
            return True
        await self.unregister(owner_of(device), token_key=key)
        return False

    async def unregister(self, owner: Owner, *, token_key: str) -> bool:
        """Delete a registration, if `token_key` is still one of its tokens' (empty: in any case), and release them."""
        tenant, extension, device_id = owner
        keys = self._access.layout.extension(tenant, extension)
        names = (keys.record, keys.device_ids, keys.device(device_id))
        owned = await self._access.commands.call(UNREGISTER, names, encoded(device_id), self._access.clock(), token_key)
        if owned is None:
            return False
        await asyncio.gather(*(release(self._access, key.decode(), owner) for key in owned if key is not None))
        return True

    async def _claim(self, device: Device, tokens: tuple[str, ...]) -> Owner | None:
        """Make the device the owner of its tokens. Returns who had one of them."""
        word = _owner_word(owner_of(device))
        commands = self._access.commands
        before: list[Any] = await asyncio.gather(*(commands.run("SET", key, word, "GET") for key in tokens))
        moved: Owner | None = None
        for key, previous in zip(tokens, before, strict=True):
            owner = _owner(previous)
            if owner is None or owner == owner_of(device):
                continue
            moved = moved or owner
            if await self.unregister(owner, token_key=key):
                await self._journal_move(owner, owner_of(device))
        return moved

    async def _journal_move(self, origin: Owner, target: Owner) -> None:
        at = self._access.clock()
        here = Place(extension=target[1], device_id=target[2])
        there = Place(extension=origin[1], device_id=origin[2])
        if origin[0] == target[0]:
            await self._note_move(target[0], Move(at=at, origin=there, target=here))
        else:
            await self._note_move(target[0], Move(at=at, target=here))
            await self._note_move(origin[0], Move(at=at, origin=there))
        logger.info(
            "token moved",
            tenant=target[0],
            extension=target[1],
            device_id=target[2],
            from_tenant=origin[0],
            from_extension=origin[1],
            from_device_id=origin[2],
        )

    async def _note_move(self, tenant: str, move: Move) -> None:
        key = self._access.layout.moves(tenant)
        run = self._access.commands.run
        await asyncio.gather(
            run("LPUSH", key, codec.MOVE.dump_json(move)),
            run("LTRIM", key, 0, MOST_MOVES - 1),
            run("PEXPIRE", key, self._access.retention),
        )


async def release(access: Access, token_key: str, owner: Owner) -> None:
    """Take an entry out of the token index, if it still names this owner."""
    await access.commands.call(RELEASE, (token_key,), _owner_word(owner))


def token_keys(access: Access, device: Device) -> tuple[str, ...]:
    """Names of a device's tokens in the index of owners: the alert token's, then the VoIP token's if it is another."""
    tokens = [device.token] if device.voip_token is None else [device.token, device.voip_token]
    return tuple(dict.fromkeys(access.layout.token(device.provider, token.reveal()) for token in tokens))


def _owner_word(owner: Owner) -> str:
    return json.dumps(owner, separators=(",", ":"))


def _owner(word: bytes | None) -> Owner | None:
    if word is None:
        return None
    tenant, extension, device_id = json.loads(word)
    return tenant, extension, device_id
