"""What becomes of a push after an attempt: every outcome, the backoff's bounds, the deadline, and tokens retired by
proof alone."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.device import Device, DeviceState, Environment, Provider, Token
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
from gateway.domain.push import Push, PushKind, PushState
from gateway.domain.settlement import DeviceChange
from gateway.policy.retry import Tried, attempt, backoff_seconds, reason_of, settle
from tests.support.facts import NOW

REGISTERED = NOW - 3_600_000
DEVICE = Device(
    tenant="acme",
    extension="1001",
    device_id="alice-iphone",
    app="com.example.softphone.ios",
    provider=Provider.APNS,
    token=Token("a" * 64),
    registered_at=REGISTERED,
)
ANDROID = replace(DEVICE, provider=Provider.FCM, device_id="alice-android")
PUSH = Push(
    push_id="6f1c0d0e-0000-4000-8000-000000000000",
    event_id="01JEVENT",
    tenant="acme",
    extension="1001",
    device_id="alice-iphone",
    kind=PushKind.CALL_MISSED,
    collapse_id="c",
    occurred_at=NOW,
    deadline=NOW + 43_200_000,
)
OUTCOMES: tuple[Outcome, ...] = (
    Accepted(provider_id="x"),
    TokenGone(reason="Unregistered"),
    TokenRefused(reason="BadDeviceToken"),
    TryLater(reason="TooManyRequests"),
    AppTrouble(reason="ExpiredProviderToken"),
    Refused(reason="PayloadTooLarge"),
    NotSent(reason="connect"),
    Unknown(reason="timeout"),
)


def _tried(outcome: Outcome, **circumstances: Any) -> Tried:
    tried = Tried(push=PUSH, device=DEVICE, answer=Answer(outcome=outcome, status=400), attempts=0, now=NOW, dice=0.0)
    return replace(tried, **circumstances)


def test_the_outcomes_here_are_all_there_are() -> None:
    assert {type(outcome) for outcome in OUTCOMES} == set(get_args(Outcome))


@pytest.mark.parametrize(
    ("outcome", "state", "counts"),
    [
        (OUTCOMES[0], PushState.ACCEPTED, True),
        (OUTCOMES[1], PushState.TOKEN_GONE, True),
        (OUTCOMES[2], PushState.DEFERRED, False),
        (OUTCOMES[3], PushState.DEFERRED, True),
        (OUTCOMES[4], PushState.DEFERRED, False),
        (OUTCOMES[5], PushState.DEAD, True),
        (OUTCOMES[6], PushState.DEFERRED, True),
        (OUTCOMES[7], PushState.DEFERRED, True),
    ],
    ids=[type(outcome).__name__ for outcome in OUTCOMES],
)
def test_each_outcome_ends_the_lease_in_its_way(outcome: Outcome, state: PushState, counts: bool) -> None:
    settlement = settle(_tried(outcome))
    assert (settlement.state, settlement.counts) == (state, counts)
    assert (settlement.due is not None) is (state is PushState.DEFERRED)
    assert settlement.attempt == attempt(Answer(outcome=outcome, status=400), NOW)


@pytest.mark.parametrize(
    ("outcome", "name", "reason"),
    [
        (OUTCOMES[0], "accepted", ""),
        (OUTCOMES[1], "token_gone", "Unregistered"),
        (OUTCOMES[2], "token_refused", "BadDeviceToken"),
        (OUTCOMES[3], "try_later", "TooManyRequests"),
        (OUTCOMES[4], "app_trouble", "ExpiredProviderToken"),
        (OUTCOMES[5], "refused", "PayloadTooLarge"),
        (OUTCOMES[6], "not_sent", "connect"),
        (OUTCOMES[7], "unknown", "timeout"),
    ],
)
def test_the_journal_names_the_outcome_and_the_providers_reason(outcome: Outcome, name: str, reason: str) -> None:
    line = attempt(Answer(outcome=outcome, status=503, milliseconds=12), NOW)
    assert (line.outcome, line.reason, line.at, line.status, line.milliseconds) == (name, reason, NOW, 503, 12)
    assert reason_of(outcome) == reason


def test_an_accepted_push_clears_the_devices_last_error() -> None:
    assert settle(_tried(Accepted())).device == DeviceChange(
        registered_at=REGISTERED, last_accepted_at=NOW, last_error=""
    )


def test_a_refused_push_leaves_the_device_active_and_says_why() -> None:
    change = settle(_tried(Refused(reason="PayloadTooLarge"))).device
    assert change == DeviceChange(registered_at=REGISTERED, last_error="PayloadTooLarge")


@pytest.mark.parametrize(
    ("since", "retired"),
    [(None, True), (REGISTERED + 1, True), (REGISTERED, True), (REGISTERED - 1, False)],
    ids=["without a time", "dead after it registered", "dead as it registered", "dead before it registered"],
)
def test_a_token_is_retired_unless_it_registered_after_its_death(since: int | None, retired: bool) -> None:
    settlement = settle(_tried(TokenGone(reason="Unregistered", since=since)))
    assert settlement.state is (PushState.TOKEN_GONE if retired else PushState.DEFERRED)
    if retired:
        assert settlement.device == DeviceChange(
            registered_at=REGISTERED, last_error="Unregistered", state=DeviceState.NEEDS_REREGISTER
        )
    else:
        assert settlement.device is None


@pytest.mark.parametrize("environment", list(Environment))
def test_a_refused_token_tries_the_other_environment_once_and_is_retired_then(environment: Environment) -> None:
    first = settle(_tried(TokenRefused(reason="BadDeviceToken"), device=replace(DEVICE, environment=environment)))
    assert (first.state, first.due, first.counts) == (PushState.DEFERRED, NOW, False)
    assert first.device == DeviceChange(
        registered_at=REGISTERED, environment=environment.other, tried_other_environment=True
    )
    switched = replace(DEVICE, environment=environment.other, tried_other_environment=True)
    second = settle(_tried(TokenRefused(reason="BadDeviceToken"), device=switched))
    assert second.state is PushState.TOKEN_GONE
    assert second.device == DeviceChange(
        registered_at=REGISTERED,
        last_error="BadDeviceToken",
        state=DeviceState.NEEDS_REREGISTER,
        environment=environment,
    )


def test_a_token_that_is_gone_in_the_other_environment_stays_there() -> None:
    switched = replace(DEVICE, environment=Environment.SANDBOX, tried_other_environment=True)
    change = settle(_tried(TokenGone(reason="Unregistered"), device=switched)).device
    assert change is not None
    assert change.environment is None


def test_google_has_no_other_environment() -> None:
    settlement = settle(_tried(TokenRefused(reason="INVALID_ARGUMENT"), device=ANDROID))
    assert settlement.state is PushState.TOKEN_GONE
    assert settlement.device is not None
    assert settlement.device.environment is None


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_backoff_is_between_half_a_second_and_ten_minutes(attempts: int, dice: float) -> None:
    assert 0.5 <= backoff_seconds(attempts, dice) <= 600


@given(st.floats(0, 1, exclude_max=True))
def test_the_first_retry_comes_after_half_a_second_to_two(dice: float) -> None:
    assert 0.5 <= backoff_seconds(0, dice) <= 2


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_the_backoff_never_shrinks_from_one_attempt_to_the_next(attempts: int, dice: float) -> None:
    assert backoff_seconds(attempts, dice) <= backoff_seconds(attempts + 1, dice)


_later = st.one_of(
    st.builds(TryLater, reason=st.just("r"), after_seconds=st.none() | st.floats(0, 100_000)),
    st.builds(AppTrouble, reason=st.just("r"), after_seconds=st.none() | st.floats(0, 100_000)),
    st.builds(NotSent, reason=st.just("r")),
    st.builds(Unknown, reason=st.just("r")),
)


@given(_later, st.integers(0, 20), st.floats(0, 1, exclude_max=True), st.none() | st.integers(NOW - 1000, NOW + 10**8))
def test_a_retry_obeys_the_provider_the_circuit_and_the_deadline(
    outcome: Outcome, attempts: int, dice: float, opens_at: int | None
) -> None:
    settlement = settle(_tried(outcome, attempts=attempts, dice=dice, app_opens_at=opens_at))
    if settlement.state is PushState.EXPIRED:
        assert settlement.due is None
        return
    assert settlement.state is PushState.DEFERRED
    assert settlement.due is not None
    assert NOW + 500 <= settlement.due <= PUSH.deadline
    assert settlement.due >= (opens_at or 0)
    asked = outcome.after_seconds if isinstance(outcome, TryLater | AppTrouble) else None
    assert settlement.due >= NOW + round((asked or 0) * 1000)


@pytest.mark.parametrize(
    ("left", "after", "opens_in", "state"),
    [
        (500, None, None, PushState.DEFERRED),
        (499, None, None, PushState.EXPIRED),
        (60_000, 60.0, None, PushState.DEFERRED),
        (60_000, 60.1, None, PushState.EXPIRED),
        (60_000, None, 60_000, PushState.DEFERRED),
        (60_000, None, 60_001, PushState.EXPIRED),
    ],
)
def test_a_retry_that_would_come_too_late_is_expired_now(
    left: int, after: float | None, opens_in: int | None, state: PushState
) -> None:
    push = replace(PUSH, deadline=NOW + left)
    opens_at = None if opens_in is None else NOW + opens_in
    tried = _tried(TryLater(reason="r", after_seconds=after), push=push, app_opens_at=opens_at)
    assert settle(tried).state is state
