"""Whatever the facts: decided as the policy's words say, explained by every rule, derived again bit for bit, and
counted without ever going below nothing."""

from hypothesis import HealthCheck, assume, given, settings
from pydantic import TypeAdapter

from gateway.domain.decision import Action, Decision, EventRecord, Facts, Reason, Verdict
from gateway.domain.event import EventKind
from gateway.domain.presence import DoNotDisturbSettings, Status
from gateway.domain.push import PushKind
from gateway.policy import badge as badges
from gateway.policy.decide import decide
from gateway.policy.effects import effects
from gateway.policy.rules import RULES
from tests.support.facts import NOW
from tests.support.policy_law import law
from tests.support.random_facts import TOLD_KINDS, random_facts

RECORD: TypeAdapter[EventRecord] = TypeAdapter(EventRecord)
WITHOUT_A_PUSH = {EventKind.CALL_ANSWERED, EventKind.CALL_ENDED, EventKind.PRESENCE_CHANGED}


def _record(case: Facts, decision: Decision) -> EventRecord:
    return EventRecord(
        event_id=case.event_id,
        tenant=case.tenant,
        source="hq",
        received_at=case.now,
        facts=case,
        decision=decision,
    )


@given(random_facts(kinds=(*TOLD_KINDS, EventKind.CALL_ENDED)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ages_orders_bypass_and_options_decide_as_the_policy_says(case: Facts) -> None:
    assume(case.kind not in WITHOUT_A_PUSH)
    decision = decide(case)
    action, reason = law(case)
    if case.kind is EventKind.VOICEMAIL_MAILBOX and action is Action.FORWARD:
        after = badges.with_mailbox(case.unread, case.event.mailbox.new if case.event.mailbox else 0, case.happened_at)
        if badges.badge(after) == case.unread.told:
            assert decision.action is Action.NONE
            assert decision.pushes == ()
            return
    assert (decision.action, decision.reason) == (action, reason)


@given(random_facts(with_pushes=True))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_rule_has_its_word_in_order_and_exactly_one_step_decides(case: Facts) -> None:
    decision = decide(case)
    asked = [step.rule for step in decision.trace[: len(RULES)]]
    verdicts = [step.verdict for step in decision.trace]
    assert asked == [rule.reason.value for rule in RULES]
    assert verdicts.count(Verdict.DECIDED) == 1
    deciding = verdicts.index(Verdict.DECIDED)
    assert decision.trace[deciding].rule == decision.reason
    assert Verdict.WOULD_DECIDE not in verdicts[:deciding]
    assert all(step.detail for step in decision.trace)


@given(random_facts())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pushes_go_out_only_when_forwarded_or_deferred_and_once_per_device(case: Facts) -> None:
    decision = decide(case)
    told = [push.device_id for push in decision.pushes]
    assert len(set(told)) == len(told)
    if decision.action is Action.FORWARD:
        assert told
        assert all(push.not_before is None for push in decision.pushes)
    if decision.action is Action.DEFER:
        assert decision.reason is Reason.RING_SECONDLY
        assert all(push.not_before is not None for push in decision.pushes)
    if decision.action in (Action.SUPPRESS, Action.NONE):
        assert told == []
    if case.kind in WITHOUT_A_PUSH:
        assert decision.action is Action.NONE


@given(random_facts(with_pushes=True))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_decision_is_derived_again_bit_for_bit_from_its_stored_record(case: Facts) -> None:
    decision = decide(case)
    stored = RECORD.dump_json(_record(case, decision))
    read = RECORD.validate_json(stored)
    assert read.facts == case
    assert read.decision == decision
    assert decide(read.facts) == decision
    assert effects(read.facts, decide(read.facts)) == effects(case, decision)
    is_dnd = case.presence.status == Status.DO_NOT_DISTURB
    assert isinstance(read.facts.settings, DoNotDisturbSettings) is is_dnd


@given(random_facts(with_pushes=True))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_effects_never_count_below_nothing_and_tell_every_phone_the_same_number(case: Facts) -> None:
    written = effects(case, decide(case))
    unread = written.unread or case.unread
    assert badges.badge(unread) >= 0
    assert unread.mailbox_new >= 0
    numbers = {push.badge for push in written.pushes if push.kind is not PushKind.CALL_INCOMING}
    assert numbers <= {badges.badge(unread)}
    if numbers:
        assert unread.told in (badges.badge(unread), badges.NOT_KNOWN)
    assert all(push.badge is None for push in written.pushes if push.kind is PushKind.CALL_INCOMING)


@given(random_facts(with_pushes=True))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_push_is_worth_sending_when_it_is_queued_and_has_an_id_of_its_own(case: Facts) -> None:
    decision = decide(case)
    written = effects(case, decision)
    every = [*written.pushes, *(one.then for one in written.withdrawals if one.then is not None)]
    assert len({push.push_id for push in every}) == len(every)
    assert {push.push_id for push in decision.pushes} <= {push.push_id for push in written.pushes}
    assert all(push.deadline >= NOW for push in every)
    assert all(len(push.collapse_id.encode()) <= 64 for push in every)
