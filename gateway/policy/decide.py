"""From facts to a decision. Pure: the same facts give the same decision, bit for bit, today and next year."""

from dataclasses import replace

from gateway.domain.decision import Action, Decision, Facts, PlannedPush, Reason, TraceStep, Verdict
from gateway.domain.event import EventKind, Millis
from gateway.domain.push import PushKind, PushState, derive_push_id
from gateway.policy import badge as badges
from gateway.policy.call import advance
from gateway.policy.rules import PUSH_KIND, RULES, NotAsked, Passes, Rule, Speaks, Word


def decide(facts: Facts) -> Decision:
    """The verdict on one event, with what every rule said about it."""
    words = [(rule, rule.word(facts)) for rule in RULES]
    trace = _trace(words)
    if facts.kind not in PUSH_KIND:
        return _state_only(facts, trace)
    for rule, word in words:
        if isinstance(word, Speaks):
            pushes = _planned(facts, word.not_before) if word.action is Action.DEFER else ()
            return Decision(action=word.action, reason=rule.reason, trace=trace, pushes=pushes)
    return _allowed(facts, trace)


_SILENT: dict[type[Passes] | type[NotAsked], Verdict] = {
    Passes: Verdict.PASSED,
    NotAsked: Verdict.NOT_APPLICABLE,
}


def _trace(words: list[tuple[Rule, Word]]) -> tuple[TraceStep, ...]:
    steps = []
    decided = False
    for rule, word in words:
        if isinstance(word, Speaks):
            verdict = Verdict.WOULD_DECIDE if decided else Verdict.DECIDED
            decided = True
        else:
            verdict = _SILENT[type(word)]
        steps.append(TraceStep(rule=rule.reason, verdict=verdict, detail=word.detail))
    return tuple(steps)


def _state_only(facts: Facts, trace: tuple[TraceStep, ...]) -> Decision:
    event = facts.event
    if event.kind is EventKind.PRESENCE_CHANGED:
        changed, detail = _presence_said(facts)
    else:
        changed = advance(event, facts.call) != facts.call
        detail = f"{event.kind} of the call is {'news' if changed else 'known already'}"
    return _none(changed, detail, trace)


def _presence_said(facts: Facts) -> tuple[bool, str]:
    """Whether the presence changes. Late news of an earlier status does not undo a later one; without a time, what was
    received last holds."""
    said, present = facts.event.presence, facts.presence
    if said == present.status:
        return False, f"presence is {said}"
    if facts.event.occurred_at is not None and facts.happened_at < present.since:
        return False, f"presence was {said} before it became {present.status}"
    return True, f"presence {present.status} -> {said}"


def _none(changed: bool, detail: str, trace: tuple[TraceStep, ...]) -> Decision:
    reason = Reason.STATE_CHANGED if changed else Reason.STATE_UNCHANGED
    step = TraceStep(rule=reason, verdict=Verdict.DECIDED, detail=detail)
    return Decision(action=Action.NONE, reason=reason, trace=(*trace, step))


def _allowed(facts: Facts, trace: tuple[TraceStep, ...]) -> Decision:
    if facts.event.mailbox is not None and facts.kind is EventKind.VOICEMAIL_MAILBOX:
        after = badges.with_mailbox(facts.unread, facts.event.mailbox.new, facts.happened_at)
        if badges.badge(after) == facts.unread.told:
            counted = replace(after, mailbox_at=facts.unread.mailbox_at) != facts.unread
            return _none(counted, f"phones show {facts.unread.told} already", trace)
    pushes = _planned(facts, None)
    if not pushes:
        return _none(False, "every device was woken for this call already", trace)
    step = TraceStep(rule=Reason.ALLOWED, verdict=Verdict.DECIDED, detail="no rule spoke against it")
    return Decision(action=Action.FORWARD, reason=Reason.ALLOWED, trace=(*trace, step), pushes=pushes)


def _planned(facts: Facts, not_before: Millis | None) -> tuple[PlannedPush, ...]:
    kind = PUSH_KIND[facts.kind]
    woken = _woken(facts) if kind is PushKind.CALL_INCOMING else frozenset()
    return tuple(
        PlannedPush(
            device_id=device.device_id,
            push_id=derive_push_id(facts.event_id, device.device_id, kind),
            not_before=not_before,
        )
        for device in facts.devices
        if device.takes(kind) and device.device_id not in woken
    )


def _woken(facts: Facts) -> frozenset[str]:
    """Devices that ring for this call already: the second stage does not ring them again. Only ringing is limited
    so: a second message left in one call is another voicemail."""
    return frozenset(
        push.device_id
        for push in (facts.call.pushes if facts.call else ())
        if push.kind is PushKind.CALL_INCOMING and push.state in (PushState.QUEUED, PushState.ACCEPTED)
    )
