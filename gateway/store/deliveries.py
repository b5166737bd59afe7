"""Webhook ids: what a delivery was answered with, so that its repeat gets the same."""

from pydantic import BaseModel

from gateway.store.access import Access
from gateway.store.results import Claim

KEPT_MS = 72 * 3_600_000
"""Longer than any sender keeps repeating."""


class _Answered(BaseModel):
    digest: str
    event_ids: tuple[str, ...]


class Deliveries:
    """Claims webhook ids. Raises `StoreUnavailable`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def claim(self, source: str, delivery_id: str, digest: str, event_ids: tuple[str, ...]) -> Claim:
        """Claim a webhook id of a source for 72 hours. Whoever is not the first gets what the first one claimed with:
        the digest of its body and its event ids."""
        mine = _Answered(digest=digest, event_ids=event_ids)
        key = self._access.layout.delivery(source, delivery_id)
        earlier = await self._access.commands.run("SET", key, mine.model_dump_json(), "NX", "GET", "PX", KEPT_MS)
        if earlier is None:
            return Claim(first=True, digest=digest, event_ids=event_ids)
        theirs = _Answered.model_validate_json(earlier)
        return Claim(first=False, digest=theirs.digest, event_ids=theirs.event_ids)
