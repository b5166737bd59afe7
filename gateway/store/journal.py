"""The history: what happened, what was decided and why, what became of each push. Kept for the retention."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from operator import attrgetter

from gateway.domain.decision import Action, EventRecord, Reason
from gateway.domain.event import EventKind, Millis
from gateway.store import codec
from gateway.store.access import Access
from gateway.store.keys import encoded
from gateway.store.lua import RECEIPT
from gateway.store.paging import id_of, newest
from gateway.store.results import EventPage, Move, PushRecord


class Journal:
    """Reads the history of one tenant at a time. Every method raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def get(self, tenant: str, event_id: str) -> EventRecord | None:
        """One event of this tenant with its facts and its decision."""
        found = await self._event_fields(tenant, (event_id,), "doc")
        return _record(found[0])

    async def pushes(self, tenant: str, event_id: str) -> tuple[PushRecord, ...]:
        """The event's pushes with their attempts, those included that were only to replace another."""
        found = await self._event_fields(tenant, (event_id,), "pushes")
        run = self._access.commands.run
        push_ids = found[0].decode().split() if found[0] else []
        shards = self._access.layout.shards
        replies = await asyncio.gather(
            *(run("HMGET", shard.push(push_id), *codec.PUSH_RECORD_FIELDS) for push_id in push_ids for shard in shards)
        )
        records = (codec.push_record(reply) for reply in replies)
        return tuple(record for record in records if record is not None)

    async def list(
        self,
        tenant: str,
        *,
        extension: str | None = None,
        action: Action | None = None,
        reason: Reason | None = None,
        kind: EventKind | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> EventPage:
        """Events before the event id `after`, newest first, that fit every filter given.

        A rare filter may give fewer than `limit` items together with a cursor: the search goes on from there.
        """
        layout = self._access.layout
        if extension is not None:
            keys = [layout.extension(tenant, extension).history]
        else:
            keys = [shard.history(tenant) for shard in layout.shards]
        wanted = _filter(extension, kind, action, reason)
        searches = await asyncio.gather(
            *(newest(self._access, key, after=after, limit=limit + 1, wanted=wanted) for key in keys)
        )
        horizon = max((id_of(last) for _, last in searches if last is not None), default="")
        merged = heapq.merge(*([id_of(member) for member in members] for members, _ in searches), reverse=True)
        ids = [event_id for event_id in merged if event_id >= horizon]
        cursor = ids[limit - 1] if len(ids) > limit else horizon or None
        documents = await self._event_fields(tenant, ids[:limit], "doc")
        records = (_record(document) for document in documents)
        return EventPage(items=tuple(record for record in records if record is not None), next=cursor)

    async def receipt(self, tenant: str, extension: str, push_id: str, at: Millis) -> bool:
        """The app confirms that it showed a push; the first time counts. False: this extension has no such push."""
        keys = self._access.layout.extension(tenant, extension)
        return bool(await self._access.commands.call(RECEIPT, (keys.shard.push(push_id),), keys.record, at))

    async def moves(self, tenant: str) -> tuple[Move, ...]:
        """Tokens that came to, left or moved within this tenant, newest first; the last 1000."""
        lines = await self._access.commands.run("LRANGE", self._access.layout.moves(tenant), 0, -1)
        oldest = self._access.clock() - self._access.retention
        moves = (codec.MOVE.validate_json(line) for line in lines)
        return tuple(sorted((move for move in moves if move.at >= oldest), key=attrgetter("at"), reverse=True))

    async def _event_fields(self, tenant: str, event_ids: Sequence[str], field: str) -> Sequence[bytes | None]:
        """One field of each event. An event's shard is not in its id: all are asked, in one round trip."""
        run = self._access.commands.run
        shards = self._access.layout.shards
        replies = await asyncio.gather(
            *(run("HGET", shard.event(tenant, event_id), field) for event_id in event_ids for shard in shards)
        )
        rows = (replies[at : at + len(shards)] for at in range(0, len(replies), len(shards)))
        return [next((reply for reply in row if reply is not None), None) for row in rows]


def _record(document: bytes | None) -> EventRecord | None:
    return codec.EVENT.validate_json(codec.unpack(document)) if document is not None else None


def _filter(*parts: str | None) -> Callable[[str], bool]:
    """Whether a member of a history (`event|extension|kind|action|reason`) fits; None fits everything."""
    asked = [(at, encoded(part) if at == 1 else str(part)) for at, part in enumerate(parts, 1) if part is not None]
    if not asked:
        return lambda _: True

    def fits(member: str) -> bool:
        fields = member.split("|")
        return all(fields[at] == part for at, part in asked)

    return fits
