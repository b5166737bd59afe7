"""What an app lists: missed calls and voicemails of one extension, bounded and kept as long as the journal."""

from dataclasses import replace

from gateway.domain.extension import InboxItem
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.paging import newest


class Inbox:
    """Reads inboxes; they are written by `Extensions`. Raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def list(
        self, tenant: str, extension: str, *, after: str | None = None, limit: int = 50
    ) -> tuple[tuple[InboxItem, ...], str | None]:
        """Items before the event id `after`, newest first, and the cursor of the next page (None: that was all)."""
        keys = self._access.layout.extension(tenant, extension)
        ids, _ = await newest(self._access, keys.inbox_order, after=after, limit=limit + 1, wanted=lambda _: True)
        shown = ids[:limit]
        cursor = shown[-1] if len(ids) > limit else None
        if not shown:
            return (), None
        names = [name for event_id in shown for name in (event_id, f"{event_id}:s")]
        values = await self._access.commands.run("HMGET", keys.inbox, *names)
        pairs = zip(values[::2], values[1::2], strict=True)
        items = (_item(document, seen) for document, seen in pairs if document is not None)
        return tuple(items), cursor


def _item(document: bytes, seen: bytes | None) -> InboxItem:
    item = codec.INBOX_ITEM.validate_json(document)
    return replace(item, seen=True) if seen is not None else item
