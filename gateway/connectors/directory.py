"""Which id a Yeastar PBX has for a number: its interfaces take ids, people and this gateway know numbers."""

from gateway.connectors.yeastar_client import YeastarClient
from gateway.domain.event import Clock, Millis

FRESH: Millis = 60_000
"""A number that is not known is looked for again at most so often."""


class Directory:
    """Ids of one list interface (`extension/list`, `queue/list`), read when a number is not known."""

    def __init__(self, client: YeastarClient, interface: str, *, clock: Clock) -> None:
        self._client = client
        self._interface = interface
        self._clock = clock
        self._ids: dict[str, int] = {}
        self._read_at: Millis | None = None

    async def id_of(self, number: str) -> int | None:
        """The id of `number`; None: the PBX has no such number. Raises as `YeastarClient`."""
        if number not in self._ids and (self._read_at is None or self._clock() - self._read_at >= FRESH):
            await self.read()
        return self._ids.get(number)

    async def read(self) -> None:
        """Read the whole list."""
        ids: dict[str, int] = {}
        async for row in self._client.pages(self._interface):
            number, row_id = row.get("number"), row.get("id")
            if isinstance(number, str) and isinstance(row_id, int):
                ids[number.strip()] = row_id
        self._ids, self._read_at = ids, self._clock()

    def forget(self) -> None:
        """What was read may be wrong: read again when it is needed."""
        self._ids, self._read_at = {}, None
