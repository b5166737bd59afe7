"""Who plays: two tenants, their extensions in groups, and the phones of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.event import EventKind
from tests.chaos.ledger import Place

IOS = "com.example.softphone.ios"
ANDROID = "com.example.softphone.android"
ACME = "acme"
SWIFT = "swift"
"""Its notifications are worth telling for seconds only, so that deadlines pass during outages."""

LIFETIMES = {
    ACME: {EventKind.CALL_INCOMING: 30, EventKind.CALL_MISSED: 43_200, EventKind.VOICEMAIL_NEW: 259_200},
    SWIFT: {EventKind.CALL_INCOMING: 5, EventKind.CALL_MISSED: 6, EventKind.VOICEMAIL_NEW: 8},
}
"""Seconds. A call of acme's rings for its ring timeout, which is 30."""
LASTING_SECONDS = 3600
"""A notification that is good for longer does not expire during a run."""


class Group(StrEnum):
    """What is done to the extensions of a group, besides everything else."""

    PLAIN = "plain"
    """Nothing more: its phones are told of everything, and what they show has to be right to the last badge."""
    PRESENCE = "presence"
    """Its presence changes, through statuses that allow, defer and forbid."""
    FLAKY = "flaky"
    """Its phones go offline, die, are throttled, and meet refusals."""
    NOMADS = "nomads"
    """Its Android phones change hands."""
    SWIFT = "swift"
    """Of the tenant whose notifications age within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """How many extensions each group has; every extension has an iPhone and an Android phone."""

    plain: int = 30
    presence: int = 6
    flaky: int = 6
    nomads: int = 4
    swift: int = 6

    def places(self, group: Group) -> tuple[Place, ...]:
        """The extensions of a group."""
        first = {Group.PLAIN: 1000, Group.PRESENCE: 2000, Group.FLAKY: 3000, Group.NOMADS: 4000, Group.SWIFT: 5000}
        tenant = SWIFT if group is Group.SWIFT else ACME
        size: int = getattr(self, group.value)
        return tuple(Place(tenant, str(first[group] + number)) for number in range(size))

    def everybody(self) -> tuple[Place, ...]:
        """All extensions."""
        return tuple(self._all())

    def _all(self) -> Iterator[Place]:
        for group in Group:
            yield from self.places(group)
