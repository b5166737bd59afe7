"""What a change of presence asks of the queues (POLICY 6)."""

from dataclasses import replace

import pytest

from gateway.domain.agent_action import AgentOrder, AgentOrderState, AgentOutcome, Done, Refused, Trouble
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import AgentAction, AgentStatusAutoSwitch, Presence, Profile, StatusSettings
from gateway.policy.agent_switch import PATIENCE, REMEMBERED, next_order, ordered, with_outcome

NOW = 1_795_341_600_000
ON = {
    "available": AgentStatusAutoSwitch(action=AgentAction.LOG_IN),
    "lunch_break": AgentStatusAutoSwitch(action=AgentAction.PAUSE, pause_reason="Lunch"),
    "off_work": AgentStatusAutoSwitch(action=AgentAction.LOG_OUT),
}


def a_state(status: str = "away", queues: tuple[str, ...] = ("6400", "6401"), rev: int = 1) -> ExtensionState:
    return ExtensionState(
        tenant="acme",
        extension="1001",
        rev=rev,
        presence=Presence(status=status, since=1),
        settings={name: StatusSettings(agent_status_auto_switch=switch) for name, switch in ON.items()},
        profile=Profile(queues=queues),
    )


def change(state: ExtensionState, status: str, source: str | None = "hq") -> tuple[AgentOrder, ...] | None:
    return ordered(state, Presence(status=status), custom_statuses=("training",), source=source, now=NOW)


@pytest.mark.parametrize(
    ("status", "action", "reason"),
    [("available", "log_in", None), ("lunch_break", "pause", "Lunch"), ("off_work", "log_out", None)],
)
def test_one_order_per_queue_in_the_profiles_order(status: str, action: str, reason: str | None) -> None:
    orders = change(a_state(), status) or ()
    assert [(one.queue, one.action, one.reason, one.state) for one in orders] == [
        ("6400", action, reason, "waiting"),
        ("6401", action, reason, "waiting"),
    ]
    assert len({one.order_id for one in orders}) == 2


@pytest.mark.parametrize("status", ["business_trip", "training", "do_not_disturb"])
def test_a_status_that_does_nothing_orders_nothing(status: str) -> None:
    assert change(a_state(), status) is None


def test_the_same_status_again_orders_nothing() -> None:
    assert change(a_state("lunch_break"), "lunch_break") is None


def test_without_queues_nothing_is_ordered() -> None:
    assert change(a_state(queues=()), "lunch_break") is None


def test_an_undeclared_status_logs_nobody_in_although_it_has_the_settings_of_available() -> None:
    assert change(a_state(), "in the lab") is None


def test_without_a_connector_the_order_says_so_and_does_not_wait() -> None:
    orders = change(a_state(), "lunch_break", source=None) or ()
    assert [one.state for one in orders] == [AgentOrderState.NO_CONNECTOR] * 2
    assert next_order(orders) is None


def test_a_newer_change_withdraws_what_waits_also_when_it_orders_nothing_itself() -> None:
    state = a_state()
    first = change(state, "lunch_break") or ()
    done = replace(first[0], state=AgentOrderState.DONE)
    later = replace(state, rev=2, presence=Presence(status="lunch_break"), agent_orders=(done, first[1]))
    assert [one.state for one in change(later, "away") or ()] == ["done", "withdrawn"]
    assert [one.state for one in change(later, "off_work") or ()] == ["waiting", "waiting", "done", "withdrawn"]


def test_earlier_orders_are_remembered_only_so_long() -> None:
    state = a_state()
    for rev in range(2, 40):
        status = "lunch_break" if rev % 2 else "off_work"
        orders = change(replace(state, rev=rev), status)
        state = replace(state, rev=rev, presence=Presence(status=status), agent_orders=orders or ())
    assert len(state.agent_orders) == 2 + REMEMBERED


@pytest.mark.parametrize(
    ("outcome", "state", "error", "due"),
    [
        (Done(), "done", None, NOW),
        (Refused("no such queue"), "refused", "no such queue", NOW),
        (Trouble("does not answer"), "waiting", "does not answer", NOW + 500),
        (Trouble("busy", after_seconds=30), "waiting", "busy", NOW + 30_000),
        (Trouble("busy", after_seconds=PATIENCE), "expired", "busy", NOW),
    ],
)
def test_what_follows_from_an_attempt(outcome: AgentOutcome, state: str, error: str | None, due: int) -> None:
    (order, _) = change(a_state(), "lunch_break") or ()
    after, again = with_outcome(order, outcome, now=NOW, dice=0.0)
    assert (after.state, after.error, after.attempts, again) == (state, error, 1, due)
