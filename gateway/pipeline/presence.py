"""Presence, settings and profile set through the API: the same state that events from a PBX change."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from gateway.domain.errors import InvalidInput, Problem, StoreUnavailable
from gateway.domain.event import Millis
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import (
    STATUSES,
    AnySettings,
    Presence,
    Profile,
    StatusSettings,
    canonical_status,
)
from gateway.pipeline.agent_switch import orders_after
from gateway.pipeline.pbx import connected_source
from gateway.pipeline.turns import Turns
from gateway.settings import TenantSettings
from gateway.store import Side, Store

Value = TypeVar("Value")

MOST_READINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceService:
    """Changes what a user sets. Every change is decided on the present state and refused if that moved on."""

    store: Store
    turns: Turns
    clock: Callable[[], Millis]

    async def read(self, tenant: TenantSettings, extension: str) -> ExtensionState:
        """The extension as it is now."""
        return await self.store.extensions.load(tenant.id, extension)

    async def set_status(
        self, tenant: TenantSettings, extension: str, status: str, information: str | None, *, set_by: str
    ) -> Presence:
        """Set the current status. The same status and note again change nothing.

        Raises `InvalidInput` for a status that is neither one of the six nor declared by the tenant.
        """
        wanted = canonical_status(status)
        if wanted not in STATUSES and wanted not in tenant.policy.custom_statuses:
            raise InvalidInput(Problem(loc="status", msg="not a presence status of this tenant"))

        async def attempt() -> Presence | None:
            state = await self.read(tenant, extension)
            if state.presence.status == wanted and information in (None, state.presence.information):
                return state.presence
            same = state.presence.status == wanted
            presence = Presence(
                status=wanted,
                information=information,
                since=state.presence.since if same else self.clock(),
                set_by=set_by,
            )
            orders = orders_after(tenant, state, presence, self.clock())
            saved = await self.store.extensions.save(state, presence=presence, agent_orders=orders)
            return await self._told(tenant, state, presence) if saved else None

        return await self._in_turn(tenant, extension, attempt)

    async def change_settings(
        self,
        tenant: TenantSettings,
        extension: str,
        status: str,
        change: Callable[[ExtensionState], AnySettings],
    ) -> AnySettings:
        """Store the settings of one status that `change` makes from the present state.

        `change` validates and may raise `InvalidInput`.
        """

        async def attempt() -> AnySettings | None:
            state = await self.read(tenant, extension)
            settings = change(state)
            saved = await self.store.extensions.save(state, settings=(status, settings))
            return await self._told(tenant, state, settings) if saved else None

        return await self._in_turn(tenant, extension, attempt)

    async def change_profile(
        self, tenant: TenantSettings, extension: str, change: Callable[[ExtensionState], Profile]
    ) -> Profile:
        """Store the profile that `change` makes from the present state.

        Raises `InvalidInput` when a status still rings the mobile number that the change takes away.
        """

        async def attempt() -> Profile | None:
            state = await self.read(tenant, extension)
            profile = change(state)
            if profile.mobile_number is None:
                _refuse_orphaned_mobile_ring(state)
            saved = await self.store.extensions.save(state, profile=profile)
            return await self._told(tenant, state, profile) if saved else None

        return await self._in_turn(tenant, extension, attempt)

    async def _told(self, tenant: TenantSettings, state: ExtensionState, value: Value) -> Value:
        """The value, after whoever writes it to the PBX was told of the change."""
        source = connected_source(tenant, state.profile)
        if source is not None and source.connector is not None and source.connector.sync == "both":
            # It is stored already; without this it is written by the next whole reading.
            with suppress(StoreUnavailable):
                await self.store.synchronised.ask(tenant.id, state.extension, source.name, Side.HERE)
        return value

    async def _in_turn(
        self, tenant: TenantSettings, extension: str, attempt: Callable[[], Awaitable[Value | None]]
    ) -> Value:
        async with self.turns.of(tenant.id, extension):
            for _ in range(MOST_READINGS):
                value = await attempt()
                if value is not None:
                    return value
        raise StoreUnavailable("the extension is being changed too often")


def _refuse_orphaned_mobile_ring(state: ExtensionState) -> None:
    ringing = [
        status
        for status, settings in state.settings.items()
        if isinstance(settings, StatusSettings) and settings.ring_mobile_simultaneously.enabled
    ]
    if ringing:
        raise InvalidInput(
            Problem(loc="mobile_number", msg=f"ring_mobile_simultaneously is still enabled in {', '.join(ringing)}")
        )
