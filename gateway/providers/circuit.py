"""The circuit of one app: it keeps pushes back while the provider would take none of them. Pure: time is an argument.

Closed, it lets everything through. It opens

- at once on trouble of the whole app that a person has to mend (credentials),
- on the third quota answer in a row, for the first two may be about one device,
- on a storm: so many failures in a row, or more than half of the last hundred,
- when devices are refused in a row for what is, on that many, the configuration's fault.

Open, it lets nothing through until `retry_at`; then one push goes as the probe, and its answer closes the circuit or
opens it again. Answers to what was sent before it opened change nothing.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, AppTrouble, NotSent, Outcome, TryLater, Unknown
from gateway.providers.readings import Sign


class CircuitState(StrEnum):
    """How open the way is."""

    CLOSED = "closed"
    """Pushes go."""
    OPEN = "open"
    """Pushes are kept."""
    HALF_OPEN = "half_open"
    """One push is on its way as the probe."""


class Cause(StrEnum):
    """Why a circuit opened."""

    CONFIGURATION = "configuration"
    QUOTA = "quota"
    STORM = "storm"
    SUSPICION = "suspicion"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitLimits:
    """When a circuit opens and how long it stays so; times in milliseconds."""

    failures_in_a_row: int = 20
    window: int = 100
    """Answers of which at most half may be failures; judged when there are that many."""
    suspects: int = 20
    """Suspicious refusals within `suspects_within`, none accepted between."""
    suspects_within: Millis = 60_000
    quota_answers: int = 3
    """Quota answers within `quota_within`, none accepted between."""
    quota_within: Millis = 60_000
    configuration_pause: Millis = 60_000
    quota_pause: Millis = 60_000
    """When the provider names no pause."""
    suspicion_pause: Millis = 10_000
    """Short: it may be the devices after all, and others wait."""
    storm_pause: Millis = 2_000
    """The first; it doubles with every failed probe."""
    longest_storm_pause: Millis = 60_000
    longest_pause: Millis = 3_600_000
    """Longer Retry-Afters are not believed."""
    probe_lost: Millis = 30_000
    """A probe without an answer for so long is followed by another."""


@dataclass(frozen=True, slots=True)
class _Opening:
    cause: Cause
    reason: str
    at: Millis
    retry_at: Millis
    failed_probes: int = 0


class Circuit:
    """One app's circuit. Not thread-safe: it lives on the event loop."""

    def __init__(self, limits: CircuitLimits | None = None) -> None:
        self._limits = limits or CircuitLimits()
        self._opening: _Opening | None = None
        self._probe: Millis | None = None
        self._in_a_row = 0
        self._recent: deque[bool] = deque(maxlen=self._limits.window)
        self._suspects: deque[Millis] = deque(maxlen=self._limits.suspects)
        self._quota: deque[Millis] = deque(maxlen=self._limits.quota_answers)

    @property
    def state(self) -> CircuitState:
        """Closed, open, or half open."""
        if self._opening is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._probe is None else CircuitState.HALF_OPEN

    @property
    def reason(self) -> str:
        """Why it is not closed; empty while it is."""
        return self._opening.reason if self._opening else ""

    @property
    def needs_person(self) -> bool:
        """Whether it stays open until somebody mends the configuration."""
        return self._opening is not None and self._opening.cause in (Cause.CONFIGURATION, Cause.SUSPICION)

    def admits(self, now: Millis) -> bool:
        """Whether a push may go now. Asking changes nothing; who sends calls `enter`."""
        if self._opening is None:
            return True
        if self._probe is not None:
            return not self._probe <= now < self._probe + self._limits.probe_lost
        return not self._opening.at <= now < self._opening.retry_at

    def retry_at(self, now: Millis) -> Millis:
        """When to ask again: `now` while it is closed, at least a moment ahead while it admits nothing."""
        if self._opening is None:
            return now
        if self._probe is not None:
            return now + 1000
        return max(now, self._opening.retry_at)

    def enter(self, now: Millis) -> bool:
        """Whether a push may go now; if the circuit is open, that push is the probe, and its answer has to be noted."""
        if not self.admits(now):
            return False
        if self._opening is not None:
            self._probe = now
        return True

    def note(self, outcome: Outcome, now: Millis, *, sign: Sign | None = None, sent_at: Millis | None = None) -> None:
        """Take in what came of a push that entered at `sent_at` (default: now). `sign`: what it says of the app where
        the outcome alone does not tell."""
        sign = sign or sign_of(outcome)
        if self._opening is None:
            self._count(outcome, sign, now)
        elif self._probe is not None and (now if sent_at is None else sent_at) >= self._probe:
            self._probed(outcome, sign, now, self._opening)

    def _count(self, outcome: Outcome, sign: Sign, now: Millis) -> None:
        match sign:
            case Sign.TROUBLE:
                self._count_trouble(outcome, now)
                return
            case Sign.NEUTRAL:
                return
            case Sign.SICK:
                self._in_a_row += 1
            case Sign.SUSPECT:
                self._in_a_row = 0
                self._suspects.append(now)
            case Sign.WORKS:
                self._in_a_row = 0
        self._recent.append(sign is Sign.SICK)
        if isinstance(outcome, Accepted):
            self._suspects.clear()
            self._quota.clear()
        if self._is_storm():
            self._open(Cause.STORM, outcome, now)
        elif _crowded(self._suspects, now, self._limits.suspects_within):
            self._open(Cause.SUSPICION, outcome, now)

    def _count_trouble(self, outcome: Outcome, now: Millis) -> None:
        cause = _trouble(outcome)
        if cause is Cause.QUOTA:
            self._quota.append(now)
            if not _crowded(self._quota, now, self._limits.quota_within):
                return
        self._open(cause, outcome, now)

    def _is_storm(self) -> bool:
        full = len(self._recent) == self._limits.window
        return self._in_a_row >= self._limits.failures_in_a_row or (full and 2 * sum(self._recent) > len(self._recent))

    def _probed(self, outcome: Outcome, sign: Sign, now: Millis, opening: _Opening) -> None:
        self._probe = None
        match sign:
            case Sign.NEUTRAL:
                return
            case Sign.TROUBLE:
                self._open(_trouble(outcome), outcome, now)
            case Sign.SICK:
                self._open(Cause.STORM, outcome, now, failed_probes=opening.failed_probes + 1)
            case Sign.SUSPECT if opening.cause is Cause.SUSPICION:
                self._open(Cause.SUSPICION, outcome, now)
            case Sign.SUSPECT | Sign.WORKS:
                self._opening = None

    def _open(self, cause: Cause, outcome: Outcome, now: Millis, *, failed_probes: int = 0) -> None:
        pause = max(self._pause(cause, failed_probes, _asked(outcome)), 1)
        self._opening = _Opening(cause, _reason(outcome), now, now + pause, failed_probes)
        self._in_a_row = 0
        self._recent.clear()
        self._suspects.clear()
        self._quota.clear()

    def _pause(self, cause: Cause, failed_probes: int, asked: float | None) -> Millis:
        limits = self._limits
        named = None if asked is None else min(int(asked * 1000), limits.longest_pause)
        match cause:
            case Cause.STORM:
                doubled = limits.storm_pause << min(failed_probes, 20)
                return max(min(doubled, limits.longest_storm_pause), named or 0)
            case Cause.SUSPICION:
                return limits.suspicion_pause
            case Cause.CONFIGURATION:
                return limits.configuration_pause if named is None else named
            case Cause.QUOTA:
                return limits.quota_pause if named is None else named


def sign_of(outcome: Outcome) -> Sign:
    """What an outcome says of the app when nothing more is known of it."""
    match outcome:
        case AppTrouble():
            return Sign.TROUBLE
        case TryLater() | NotSent() | Unknown():
            return Sign.SICK
        case _:
            return Sign.WORKS


def _crowded(times: deque[Millis], now: Millis, within: Millis) -> bool:
    return len(times) == times.maxlen and now - times[0] <= within


def _trouble(outcome: Outcome) -> Cause:
    return Cause.QUOTA if isinstance(outcome, AppTrouble) and not outcome.configuration else Cause.CONFIGURATION


def _asked(outcome: Outcome) -> float | None:
    return outcome.after_seconds if isinstance(outcome, AppTrouble | TryLater) else None


def _reason(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Accepted) else outcome.reason
