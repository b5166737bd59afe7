"""Every cell of presence x Accept Push Notifications x ring strategy x kind x via x disposition x devices x what is
known of the call is decided as the policy's own words say (`tests.support.policy_law`)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from gateway.domain.decision import Action, Facts, Reason
from gateway.domain.event import Direction, Disposition, EventKind, PbxEvent, Via
from gateway.domain.extension import CallState
from gateway.domain.presence import Status
from gateway.policy.decide import decide
from tests.support.facts import ALL_FIRST, CALL_ID, MOBILE_SECONDLY, NO_MOBILE, an_event, facts, settings_of
from tests.support.policy_law import MISSED_ENDINGS, law

STATUSES = (*(status.value for status in Status), "gone_fishing")
DISPOSITIONS = (None, *Disposition)
VIAS = tuple(Via)
KNOWN = (
    None,
    CallState(call_id=CALL_ID, via=Via.QUEUE, answered_here=True),
    CallState(call_id=CALL_ID, answered_elsewhere=True, answered_by="1002"),
    CallState(call_id=CALL_ID, via=Via.DIRECT, forwarded=True),
    CallState(call_id=CALL_ID, via=Via.QUEUE, ended=True),
    CallState(call_id=CALL_ID, voicemail=True),
)
TOLD_BY_ANY_ENDING = (
    EventKind.CALL_MISSED,
    EventKind.CALL_INCOMING,
    EventKind.VOICEMAIL_NEW,
    EventKind.VOICEMAIL_MAILBOX,
)


def _events() -> Iterator[PbxEvent]:
    for kind, disposition, via in product(TOLD_BY_ANY_ENDING, DISPOSITIONS, VIAS):
        yield an_event(kind, disposition=disposition, via=via)
    for ending, via in product(MISSED_ENDINGS, VIAS):
        yield an_event(EventKind.CALL_ENDED, disposition=Disposition(ending), via=via)


EVENTS = tuple(dict.fromkeys(_events()))
"""Without repeats: a mailbox count came by no way."""


def _cells(status: str) -> Iterator[Facts]:
    start = facts(status=status)
    strategies = (ALL_FIRST,) if status == Status.DO_NOT_DISTURB else (ALL_FIRST, MOBILE_SECONDLY, NO_MOBILE)
    for accept_push, ring in product((True, False), strategies):
        settings = settings_of(start.settings_of, accept_push=accept_push, ring=ring)
        for event, devices, call in product(EVENTS, (start.devices, ()), KNOWN):
            yield replace(start, settings=settings, event=event, devices=devices, call=call)


@pytest.mark.parametrize("status", STATUSES)
def test_every_cell_is_decided_as_the_policy_says(status: str) -> None:
    wrong = []
    seen = set()
    for cell in _cells(status):
        decision = decide(cell)
        seen.add((decision.action, decision.reason))
        if (decision.action, decision.reason) != law(cell):
            wrong.append((cell, decision.action, decision.reason, law(cell)))
    assert wrong[:3] == []
    assert (Action.FORWARD, Reason.ALLOWED) in seen
    quiet = status == Status.DO_NOT_DISTURB
    assert ((Action.SUPPRESS, Reason.DO_NOT_DISTURB) in seen) is quiet
    assert ((Action.DEFER, Reason.RING_SECONDLY) in seen) is not quiet


@pytest.mark.parametrize("status", STATUSES)
def test_every_cell_of_a_status_that_always_forwards_is_decided_as_the_policy_says(status: str) -> None:
    ways = product((Direction.INTERNAL, Direction.INBOUND), ((Direction.INTERNAL,), (Direction.INBOUND,)), KNOWN[:3])
    for (direction, always, call), kind, via, disposition in product(
        ways, (EventKind.CALL_MISSED, EventKind.CALL_INCOMING, EventKind.VOICEMAIL_NEW), (None, *Via), DISPOSITIONS
    ):
        cell = facts(
            kind=kind, status=status, direction=direction, via=via, disposition=disposition, always=always, call=call
        )
        decision = decide(cell)
        assert (decision.action, decision.reason) == law(cell), cell
