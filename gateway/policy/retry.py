"""What becomes of a push after an attempt. Pure: the roll of the dice is an argument."""

from dataclasses import dataclass

from gateway.domain.device import Device, DeviceState, Provider
from gateway.domain.event import Millis
from gateway.domain.outcome import (
    Accepted,
    Answer,
    AppTrouble,
    NotSent,
    Outcome,
    Refused,
    TokenGone,
    TokenRefused,
    TryLater,
    Unknown,
)
from gateway.domain.push import Attempt, Push, PushState
from gateway.domain.settlement import DeviceChange, Settlement

FIRST_RETRY_SECONDS = (0.5, 2.0)
"""The first retry comes after 0.5 to 2 s; each later one after up to twice as long."""
LONGEST_RETRY_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt and its circumstances."""

    push: Push
    device: Device
    answer: Answer
    attempts: int
    """Attempts before this one that count for the backoff."""
    now: Millis
    dice: float
    """0 <= dice < 1: where within the jitter the retry falls."""
    app_opens_at: Millis | None = None
    """When the app's circuit lets pushes through again; None: it is closed."""


def backoff_seconds(attempts: int, dice: float) -> float:
    """Seconds until the next attempt after `attempts` earlier ones: exponential with full jitter, 0.5 s to 10 min."""
    shortest, longest = FIRST_RETRY_SECONDS
    ceiling = min(LONGEST_RETRY_SECONDS, longest * 2.0 ** min(attempts, 16))
    return shortest + dice * (ceiling - shortest)


def settle(tried: Tried) -> Settlement:
    """How the lease ends after this answer."""
    outcome = tried.answer.outcome
    match outcome:
        case Accepted():
            return _done(tried, PushState.ACCEPTED, last_accepted_at=tried.now, last_error="")
        case TokenGone(since=since) if since is not None and since < tried.device.registered_at:
            return _again(tried, None)
        case TokenGone(reason=reason):
            return _retired(tried, reason)
        case TokenRefused(reason=reason):
            return _other_environment(tried) if _untried(tried) else _retired(tried, reason)
        case Refused(reason=reason):
            return _done(tried, PushState.DEAD, last_error=reason)
        case AppTrouble(after_seconds=after):
            return _again(tried, after, counts=False)
        case TryLater(after_seconds=after):
            return _again(tried, after)
        case _:
            return _unanswered(tried, outcome)


def attempt(answer: Answer, now: Millis) -> Attempt:
    """The journal's line about an answer."""
    return Attempt(
        at=now,
        outcome=_NAMES[type(answer.outcome)],
        status=answer.status,
        reason=reason_of(answer.outcome),
        milliseconds=answer.milliseconds,
    )


def reason_of(outcome: Outcome) -> str:
    """The provider's reason; empty for an accepted push."""
    return "" if isinstance(outcome, Accepted) else outcome.reason


_NAMES: dict[type[Outcome], str] = {
    Accepted: "accepted",
    TokenGone: "token_gone",
    TokenRefused: "token_refused",
    TryLater: "try_later",
    AppTrouble: "app_trouble",
    Refused: "refused",
    NotSent: "not_sent",
    Unknown: "unknown",
}
"""Public names of the outcomes, in the journal and in metrics."""


def _done(
    tried: Tried, state: PushState, *, last_accepted_at: Millis | None = None, last_error: str | None = None
) -> Settlement:
    change = DeviceChange(
        registered_at=tried.device.registered_at, last_accepted_at=last_accepted_at, last_error=last_error
    )
    return Settlement(state=state, attempt=attempt(tried.answer, tried.now), device=change)


def _again(tried: Tried, after_seconds: float | None, *, counts: bool = True) -> Settlement:
    seconds = max(after_seconds or 0.0, backoff_seconds(tried.attempts, tried.dice))
    due = max(tried.now + round(seconds * 1000), tried.app_opens_at or 0)
    note = attempt(tried.answer, tried.now)
    if due > tried.push.deadline:
        return Settlement(state=PushState.EXPIRED, attempt=note)
    return Settlement(state=PushState.DEFERRED, attempt=note, due=due, counts=counts)


def _unanswered(tried: Tried, _outcome: NotSent | Unknown) -> Settlement:
    """Surely not sent, or sent without an answer: both are repeated, under the same push id and collapse id."""
    return _again(tried, None)


def _untried(tried: Tried) -> bool:
    device = tried.device
    if device.rings_apart(tried.push.kind):
        return device.voip_environment is None
    return device.provider is Provider.APNS and not device.tried_other_environment


def _other_environment(tried: Tried) -> Settlement:
    """The token's own environment alone changes: a broken VoIP token must not lead the alert token astray, and the
    other way round."""
    device = tried.device
    other = device.environment_for(tried.push.kind).other
    change = DeviceChange(registered_at=device.registered_at, environment=other, tried_other_environment=True)
    if device.rings_apart(tried.push.kind):
        change = DeviceChange(registered_at=device.registered_at, voip_environment=other)
    return Settlement(
        state=PushState.DEFERRED,
        attempt=attempt(tried.answer, tried.now),
        due=tried.now,
        counts=False,
        device=change,
    )


def _retired(tried: Tried, reason: str) -> Settlement:
    """The token is dead. A dead VoIP token ends the ringing alone; the phone is still told of everything else."""
    device = tried.device
    switched = device.tried_other_environment and isinstance(tried.answer.outcome, TokenRefused)
    change = DeviceChange(
        registered_at=device.registered_at,
        last_error=reason,
        state=DeviceState.NEEDS_REREGISTER,
        environment=device.environment.other if switched else None,
    )
    if device.rings_apart(tried.push.kind):
        change = DeviceChange(
            registered_at=device.registered_at, last_error=reason, voip_state=DeviceState.NEEDS_REREGISTER
        )
    return Settlement(state=PushState.TOKEN_GONE, attempt=attempt(tried.answer, tried.now), device=change)
