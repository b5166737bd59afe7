"""What a provider's answer means, as a table: the anatomy that Apple's and Google's tables share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, AppTrouble, Outcome, Refused, TokenGone, TokenRefused, TryLater

LONGEST_RETRY_AFTER_SECONDS = 86_400.0


class Verdict(StrEnum):
    """Which outcome a row leads to."""

    TOKEN_GONE = "token_gone"  # noqa: S105 - a verdict, not a secret
    """The token is dead: retire it."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    """Malformed, or of the other environment: try that once, then retire."""
    TRY_LATER = "try_later"
    """Passing trouble with this push or device: repeat it."""
    CONFIGURATION = "configuration"
    """Every push of the app would meet it and a person has to mend it: keep the pushes, open the circuit."""
    PASSING = "passing"
    """Every push of the app would meet it and it passes: keep the pushes, open the circuit."""
    REFUSED = "refused"
    """Never to be taken: dead letter."""


class Sign(StrEnum):
    """What an answer says about the app as a whole; the circuit counts these."""

    WORKS = "works"
    """The provider is well and believes the credentials, whatever it thinks of this push."""
    SICK = "sick"
    """The provider or the way to it is not well; many of these are a storm."""
    SUSPECT = "suspect"
    """A permanent refusal that is the device's fault once, and the configuration's when every device meets it."""
    TROUBLE = "trouble"
    """Trouble of the whole app."""
    NEUTRAL = "neutral"
    """Says nothing: the push never reached the provider through no fault of its."""


class Step(StrEnum):
    """What the sender does on the spot, before it gives the outcome."""

    NONE = "none"
    RECONNECT = "reconnect"
    """New connections for what comes next."""
    RECONNECT_AND_REPEAT = "reconnect_and_repeat"
    """New connections, and this push once more on them."""
    FRESH_CREDENTIAL = "fresh_credential"
    """A new provider or access token, where one may be made, and this push once more with it."""


_USUAL_SIGN = {
    Verdict.TOKEN_GONE: Sign.WORKS,
    Verdict.TOKEN_REFUSED: Sign.WORKS,
    Verdict.TRY_LATER: Sign.SICK,
    Verdict.CONFIGURATION: Sign.TROUBLE,
    Verdict.PASSING: Sign.TROUBLE,
    Verdict.REFUSED: Sign.WORKS,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One answer of a provider, what follows from it, and why."""

    status: int
    """HTTP status."""
    reason: str
    """The provider's word for it; empty: none of its words, or no readable body."""
    verdict: Verdict
    why: str
    sign: Sign | None = None
    """None: the verdict's usual sign."""
    step: Step = Step.NONE
    after_seconds: float | None = None
    """Pause when the provider names none."""

    @property
    def name(self) -> str:
        """The reason as outcomes and metrics carry it: from a closed set, whatever the provider wrote."""
        return self.reason or f"http_{self.status}"

    @property
    def effective_sign(self) -> Sign:
        """What the circuit counts."""
        return self.sign or _USUAL_SIGN[self.verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A provider's answer, understood."""

    outcome: Outcome
    sign: Sign
    step: Step = Step.NONE
    unlisted: str = ""
    """The provider's own word when no row knows it: for the log, as `harmless` lets it through."""


def accepted(provider_id: str) -> Reading:
    """The provider took the push."""
    return Reading(outcome=Accepted(provider_id=provider_id), sign=Sign.WORKS)


def reading_of(row: Row, *, since: Millis | None, after_seconds: float | None, said: str = "") -> Reading:
    """The row's outcome with what this one answer added. `said`: the provider's word, kept when no row knows it."""
    after = after_seconds if after_seconds is not None else row.after_seconds
    return Reading(
        outcome=_outcome(row, since, after),
        sign=row.effective_sign,
        step=row.step,
        unlisted=harmless(said) if said != row.reason else "",
    )


def _outcome(row: Row, since: Millis | None, after: float | None) -> Outcome:
    match row.verdict:
        case Verdict.TOKEN_GONE:
            return TokenGone(reason=row.name, since=since)
        case Verdict.TOKEN_REFUSED:
            return TokenRefused(reason=row.name)
        case Verdict.TRY_LATER:
            return TryLater(reason=row.name, after_seconds=after)
        case Verdict.CONFIGURATION:
            return AppTrouble(reason=row.name, after_seconds=after, configuration=True)
        case Verdict.PASSING:
            return AppTrouble(reason=row.name, after_seconds=after, configuration=False)
        case Verdict.REFUSED:
            return Refused(reason=row.name)


def row_for(rows: Mapping[tuple[int, str], Row], status: int, reason: str) -> Row:
    """The row of exactly this answer, else the status's own row, else what the status's class means: trouble of the
    provider is repeated, a request that it calls wrong is not."""
    row = rows.get((status, reason)) or rows.get((status, ""))
    if row is not None:
        return row
    if 400 <= status <= 499:
        return Row(status, "", Verdict.REFUSED, "A 4xx blames the request: a repeat would meet the same.")
    return Row(status, "", Verdict.TRY_LATER, "Anything else is the provider's trouble and passes.")


def indexed(rows: Iterable[Row]) -> Mapping[tuple[int, str], Row]:
    """Rows by status and reason. Raises ValueError when two rows are about the same answer."""
    table: dict[tuple[int, str], Row] = {}
    for row in rows:
        if table.setdefault((row.status, row.reason), row) is not row:
            raise ValueError(f"two rows for {row.status} {row.reason}")
    return table


_WORD = re.compile(r"[A-Za-z]+([_-][A-Za-z]+){0,8}")
_LONGEST_WORD = 48


def harmless(said: str) -> str:
    """What a provider wrote, if it looks like one of its reasons: letters, and up to 48 characters.

    Else "unreadable": something between may answer with anything, the token from the URL included.
    """
    return said if not said or (len(said) <= _LONGEST_WORD and _WORD.fullmatch(said)) else "unreadable"


def retry_after_seconds(value: str | None, now: Millis) -> float | None:
    """Seconds from a Retry-After header, as a number or as an HTTP date (RFC 9110, 10.2.3): 0 to one day.

    None when there is none, or it is unreadable.
    """
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
