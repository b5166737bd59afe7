"""Which keys the tokens of a store need, and how they come under a new one.

What a store needs to be opened is written in it, beside its layout: a gateway that lacks one of the keys does not
start, instead of telling nobody about calls.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from gateway.domain.errors import ConfigurationError, Problem
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.batch import Commands
from gateway.store.connection import Client
from gateway.store.keys import EVERY_DEVICE, LAYOUT
from gateway.store.lua import SEAL
from gateway.store.seals import CannotOpen, Seals
from gateway.store.unavailable import CLIENT_ERRORS, translated

_FIELD = "seal:"
"""Start of a field of the layout: a key that tokens may be sealed with, by its id; the value proves the key."""
_PROOF = ("store",)
STEP = 100
"""Devices that are looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What became of the tokens of a store."""

    anew: int = 0
    """Sealed with the first key now."""
    already: int = 0
    """They were."""
    unreadable: int = 0
    """No key opens them: their apps have to register again."""


async def require_keys(commands: Commands, seals: Seals) -> None:
    """Refuse a store that needs other keys than these, and write down that it needs the first of them from now on.

    Raises `ConfigurationError`.
    """
    proofs = await _proofs(commands)
    if lacking := [key_id for key_id, proof in proofs.items() if not _opens(seals, proof)]:
        why = f"tokens in the store are sealed with other keys than these: {', '.join(sorted(lacking))}"
        raise ConfigurationError(Problem(loc="store.token_keys", msg=why))
    if seals.first is not None and seals.first not in proofs:
        await commands.run("HSETNX", LAYOUT, _FIELD + seals.first, seals.seal("", _PROOF))


async def seal_all(access: Access, client: Client) -> Sealed:
    """Bring every token under the first key; afterwards the store needs no other one. Without a key nothing happens.

    To be called when no process seals with another key any more. Raises `StoreUnavailable`; may be called again.
    """
    if access.seals.first is None:
        return Sealed()
    total = Sealed()
    async for names in _devices(client):
        for name in names:
            done = await _seal_device(access, name)
            total = Sealed(
                anew=total.anew + done.anew,
                already=total.already + done.already,
                unreadable=total.unreadable + done.unreadable,
            )
    others = [_FIELD + key_id for key_id in await _proofs(access.commands) if key_id != access.seals.first]
    if others:
        await access.commands.run("HDEL", LAYOUT, *others)
    return total


async def _seal_device(access: Access, name: str) -> Sealed:
    fields = codec.fields_of(await access.commands.run("HGETALL", name))
    anew = already = unreadable = 0
    for field, stored, place in codec.sealed_fields(fields):
        if access.seals.is_current(stored):
            already += 1
            continue
        try:
            sealed = access.seals.seal(access.seals.open(stored, place), place)
        except CannotOpen:
            unreadable += 1
            continue
        anew += await access.commands.call(SEAL, (name,), field, stored, sealed)
    return Sealed(anew=anew, already=already, unreadable=unreadable)


async def _devices(client: Client) -> AsyncIterator[list[str]]:
    names: list[str] = []
    try:
        async for name in client.scan_iter(match=EVERY_DEVICE, count=STEP):
            names.append(name.decode())
            if len(names) == STEP:
                yield names
                names = []
    except CLIENT_ERRORS as error:
        raise translated(error) from error
    yield names


async def _proofs(commands: Commands) -> dict[str, bytes]:
    fields: Any = codec.fields_of(await commands.run("HGETALL", LAYOUT))
    return {
        name.decode().removeprefix(_FIELD): value for name, value in fields.items() if name.startswith(_FIELD.encode())
    }


def _opens(seals: Seals, proof: bytes) -> bool:
    try:
        return seals.open(proof, _PROOF) == ""
    except CannotOpen:
        return False
