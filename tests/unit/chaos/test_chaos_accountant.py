"""The accountant finds what it is there to find, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.accountant import Breach, judge
from tests.chaos.history import history
from tests.chaos.ledger import (
    InboxLine,
    JournalAttempt,
    JournalEvent,
    JournalPush,
    Ledger,
    Place,
    Posted,
    Registration,
    Says,
    Screen,
    Shown,
    WirePush,
)

AT = 1_795_000_000_000
ALICE = Place("acme", "1001")
BOB = Place("acme", "1002")
EVENT = "01KAXB7Q0R7M3V2N5T8C9D4E6F"
LATER = "01KAXB7Q0R7M3V2N5T8C9D4E6G"
MISSED = Posted(
    key="1.missed", place=ALICE, says=Says.MISSED, call_id="call-1", deadline=AT + 60_000, event_ids=(EVENT,)
)
TAKEN = Posted(key="1.taken", place=ALICE, says=Says.TAKEN, call_id="call-1", event_ids=(LATER,))
PUSH = JournalPush(push_id="p1", device_id="iphone", kind="call.missed", state="accepted")
ENTRY = JournalEvent(event_id=EVENT, place=ALICE, action="forward", reason="allowed", decided=("p1",), pushes=(PUSH,))
STATE_ONLY = JournalEvent(event_id=LATER, place=ALICE, action="none", reason="state_changed")
WIRE = WirePush(
    seq=1,
    at=AT,
    token="tok",
    push_id="p1",
    kind="call.missed",
    place=ALICE,
    call_id="call-1",
    loud=True,
    status=200,
    reason="",
    delivered=True,
)
SHOWN = Shown(collapse="c1", kind="call.missed", push_id="p1")
LINE = InboxLine(event_id=EVENT, kind="call.missed")
GOOD = Ledger(
    posted=(MISSED,),
    journal={EVENT: ENTRY},
    wire=(WIRE,),
    screens={"tok": Screen(badge=1, shown=(SHOWN,))},
    registrations=(Registration(token="tok", place=ALICE, device_id="iphone", since=AT - 1000),),
    badges={ALICE: 1},
    inboxes={ALICE: (LINE,)},
    waiting={"alert": 0, "later": 0},
)


def found(ledger: Ledger) -> set[Breach]:
    return {violation.breach for violation in judge(ledger).violations}


def with_state(state: str, **more: Any) -> Mapping[str, JournalEvent]:
    return {EVENT: replace(ENTRY, pushes=(replace(PUSH, state=state, **more),))}


def test_a_run_that_kept_its_promises_is_not_blamed() -> None:
    assert judge(GOOD).violations == ()
    assert set(judge(GOOD).counts) == set(Breach)
    assert judge(GOOD).figures["events acknowledged"] == 1


def test_nothing_at_all_is_a_run_too() -> None:
    assert found(Ledger()) == set()


TWICE = replace(WIRE, seq=2, push_id="p2")
ITSELF = replace(WIRE, push_id="p7", loud=False, expires_at=AT - 600)


def on_the_wire(**changes: Any) -> Ledger:
    return replace(GOOD, wire=(replace(WIRE, **changes),))


def ends_as(state: str) -> Ledger:
    return replace(GOOD, journal=with_state(state))


def also_shown(**changes: Any) -> Ledger:
    shown = (SHOWN, replace(SHOWN, **changes))
    return replace(GOOD, screens={"tok": Screen(badge=1, shown=shown)})


TWO_IDS = replace(
    GOOD,
    posted=(replace(MISSED, event_ids=(EVENT, LATER)),),
    journal={EVENT: ENTRY, LATER: replace(ENTRY, event_id=LATER)},
    inboxes={ALICE: (LINE, replace(LINE, event_id=LATER))},
)
LACKING = replace(GOOD, inboxes={ALICE: (InboxLine(event_id=EVENT[:-1] + "0", kind="call.missed"),)})


@pytest.mark.parametrize(
    ("what", "ledger", "breach"),
    [
        ("not in the journal", replace(GOOD, journal={}), Breach.LOST),
        ("decided, and not in the journal", replace(GOOD, journal={EVENT: replace(ENTRY, pushes=())}), Breach.LOST),
        ("told to be accepted, and no phone has it", replace(GOOD, wire=()), Breach.LOST),
        ("refused on the wire, and told to be accepted", on_the_wire(delivered=False), Breach.LOST),
        ("withdrawn, and true", ends_as("withdrawn"), Breach.LOST),
        ("expired hours before its deadline", ends_as("expired"), Breach.LOST),
        ("given up for a token that is good", ends_as("token_gone"), Breach.LOST),
        ("one event, two ids", TWO_IDS, Breach.DOUBLED),
        ("heard twice under two ids", replace(GOOD, wire=(WIRE, TWICE)), Breach.DOUBLED),
        ("two of one collapse id on the screen", also_shown(push_id="p9"), Breach.DOUBLED),
        ("two of one call on the screen", also_shown(collapse="c2"), Breach.DOUBLED),
        ("of another extension", on_the_wire(place=BOB), Breach.WRONG_PHONE),
        ("to a token that nobody registered", on_the_wire(token="other"), Breach.WRONG_PHONE),
        ("before the token was this extension's", on_the_wire(at=AT - 5000), Breach.WRONG_PHONE),
        ("after its deadline", on_the_wire(at=AT + 60_501), Breach.LATE),
        ("after what it says itself", replace(GOOD, wire=(WIRE, ITSELF)), Breach.LATE),
        ("in a lane", replace(GOOD, waiting={"alert": 1}), Breach.STUCK),
        ("never sent", ends_as("queued"), Breach.STUCK),
        ("waits to replace what has ended", ends_as("pending"), Breach.STUCK),
        ("given up without a refusal", ends_as("dead"), Breach.DEAD_LETTER),
        ("a dead letter of no event", replace(GOOD, dead_letters=("p5",)), Breach.DEAD_LETTER),
        ("another number on the phone", replace(GOOD, badges={ALICE: 2}), Breach.BADGE),
        ("a missed call that the inbox lacks", LACKING, Breach.INBOX),
        ("more repeats than harm", replace(GOOD, wire=(WIRE, replace(WIRE, seq=2))), Breach.REPEATS),
        ("an exception in a log", replace(GOOD, crashes=("api.log: Traceback",)), Breach.CRASH),
    ],
)
def test_each_broken_promise_is_found(what: str, ledger: Ledger, breach: Breach) -> None:
    assert breach in found(ledger), what
    assert found(ledger) <= {breach, Breach.LOST}, what


BOTH = replace(
    GOOD,
    posted=(MISSED, TAKEN),
    journal={EVENT: ENTRY, LATER: STATE_ONLY},
    inboxes={ALICE: ()},
    badges={},
)
CORRECTED = {"tok": Screen(badge=0, shown=(replace(SHOWN, kind="call.withdrawn"),))}


def test_a_missed_call_that_was_answered_may_not_stay_on_the_screen() -> None:
    assert found(BOTH) == {Breach.STILL_MISSED}
    assert found(replace(BOTH, screens=CORRECTED)) == set()


def test_it_may_not_stay_in_the_inbox_either() -> None:
    assert found(replace(BOTH, screens=CORRECTED, inboxes={ALICE: (LINE,)})) == {Breach.INBOX}


def test_what_was_never_acknowledged_may_or_may_not_count() -> None:
    unsure = replace(BOTH, posted=(MISSED, replace(TAKEN, event_ids=())))
    assert found(unsure) == set()
    assert found(replace(unsure, inboxes={ALICE: (LINE,)})) == set()
    assert found(replace(unsure, journal=with_state("withdrawn"), wire=(), screens={})) == set()


def test_a_message_corrects_only_where_the_phone_is_told_of_it() -> None:
    message = replace(TAKEN, key="1.message", says=Says.VOICEMAIL)
    told = JournalEvent(event_id=LATER, place=ALICE, action="forward", reason="allowed")
    silent = replace(told, action="suppress", reason="push_disabled")
    lines = {ALICE: (InboxLine(event_id=LATER, kind="voicemail.new"),)}
    ledger = replace(BOTH, posted=(MISSED, message), inboxes=lines)
    assert found(replace(ledger, journal={EVENT: ENTRY, LATER: told})) == {Breach.STILL_MISSED}
    assert found(replace(ledger, journal={EVENT: ENTRY, LATER: silent})) == set()


def test_a_correction_that_was_worth_telling_for_seconds_only_may_come_too_late() -> None:
    late = JournalPush(push_id="p2", device_id="iphone", kind="call.withdrawn", state="expired")
    journal = {EVENT: ENTRY, LATER: replace(STATE_ONLY, pushes=(late,))}
    assert found(replace(BOTH, posted=(MISSED, replace(TAKEN, lasting=False)), journal=journal)) == set()
    discarded = replace(WIRE, seq=2, push_id="p2", kind="call.withdrawn", loud=False, too_late=True)
    assert found(replace(BOTH, wire=(WIRE, discarded))) == set()


def test_a_phone_in_trouble_proves_nothing_by_what_it_shows() -> None:
    disturbed = frozenset({"tok"})
    assert found(replace(BOTH, disturbed=disturbed)) == set()
    assert found(replace(GOOD, disturbed=disturbed, badges={ALICE: 7})) == set()
    assert found(replace(GOOD, disturbed=disturbed, journal=with_state("token_gone"))) == set()


def test_a_short_deadline_may_pass() -> None:
    short = replace(GOOD, posted=(replace(MISSED, lasting=False),), journal=with_state("expired"), wire=(), screens={})
    assert found(short) == set()


def test_a_refusal_that_was_scripted_explains_a_dead_letter() -> None:
    refused = replace(WIRE, status=413, reason="PayloadTooLarge", delivered=False)
    ledger = replace(GOOD, journal=with_state("dead"), wire=(refused,), dead_letters=("p1",))
    assert found(ledger) == {Breach.DEAD_LETTER}
    assert found(replace(ledger, scripted_refusals=frozenset({(413, "PayloadTooLarge")}))) == set()


def test_a_phone_that_changed_hands_gets_its_new_owners_pushes_only() -> None:
    was = Registration(token="tok", place=ALICE, device_id="iphone", since=AT - 1000, until=AT + 1000)
    now = Registration(token="tok", place=BOB, device_id="iphone", since=AT + 900)
    ledger = replace(GOOD, registrations=(was, now), badges={})
    late = replace(WIRE, at=AT + 1501)
    assert found(ledger) == set()
    assert found(replace(ledger, wire=(replace(WIRE, at=AT + 1500),))) == set()
    assert found(replace(ledger, wire=(late,))) == {Breach.WRONG_PHONE}
    assert Breach.WRONG_PHONE not in found(replace(ledger, wire=(WIRE, replace(late, place=BOB, push_id="p2"))))


def test_what_waits_inside_the_connection_was_let_go_of_in_time() -> None:
    """It cannot be called back; what counts is when the gateway let go of it."""
    slow = JournalAttempt(at=AT + 69_000, milliseconds=9500, said="accepted 200")
    ledger = replace(GOOD, journal=with_state("accepted", attempts=(slow,)))
    assert found(replace(ledger, wire=(replace(WIRE, at=AT + 68_900),))) == set()
    assert found(replace(ledger, wire=(replace(WIRE, at=AT + 71_000),))) == {Breach.LATE}
    hasty = replace(slow, at=AT + 68_900, milliseconds=7000)
    ledger = replace(GOOD, journal=with_state("accepted", attempts=(hasty,)))
    assert found(replace(ledger, wire=(replace(WIRE, at=AT + 68_900),))) == {Breach.LATE}


def test_repeats_are_counted_and_held_against_the_harm_that_was_done() -> None:
    ledger = replace(GOOD, wire=(WIRE, replace(WIRE, seq=2), replace(WIRE, seq=3)), repeats_allowed=2)
    judgement = judge(ledger)
    assert judgement.violations == ()
    assert judgement.figures["repeats on the wire"] == 2
    assert judgement.figures["of these more than once"] == 1
    assert judgement.figures["most often delivered"] == 3


def test_a_quiet_second_push_about_a_call_is_none_that_is_heard_twice() -> None:
    quiet = replace(TWICE, loud=False)
    assert found(replace(GOOD, wire=(WIRE, quiet))) == set()


def test_the_history_of_a_call_tells_it_in_order() -> None:
    posted = replace(MISSED, first_posted_at=AT - 50, acknowledged_at=AT - 10)
    entry = replace(
        ENTRY, pushes=(replace(PUSH, attempts=(JournalAttempt(at=AT + 5, milliseconds=5, said="accepted 200"),)),)
    )
    lines = history(replace(GOOD, posted=(posted,), journal={EVENT: entry}), ALICE, "call-1")
    assert [line.split()[0] for line in lines] == ["0", "40", "50", "55", "55"]
    assert "posted 1.missed" in lines[0]
    assert "wire: call.missed p1 to iphone: 200" in lines[2]
