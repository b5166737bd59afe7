"""Compares what was acknowledged with what was decided, sent and shown. Pure: a ledger in, a judgement out."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from gateway.domain.event import Millis
from gateway.domain.push import PushKind, PushState
from tests.chaos.book import TOLERANCE, Book
from tests.chaos.figures import figures, repeated
from tests.chaos.ledger import (
    JournalEvent,
    JournalPush,
    Ledger,
    Place,
    Posted,
    Registration,
    Says,
    WirePush,
)

_NOT_MISSED = frozenset({Says.TAKEN, Says.VOICEMAIL})
_CORRECTIONS = frozenset({PushKind.CALL_WITHDRAWN, PushKind.VOICEMAIL_NEW})
_OVER = frozenset({Says.TAKEN, Says.VOICEMAIL, Says.MISSED})


class Breach(StrEnum):
    """A promise that was not kept."""

    LOST = "acknowledged events lost"
    DOUBLED = "visible notifications doubled"
    WRONG_PHONE = "pushes to a wrong phone"
    LATE = "pushes after their deadline"
    STILL_MISSED = "withdrawn missed calls still shown as missed"
    STUCK = "entries stuck in the queue"
    DEAD_LETTER = "dead letters without a refusal"
    BADGE = "badges that differ from the API's"
    INBOX = "inbox items that differ from the calls"
    REPEATS = "repeats on the wire beyond the bound"
    CRASH = "unexpected errors of processes"


@dataclass(frozen=True, slots=True)
class Violation:
    """One case of a breach."""

    breach: Breach
    detail: str
    place: Place | None = None
    """The extension whose history explains it."""
    call_id: str | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the accountant found."""

    figures: Mapping[str, int]
    violations: tuple[Violation, ...]

    @property
    def counts(self) -> dict[Breach, int]:
        """Violations of each kind; every kind is named."""
        found = Counter(violation.breach for violation in self.violations)
        return {breach: found[breach] for breach in Breach}


def judge(ledger: Ledger) -> Judgement:
    """The judgement on a run."""
    book = Book(ledger)
    violations = chain(
        _lost(book),
        _doubled(book),
        _wrong_phone(book),
        _late(book),
        _still_missed(book),
        _stuck(book),
        _dead_letters(book),
        _badges(book),
        _inbox(book),
        _repeats(book),
        (Violation(Breach.CRASH, line) for line in ledger.crashes),
    )
    return Judgement(figures=figures(book), violations=tuple(violations))


def _lost(book: Book) -> Iterator[Violation]:
    for event in book.ledger.posted:
        for event_id in event.event_ids:
            if event_id not in book.ledger.journal:
                told = f"{event.key} was acknowledged as {event_id}: not in the journal"
                yield Violation(Breach.LOST, told, event.place, event.call_id)
    for event, entry in book.journalled:
        for push in entry.pushes:
            if push.state == PushState.EXPIRED and event.lasting:
                told = f"{event.key} at {entry.place}: {push.kind} {push.push_id} expired long before its deadline"
                yield Violation(Breach.LOST, told, event.place, event.call_id)
        pushes = {push.push_id: push for push in entry.pushes}
        for push_id in entry.decided:
            found = pushes.get(push_id)
            why = "is not in the journal" if found is None else _why_lost(book, event, entry, found)
            if why is not None:
                told = f"{event.key} at {entry.place}: push {push_id} {why}"
                yield Violation(Breach.LOST, told, event.place, event.call_id)


def _why_lost(book: Book, event: Posted, entry: JournalEvent, push: JournalPush) -> str | None:
    """What is wrong with how a push ended; None: it ended well, or has not ended (which is another breach)."""
    call = (event.place, event.call_id or "")
    match push.state:
        case PushState.ACCEPTED if push.push_id not in book.delivered:
            return "is told to be accepted, and reached no phone"
        case PushState.WITHDRAWN:
            over = _OVER if push.kind == PushKind.CALL_INCOMING else _NOT_MISSED
            return None if over & book.says(call, sure=False) else "was withdrawn, and was true"
        case PushState.TOKEN_GONE if not book.was_disturbed(entry.place, push.device_id):
            return "was given up for a token that is good"
        case _:
            return None


def _doubled(book: Book) -> Iterator[Violation]:
    for event in book.ledger.posted:
        if len(event.event_ids) > 1:
            told = f"{event.key} was acknowledged as {' and '.join(event.event_ids)}"
            yield Violation(Breach.DOUBLED, told, event.place, event.call_id)
    heard: dict[tuple[str, str, Place, str], set[str]] = defaultdict(set)
    for push in chain.from_iterable(book.delivered.values()):
        if push.loud and push.call_id:
            heard[push.token, push.kind, push.place, push.call_id].add(push.push_id)
    for (_, kind, place, call_id), ids in heard.items():
        if len(ids) > 1:
            told = f"{kind} of {call_id} at {place} under {' and '.join(sorted(ids))}"
            yield Violation(Breach.DOUBLED, told, place, call_id)
    yield from _doubled_on_screens(book)


def _doubled_on_screens(book: Book) -> Iterator[Violation]:
    for token, screen in book.ledger.screens.items():
        collapses = Counter(one.collapse for one in screen.shown if one.collapse)
        calls = Counter(book.call_of_push[one.push_id] for one in screen.shown if one.push_id in book.call_of_push)
        twice = [name for name, count in collapses.items() if count > 1]
        twice += [f"call {call_id} at {place}" for (place, call_id), count in calls.items() if count > 1]
        for name in twice:
            yield Violation(Breach.DOUBLED, f"two notifications of {name} on the phone {token[:8]}")


def _wrong_phone(book: Book) -> Iterator[Violation]:
    owners: dict[str, list[Registration]] = defaultdict(list)
    for registration in book.ledger.registrations:
        owners[registration.token].append(registration)
    for push in book.ledger.wire:
        sent_at = book.sent_at(push)
        if not any(_may_have(owner, push, sent_at) for owner in owners.get(push.token, ())):
            told = f"{push.kind} {push.push_id} of {push.place} on {push.token[:8]}, {_since_when(owners, push)}"
            yield Violation(Breach.WRONG_PHONE, told, push.place, push.call_id)


def _since_when(owners: Mapping[str, list[Registration]], push: WirePush) -> str:
    """How long the token had not been this extension's."""
    ends = [one.until for one in owners.get(push.token, ()) if one.place == push.place and one.until is not None]
    past = [push.at - until for until in ends if until <= push.at]
    return f"{min(past)} ms after it had gone" if past else "whose it never was"


def _may_have(owner: Registration, push: WirePush, sent_at: Millis) -> bool:
    in_time = owner.since <= push.at and (owner.until is None or sent_at <= owner.until + TOLERANCE)
    return owner.place == push.place and in_time


def _late(book: Book) -> Iterator[Violation]:
    deadlines = {
        push_id: event.deadline
        for event, entry in book.journalled
        if event.deadline is not None
        for push_id in entry.decided
    }
    for push in book.ledger.wire:
        deadline = deadlines.get(push.push_id, push.expires_at)
        if deadline is not None and book.sent_at(push) > deadline + TOLERANCE:
            told = f"{push.kind} {push.push_id}: {push.at - deadline} ms after its deadline"
            yield Violation(Breach.LATE, told, push.place, push.call_id)


def _still_missed(book: Book) -> Iterator[Violation]:
    excused = _replacements_that_expired(book)
    for token, screen in book.ledger.screens.items():
        if token in book.ledger.disturbed:
            continue
        for one in screen.shown:
            call = book.call_of_push.get(one.push_id)
            if one.kind != PushKind.CALL_MISSED or call is None or (token, call) in excused:
                continue
            if said := book.corrections(call):
                place, call_id = call
                told = " and ".join(sorted(said))
                yield Violation(
                    Breach.STILL_MISSED, f"call {call_id} at {place} was {told}: {one.push_id}", place, call_id
                )


def _replacements_that_expired(book: Book) -> set[tuple[str, tuple[Place, str]]]:
    """Phones and calls whose correction came too late to be sent at all: short deadlines, long outages."""
    found = {(push.token, (push.place, push.call_id)) for push in book.ledger.wire if push.too_late}
    for event, entry in book.journalled:
        for push in entry.pushes:
            if push.state == PushState.EXPIRED and push.kind in _CORRECTIONS and event.call_id is not None:
                for token in book.tokens.get((entry.place, push.device_id), ()):
                    found.add((token, (entry.place, event.call_id)))
    return found


_UNFINISHED = frozenset({PushState.QUEUED, PushState.DEFERRED, PushState.PENDING})


def _stuck(book: Book) -> Iterator[Violation]:
    for name, count in book.ledger.waiting.items():
        if count:
            yield Violation(Breach.STUCK, f"{count} in {name}")
    for entry in book.ledger.journal.values():
        for push in entry.pushes:
            if push.state in _UNFINISHED:
                told = f"push {push.push_id} ({push.kind}) is {push.state}"
                yield Violation(Breach.STUCK, told, entry.place, book.call_of_event.get(entry.event_id))


def _dead_letters(book: Book) -> Iterator[Violation]:
    dead = {
        push.push_id for entry in book.ledger.journal.values() for push in entry.pushes if push.state == PushState.DEAD
    }
    for push_id in sorted(dead.union(book.ledger.dead_letters) - book.refused):
        yield Violation(Breach.DEAD_LETTER, f"push {push_id}")


def _badges(book: Book) -> Iterator[Violation]:
    for registration in book.ledger.registrations:
        wanted = book.ledger.badges.get(registration.place)
        screen = book.ledger.screens.get(registration.token)
        if wanted is None or screen is None or registration.token in book.ledger.disturbed:
            continue
        if screen.badge is not None and screen.badge != wanted:
            told = f"{registration.place} {registration.device_id}: {screen.badge} on the phone, {wanted} by the API"
            yield Violation(Breach.BADGE, told, registration.place, device_id=registration.device_id)


def _inbox(book: Book) -> Iterator[Violation]:
    lines = {place: {line.event_id: line.kind for line in inbox} for place, inbox in book.ledger.inboxes.items()}
    oldest = {place: min(ids, default="") for place, ids in lines.items()}
    for event, entry in book.journalled:
        if event.place not in lines or entry.event_id < oldest[event.place]:
            continue
        has = entry.event_id in lines[event.place]
        wanted = _belongs_in_the_inbox(book, event)
        if wanted is not None and has is not wanted:
            found = "is in the inbox, and should not be" if has else "is not in the inbox"
            told = f"{event.key} {entry.event_id} ({event.says}) at {event.place} {found}"
            yield Violation(Breach.INBOX, told, event.place, event.call_id)


def _belongs_in_the_inbox(book: Book, event: Posted) -> bool | None:
    """None: something about its call was posted and never acknowledged, so both may be."""
    match event.says:
        case Says.VOICEMAIL:
            return True
        case Says.MISSED if event.call_id is not None:
            call = (event.place, event.call_id)
            refuted, perhaps = (bool(_NOT_MISSED & book.says(call, sure=sure)) for sure in (True, False))
            return not refuted if refuted == perhaps else None
        case _:
            return False


def _repeats(book: Book) -> Iterator[Violation]:
    repeats = repeated(book.delivered.values())
    if repeats > book.ledger.repeats_allowed:
        yield Violation(Breach.REPEATS, f"{repeats}, and {book.ledger.repeats_allowed} are explained")
