"""The state of extensions: read as one, written only against the version that was read."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from gateway.domain.agent_action import AgentOrder
from gateway.domain.decision import EventRecord
from gateway.domain.effects import Effects
from gateway.domain.extension import CallState, ExtensionState, Unread
from gateway.domain.presence import AnySettings, Presence, Profile
from gateway.domain.push import Push, PushState
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.agent_actions import orders_of
from gateway.store.erasure import Erasure
from gateway.store.keys import ExtensionKeys
from gateway.store.lua import COMMIT, FACTS
from gateway.store.results import Acceptance, Duplicate, Stale, Stored
from gateway.store.seals import Seals
from gateway.store.writes import Write, Writer, flattened

_SETTINGS = b"settings:"


class Extensions:
    """Loads and changes extensions. Every method raises `StoreUnavailable`; nothing is promised to be stored then."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._erasure = Erasure(access)

    async def load(self, tenant: str, extension: str, call_id: str | None = None) -> ExtensionState:
        """One consistent reading, with what is known of `call_id`. An extension never heard of has `rev` 0.

        A push of the call whose withdrawal is on its way reads as `withdrawn`, whatever becomes of it: what has to
        follow it is stored already.
        """
        keys = self._access.layout.extension(tenant, extension)
        names = (keys.record, keys.device_ids, keys.call(call_id) if call_id is not None else keys.record)
        reply = await self._access.commands.call(FACTS, names, keys.device_prefix, keys.shard.push_prefix)
        return _state(tenant, extension, reply, self._access.seals)

    async def accept(self, state: ExtensionState, record: EventRecord, effects: Effects) -> Acceptance:
        """Store an event with its decision and all that follows from it: whole, once, or not at all.

        A duplicate is an event with the same id, the same identity in this tenant, or the same fact about this
        extension. It is looked for first: a duplicate is no reason to read again. With several shards an identity is
        known within its extension's shard: a sender that reuses one for another subject is not found out there.
        """
        keys = self._keys(state)
        event = record.facts.event
        guards: list[str] = []
        if event.identity is not None:
            guards.append(keys.shard.identity_guard(state.tenant, event.identity))
        if event.fact is not None:
            guards.append(keys.fact_guard(event.fact))
        names = (keys.shard.event(record.tenant, record.event_id), *guards)
        reply = await self._commit(
            state, self._writer(keys).acceptance(record, effects, guards), keys=names, event_id=record.event_id
        )
        if isinstance(reply, list):
            return Duplicate(reply[1].decode())
        return Stored() if reply == b"stored" else Stale()

    async def save(
        self,
        state: ExtensionState,
        *,
        presence: Presence | None = None,
        settings: tuple[str, AnySettings] | None = None,
        profile: Profile | None = None,
        agent_orders: tuple[AgentOrder, ...] | None = None,
    ) -> bool:
        """Write what is given. False: the extension changed since it was read; load and repeat."""
        writer = self._writer(self._keys(state))
        writes = chain(
            writer.record(presence=presence, settings=settings, profile=profile), writer.agent_orders(agent_orders)
        )
        return bool(await self._commit(state, writes) == b"stored")

    async def see(
        self, state: ExtensionState, unread: Unread, event_ids: tuple[str, ...], pushes: tuple[Push, ...]
    ) -> bool:
        """Mark inbox items seen, with the new count and the badge pushes that tell it. False: stale, load and repeat.

        Ids that are not in the inbox change nothing.
        """
        writes = self._writer(self._keys(state)).seen(unread, event_ids, pushes)
        return bool(await self._commit(state, writes) == b"stored")

    async def erase(self, tenant: str, extension: str) -> dict[str, int]:
        """Delete everything about an extension: presence, settings, devices, inbox, history, waiting pushes, dead
        letters, and that its events were ever accepted. Returns how much of each there was.

        What could be sent goes first, in one step; interrupted, it is finished by calling it again.
        """
        return await self._erasure.erase(tenant, extension)

    def _keys(self, state: ExtensionState) -> ExtensionKeys:
        return self._access.layout.extension(state.tenant, state.extension)

    def _writer(self, keys: ExtensionKeys) -> Writer:
        return Writer(keys, self._access.clock(), self._access.retention)

    async def _commit(
        self, state: ExtensionState, writes: Iterable[Write], *, keys: tuple[str, ...] = (), event_id: str = ""
    ) -> Any:
        head = (state.rev, self._access.clock(), event_id, self._access.retention)
        names = (self._keys(state).record, *keys)
        return await self._access.commands.call(COMMIT, names, *head, *flattened(writes))


def _state(tenant: str, extension: str, reply: Any, seals: Seals) -> ExtensionState:
    record, devices, call, states = reply
    fields = codec.fields_of(record)
    found = (codec.device(codec.fields_of(hashed), seals) for hashed in devices)
    return ExtensionState(
        tenant=tenant,
        extension=extension,
        rev=int(fields.get(b"rev", b"0")),
        presence=codec.PRESENCE.validate_json(fields[b"presence"]) if b"presence" in fields else Presence(),
        settings={
            name.removeprefix(_SETTINGS).decode(): codec.settings(document)
            for name, document in fields.items()
            if name.startswith(_SETTINGS)
        },
        profile=codec.profile(fields[b"profile"]) if b"profile" in fields else Profile(),
        devices=tuple(sorted((item for item in found if item is not None), key=lambda item: item.device_id)),
        unread=codec.UNREAD.validate_json(fields[b"unread"]) if b"unread" in fields else Unread(),
        recent_calls=codec.RECENT_CALLS.validate_json(fields[b"recent_calls"]) if b"recent_calls" in fields else (),
        agent_orders=orders_of(fields.get(b"agent_orders")),
        call=_call(call, states),
    )


def _call(document: bytes | None, states: list[bytes]) -> CallState | None:
    if document is None:
        return None
    call = codec.CALL.validate_json(document)
    known = {
        push_id.decode(): PushState(state.decode()) for push_id, state in zip(states[::2], states[1::2], strict=True)
    }
    return codec.with_push_states(call, known)
