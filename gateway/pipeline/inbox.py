"""The app marks items seen; the badge follows on every device."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Millis
from gateway.domain.extension import ExtensionState, InboxItem, Unread
from gateway.domain.push import Push, PushKind
from gateway.pipeline.turns import Turns
from gateway.policy import badge as badges
from gateway.policy.pushes import badge_push
from gateway.settings import TenantSettings
from gateway.store import Store

PAGE = 200
MOST_READINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxService:
    """Reads and marks an extension's inbox."""

    store: Store
    turns: Turns
    clock: Callable[[], Millis]
    new_id: Callable[[Millis], str]
    retention: Millis

    async def badge(self, tenant: TenantSettings, extension: str) -> int:
        """The number on the app icon now."""
        state = await self.store.extensions.load(tenant.id, extension)
        return badges.badge(badges.since(state.unread, self.clock() - self.retention))

    async def mark_seen(self, tenant: TenantSettings, extension: str, event_ids: tuple[str, ...] | None) -> int:
        """Mark items seen (None: all) and tell every device the new badge. Returns it.

        Unknown and already seen ids change nothing. "All" empties the count whole, also what only the mailbox knew;
        the next mailbox event sets the truth again.
        """
        async with self.turns.of(tenant.id, extension):
            for _ in range(MOST_READINGS):
                state = await self.store.extensions.load(tenant.id, extension)
                items = await self._unseen(tenant.id, extension, event_ids)
                unread = self._after(state.unread, items, everything=event_ids is None)
                if unread == state.unread and not items:
                    return badges.badge(unread)
                pushes = self._badge_pushes(tenant, state, unread)
                if pushes:
                    unread = badges.told(unread)
                elif badges.badge(unread) != unread.told:
                    unread = badges.untold(unread)
                seen = tuple(item.event_id for item in items)
                if await self.store.extensions.see(state, unread, seen, pushes):
                    return badges.badge(unread)
        raise StoreUnavailable("the extension is being changed too often")

    async def _unseen(self, tenant: str, extension: str, event_ids: tuple[str, ...] | None) -> tuple[InboxItem, ...]:
        found: list[InboxItem] = []
        after: str | None = None
        while True:
            items, after = await self.store.inbox.list(tenant, extension, after=after, limit=PAGE)
            found += [item for item in items if not item.seen and (event_ids is None or item.event_id in event_ids)]
            if after is None:
                return tuple(found)

    def _after(self, unread: Unread, items: tuple[InboxItem, ...], *, everything: bool) -> Unread:
        if everything:
            return Unread(mailbox_at=unread.mailbox_at, told=unread.told)
        for item in items:
            unread = badges.with_seen(unread, item)
        return badges.since(unread, self.clock() - self.retention)

    def _badge_pushes(self, tenant: TenantSettings, state: ExtensionState, unread: Unread) -> tuple[Push, ...]:
        _, settings = state.settings_for(state.presence.status, tenant.policy.custom_statuses)
        if badges.badge(unread) == state.unread.told or not settings.accept_push_notifications:
            return ()
        now = self.clock()
        event_id = self.new_id(now)
        return tuple(
            badge_push(
                event_id=event_id,
                tenant=tenant.id,
                extension=state.extension,
                device_id=device.device_id,
                badge=badges.badge(unread),
                now=now,
            )
            for device in state.devices
            if device.takes(PushKind.BADGE)
        )
