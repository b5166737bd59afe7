"""A dead letter gets another life, if its push would be sent today: the deadline, the device and the policy are asked
again, and the answer holds for the very state that the push is queued against."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.decision import Action
from gateway.domain.event import Clock
from gateway.domain.extension import ExtensionState
from gateway.domain.push import Push, PushKind
from gateway.pipeline.facts import facts_of
from gateway.policy.decide import decide
from gateway.settings import Settings, TenantSettings
from gateway.store import Store

MOST_READINGS = 10
"""How often it is decided anew because the extension changed meanwhile."""


class Refusal(StrEnum):
    """Why a dead letter was not replayed, besides the reasons of the policy."""

    NO_DEAD_LETTER = "no_dead_letter"
    """There is none of that id: never was, replayed, dropped or erased."""
    EXPIRED = "expired"
    """Its deadline has passed."""
    NO_TENANT = "no_tenant"
    """The tenant is no longer configured."""
    NO_DEVICE = "no_device"
    """The device is gone, retired, muted, or no longer takes this kind."""
    NO_APP = "no_app"
    """The device's app is no longer one of the tenant's."""
    CHANGING = "changing"
    """The extension is being changed too often, or the push was withdrawn."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """It is back in the queue, under the same push id and collapse id, with its attempts forgiven."""


@dataclass(frozen=True, slots=True)
class NotReplayed:
    """It stays a dead letter."""

    why: str
    """A `Refusal`, or the `Reason` that suppresses the event by now."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Replays dead letters."""

    settings: Settings
    store: Store
    clock: Clock

    async def replay(self, push_id: str) -> Replayed | NotReplayed:
        """Queue it again, once. Raises `StoreUnavailable`."""
        letters = self.store.dead_letters
        for _ in range(MOST_READINGS):
            record = await letters.get(push_id)
            if record is None:
                return NotReplayed(Refusal.NO_DEAD_LETTER)
            state = await self._state(record.push)
            why = await self._refusal(record.push, state)
            if why is not None:
                return NotReplayed(why)
            if await letters.replay(push_id, self.clock(), rev=state.rev):
                return Replayed()
        return NotReplayed(Refusal.CHANGING)

    async def _state(self, push: Push) -> ExtensionState:
        return await self.store.extensions.load(push.tenant, push.extension, push.call_id)

    async def _refusal(self, push: Push, state: ExtensionState) -> str | None:
        tenant, device = self.settings.tenant(push.tenant), state.device(push.device_id)
        if self.clock() > push.deadline:
            return Refusal.EXPIRED
        if tenant is None:
            return Refusal.NO_TENANT
        if device is None or not device.takes(push.kind):
            return Refusal.NO_DEVICE
        if device.app not in tenant.apps:
            return Refusal.NO_APP
        return await self._policy(push, state, tenant)

    async def _policy(self, push: Push, state: ExtensionState, tenant: TenantSettings) -> str | None:
        """What suppresses the push's event now. A replacement passes no rules: what it replaces has done so. A badge
        after `seen` has no event, and what is older than the history has its deadline alone."""
        record = await self.store.journal.get(push.tenant, push.event_id)
        if record is None or push.kind is PushKind.CALL_WITHDRAWN:
            return None
        now = self.clock()
        facts = facts_of(
            state,
            record.facts.event,
            event_id=record.event_id,
            policy=tenant.policy,
            source=record.source,
            now=now,
            inbox_since=now - self.settings.store.journal_retention_hours * 3_600_000,
        )
        decision = decide(facts)
        return decision.reason if decision.action is Action.SUPPRESS else None
