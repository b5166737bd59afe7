"""Who changed it last: the PBX's settings and ours, against what both were when they last agreed. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.event import Millis


class Step(StrEnum):
    """What has to be done with one thing that both sides have."""

    NOTHING = "nothing"
    TAKE = "take"
    """The PBX's counts from now on."""
    WRITE = "write"
    """Ours is written to the PBX."""
    KEEP = "keep"
    """Ours counts, and the PBX is not written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Fingerprints of both sides at the end of the last synchronisation."""

    theirs: str
    ours: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """When each side said that something changed; None: it did not say."""

    theirs: Millis | None = None
    ours: Millis | None = None

    @property
    def ours_is_later(self) -> bool:
        """A change of which a side told is later than one that was only noticed."""
        return self.ours is not None and (self.theirs is None or self.ours > self.theirs)


def step(now: Agreement, known: Agreement | None, dates: Dates, *, writes: bool) -> tuple[Step, bool]:
    """What to do, and whether both sides had changed. The first time the PBX's counts; later the last change wins."""
    if known is None:
        return Step.TAKE, False
    they_did, we_did = now.theirs != known.theirs, now.ours != known.ours
    if not they_did and not we_did:
        return Step.NOTHING, False
    if they_did and not (we_did and dates.ours_is_later):
        return Step.TAKE, we_did
    return (Step.WRITE if writes else Step.KEEP), they_did
