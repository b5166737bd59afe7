"""The circuit keeps pushes while the provider would take none, and never for longer than it has to."""

from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.outcome import (
    Accepted,
    AppTrouble,
    NotSent,
    Outcome,
    Refused,
    TokenGone,
    TokenRefused,
    TryLater,
    Unknown,
)
from gateway.providers.circuit import Circuit, CircuitLimits, CircuitState, sign_of
from gateway.providers.readings import Sign

T0: Final = 1_795_000_000_000
LIMITS: Final = CircuitLimits()
BAD_KEY: Final = AppTrouble(reason="InvalidProviderToken")
QUOTA: Final = AppTrouble(reason="QUOTA_EXCEEDED", after_seconds=30, configuration=False)
DOWN: Final = TryLater(reason="ServiceUnavailable")
MISMATCH: Final = Refused(reason="DeviceTokenNotForTopic")


def after(*outcomes: Outcome, sign: Sign | None = None, apart: int = 1) -> tuple[Circuit, int]:
    """A circuit that saw these, and the time of the last one."""
    circuit, now = Circuit(), T0
    for outcome in outcomes:
        now += apart
        circuit.note(outcome, now, sign=sign)
    return circuit, now


def test_a_new_circuit_lets_everything_through() -> None:
    circuit = Circuit()

    assert circuit.state is CircuitState.CLOSED
    assert circuit.admits(T0)
    assert circuit.retry_at(T0) == T0
    assert all(circuit.enter(T0) for _ in range(1000))
    assert (circuit.reason, circuit.needs_person) == ("", False)


def test_bad_credentials_open_it_at_once_for_a_minute() -> None:
    circuit, now = after(Accepted(), BAD_KEY)

    assert (circuit.state, circuit.reason, circuit.needs_person) == (CircuitState.OPEN, "InvalidProviderToken", True)
    assert circuit.retry_at(now) == now + 60_000
    assert not circuit.admits(now + 59_999)
    assert circuit.admits(now + 60_000)


def test_two_quota_answers_may_be_about_one_device_the_third_is_not() -> None:
    assert after(QUOTA, QUOTA)[0].state is CircuitState.CLOSED
    assert after(QUOTA, QUOTA, Accepted(), QUOTA)[0].state is CircuitState.CLOSED
    circuit, now = after(QUOTA, QUOTA, QUOTA)
    assert (circuit.state, circuit.needs_person) == (CircuitState.OPEN, False)
    assert circuit.retry_at(now) == now + 30_000


def test_quota_answers_far_apart_are_no_trouble_of_the_app() -> None:
    assert after(QUOTA, QUOTA, QUOTA, apart=31_000)[0].state is CircuitState.CLOSED


def test_a_retry_after_of_a_year_is_not_believed() -> None:
    year = AppTrouble(reason="QUOTA_EXCEEDED", after_seconds=31_536_000, configuration=False)
    circuit, now = after(year, year, year)

    assert circuit.retry_at(now) == now + LIMITS.longest_pause


@pytest.mark.parametrize("failure", [DOWN, NotSent(reason="connect_failed"), Unknown(reason="timeout")])
def test_twenty_failures_in_a_row_are_a_storm(failure: Outcome) -> None:
    assert after(*[failure] * 19)[0].state is CircuitState.CLOSED
    circuit, now = after(*[failure] * 20)
    assert circuit.state is CircuitState.OPEN
    assert circuit.retry_at(now) == now + LIMITS.storm_pause


def test_more_than_half_of_the_last_hundred_is_a_storm() -> None:
    half: list[Outcome] = [DOWN, Accepted()] * 50
    assert after(*half)[0].state is CircuitState.CLOSED
    assert after(*half, DOWN)[0].state is CircuitState.CLOSED  # one of the first leaves the window
    assert after(*half, DOWN, DOWN)[0].state is CircuitState.OPEN


def test_the_pause_of_a_storm_is_at_least_what_the_provider_asked_for() -> None:
    circuit, now = after(*[TryLater(reason="UNAVAILABLE", after_seconds=45)] * 20)

    assert circuit.retry_at(now) == now + 45_000


def test_the_pause_of_a_storm_doubles_with_every_failed_probe_up_to_a_minute() -> None:
    circuit, now = after(*[DOWN] * 20)
    pauses = []
    for _ in range(7):
        pauses.append(circuit.retry_at(now) - now)
        now = circuit.retry_at(now)
        assert circuit.enter(now)
        circuit.note(DOWN, now + 5, sent_at=now)
        now += 5
    assert pauses == [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]


def test_many_devices_refused_for_their_topic_open_it_before_the_app_has_lost_its_pushes() -> None:
    assert after(*[MISMATCH] * 19, sign=Sign.SUSPECT)[0].state is CircuitState.CLOSED
    circuit, now = after(*[MISMATCH] * 20, sign=Sign.SUSPECT)
    assert (circuit.state, circuit.needs_person) == (CircuitState.OPEN, True)
    assert circuit.retry_at(now) == now + LIMITS.suspicion_pause


def test_refused_devices_between_accepted_ones_are_their_own_trouble() -> None:
    circuit = Circuit()
    for n in range(500):
        circuit.note(MISMATCH, T0 + n, sign=Sign.SUSPECT)
        if n % 15 == 0:
            circuit.note(Accepted(), T0 + n)
    assert circuit.state is CircuitState.CLOSED


def test_refused_devices_over_hours_are_their_own_trouble() -> None:
    assert after(*[MISMATCH] * 100, sign=Sign.SUSPECT, apart=4000)[0].state is CircuitState.CLOSED


def test_an_open_circuit_lets_one_probe_through_and_asks_the_others_to_wait() -> None:
    circuit, now = after(BAD_KEY)
    due = circuit.retry_at(now)

    assert not circuit.enter(due - 1)
    assert [circuit.enter(due) for _ in range(3)] == [True, False, False]
    assert circuit.state is CircuitState.HALF_OPEN
    assert circuit.retry_at(due) > due


@pytest.mark.parametrize(
    "proof",
    [Accepted(), TokenGone(reason="Unregistered"), TokenRefused(reason="BadDeviceToken"), Refused(reason="BadTopic")],
)
def test_a_probe_that_shows_that_the_app_works_closes_it(proof: Outcome) -> None:
    circuit, now = after(BAD_KEY)
    due = circuit.retry_at(now)
    circuit.enter(due)
    circuit.note(proof, due + 20, sent_at=due)

    assert circuit.state is CircuitState.CLOSED


def test_after_a_suspicion_the_same_refusal_keeps_it_open_and_another_answer_closes_it() -> None:
    circuit, now = after(*[MISMATCH] * 20, sign=Sign.SUSPECT)
    due = circuit.retry_at(now)
    circuit.enter(due)
    circuit.note(MISMATCH, due + 1, sign=Sign.SUSPECT, sent_at=due)
    assert not circuit.admits(due + 1)

    due = circuit.retry_at(due + 1)
    circuit.enter(due)
    circuit.note(TokenGone(reason="Unregistered"), due + 1, sent_at=due)
    assert circuit.state is CircuitState.CLOSED


def test_a_probe_that_was_never_sent_leaves_it_open_for_the_next_probe() -> None:
    circuit, now = after(BAD_KEY)
    due = circuit.retry_at(now)
    circuit.enter(due)
    circuit.note(NotSent(reason="busy"), due + 1, sign=Sign.NEUTRAL, sent_at=due)

    assert circuit.state is CircuitState.OPEN
    assert circuit.enter(due + 2)


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another() -> None:
    circuit, now = after(BAD_KEY)
    due = circuit.retry_at(now)
    circuit.enter(due)

    assert not circuit.enter(due + LIMITS.probe_lost - 1)
    assert circuit.enter(due + LIMITS.probe_lost)


def test_late_answers_to_what_was_sent_before_it_opened_change_nothing() -> None:
    circuit, now = after(BAD_KEY)
    retry_at = circuit.retry_at(now)
    for outcome in (Accepted(), BAD_KEY, DOWN, QUOTA):
        circuit.note(outcome, now + 50, sent_at=now - 100)
    assert (circuit.state, circuit.retry_at(now)) == (CircuitState.OPEN, retry_at)

    circuit.enter(retry_at)
    circuit.note(Accepted(), retry_at + 1, sent_at=now - 100)
    assert circuit.state is CircuitState.HALF_OPEN


def test_a_clock_that_was_set_back_does_not_keep_it_open() -> None:
    circuit, now = after(BAD_KEY)

    assert circuit.admits(now - 3_600_000)


def test_what_says_nothing_of_the_provider_counts_for_nothing() -> None:
    assert after(*[NotSent(reason="busy")] * 200, sign=Sign.NEUTRAL)[0].state is CircuitState.CLOSED


OUTCOMES = st.sampled_from(
    [Accepted(), BAD_KEY, QUOTA, DOWN, MISMATCH, TokenGone(reason="x"), NotSent(reason="x"), Unknown(reason="x")]
)


@given(st.lists(OUTCOMES, max_size=300))
def test_it_always_opens_again_within_its_longest_pause(outcomes: Iterable[Outcome]) -> None:
    circuit, now = after(*outcomes)

    assert now <= circuit.retry_at(now) <= now + LIMITS.longest_pause
    assert circuit.admits(circuit.retry_at(now))


class CircuitMachine(RuleBasedStateMachine):
    """Pushes enter and come back in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit(CircuitLimits(failures_in_a_row=3, window=10, suspects=3))
        self.now = T0
        self.in_flight: list[int] = []
        self.probes: list[int] = []

    @rule(step=st.integers(1, 70_000))
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule()
    def a_push_asks_to_enter(self) -> None:
        admitted = self.circuit.admits(self.now)
        closed = self.circuit.state is CircuitState.CLOSED
        assert self.circuit.enter(self.now) is admitted
        if admitted:
            self.in_flight.append(self.now)
            if not closed:
                self.probes.append(self.now)
                assert not self.circuit.admits(self.now)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), outcome=OUTCOMES, suspect=st.booleans())
    def a_push_comes_back(self, data: st.DataObject, outcome: Outcome, suspect: bool) -> None:
        sent_at = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        sign = Sign.SUSPECT if suspect and isinstance(outcome, Refused) else None
        was = self.circuit.state
        self.circuit.note(outcome, self.now, sign=sign, sent_at=sent_at)
        if was is not CircuitState.CLOSED and self.circuit.state is CircuitState.CLOSED:
            assert sent_at in self.probes
            assert sign_of(outcome) is Sign.WORKS

    @invariant()
    def the_time_to_ask_again_is_never_past(self) -> None:
        assert self.circuit.retry_at(self.now) >= self.now
        assert self.circuit.admits(self.now) or self.circuit.retry_at(self.now) > self.now


TestCircuitMachine = CircuitMachine.TestCase
