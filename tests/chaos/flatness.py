"""Whether a figure that was read every minute stays flat. Pure.

A straight line is laid through the readings (least squares), after a warm-up in which pools, caches and connections
fill. What it rises from the first reading to the last is held against a bound: a share of the mean, or an absolute
amount for figures so small that a share of them says nothing. A leak rises steadily and breaks any bound when it is
observed for long enough; noise around a level does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WARM_UP_SHARE = 0.2
"""Of the readings: pools, caches and connections fill."""
FEWEST_READINGS = 3
"""A line through fewer says nothing."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a figure may rise over the whole observation."""

    share: float
    """Of its mean."""
    amount: float
    """Or so much, if that is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the line says."""

    name: str
    mean: float
    rise: float
    """Of the line, from the first reading after the warm-up to the last."""
    allowed: float
    readings: int

    @property
    def flat(self) -> bool:
        """Whether it rises no more than it may; what falls is flat. Too few readings prove nothing against it."""
        return self.readings < FEWEST_READINGS or self.rise <= self.allowed


BOUNDS: Mapping[str, Bound] = {
    "memory": Bound(share=0.10, amount=8 * 1024 * 1024),
    "descriptors": Bound(share=0.10, amount=16),
    "threads": Bound(share=0.0, amount=3),
    "tasks": Bound(share=0.25, amount=60),
    "queue age": Bound(share=0.5, amount=2.0),
    "queue depth": Bound(share=0.5, amount=200),
    "p50": Bound(share=0.5, amount=10),
    "p99": Bound(share=0.5, amount=100),
}
"""By the last word of a figure's name. Memory: the allocator keeps what it got, in steps of megabytes. Descriptors and
tasks: connections and pushes in flight vary with the faults of the minute. The queue: the median of the minute. Times
in milliseconds, ages in seconds: two shared cores, other work beside."""


def judge(name: str, readings: Sequence[float], bound: Bound) -> Verdict:
    """The verdict on one figure."""
    kept = readings[round(len(readings) * WARM_UP_SHARE) :]
    mean = sum(kept) / len(kept) if kept else 0.0
    return Verdict(
        name=name,
        mean=mean,
        rise=slope(kept) * max(0, len(kept) - 1),
        allowed=max(bound.share * mean, bound.amount),
        readings=len(kept),
    )


def slope(readings: Sequence[float]) -> float:
    """Of the line of least squares, a reading being one step."""
    count = len(readings)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(readings) / count
    spread = sum((step - middle) ** 2 for step in range(count))
    return sum((step - middle) * (value - mean) for step, value in enumerate(readings)) / spread


def verdicts(series: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """On every figure that has a bound: names end with one of `BOUNDS`."""
    return [
        judge(name, readings, bound)
        for name, readings in series.items()
        for word, bound in BOUNDS.items()
        if name.endswith(word)
    ]
