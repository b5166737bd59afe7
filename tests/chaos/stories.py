"""The load: what a PBX tells of its calls, drawn from a seed. Pure."""

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateway.domain.event import EventKind
from tests.chaos.cast import ACME, Cast, Group
from tests.chaos.dice import dice
from tests.chaos.ledger import Place, Says


class Dialect(StrEnum):
    """How an event is told."""

    GENERIC = "generic"
    """CloudEvents, signed, to `/hooks/{source}`."""
    BEARER = "bearer"
    """CloudEvents with an API key: no delivery id."""
    YEASTAR = "yeastar"
    SEEN = "seen"
    """No event: the app marks everything seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One event to be posted."""

    key: str
    after_ms: int
    """Since the begin of the load."""
    place: Place
    dialect: Dialect
    says: Says = Says.NOTHING
    kind: EventKind | None = None
    """By which it is decided; None: it is no event."""
    type: EventKind | None = None
    """As which it is posted, where that is a CloudEvent."""
    data: dict[str, Any] = field(default_factory=dict)
    """CloudEvents `data`; Yeastar: `type` and `msg`."""
    call_id: str | None = None
    age_ms: int = 0
    """How long ago it happened when it is first posted."""
    copies: int = 0
    """So many others post the same at the same moment."""


@dataclass(frozen=True, slots=True)
class _Draw:
    """One story's circumstances."""

    rng: random.Random
    number: int
    place: Place

    @property
    def call(self) -> str:
        return f"call-{self.number}"

    def caller(self) -> dict[str, str]:
        return {"number": f"+49151{self.rng.randrange(10**7, 10**8)}", "name": f"Caller {self.number}"}

    def told(self, kind: EventKind, says: Says, **data: Any) -> Post:
        """A CloudEvent about the story's call."""
        return Post(
            key=f"{self.number}.{kind}",
            after_ms=0,
            place=self.place,
            dialect=self.rng.choices((Dialect.GENERIC, Dialect.BEARER), (4, 1))[0],
            says=says,
            kind=kind,
            type=kind,
            data={"call": {"id": self.call}, "caller": self.caller(), **data},
            call_id=self.call,
        )

    def record(self, status: str, kind: EventKind, says: Says) -> Post:
        """A Yeastar call record (event 30012); the sender fills in `time_start`."""
        msg = {
            "call_id": self.call,
            "call_from": self.caller()["number"],
            "call_to": self.place.extension,
            "call_duration": 25,
            "talk_duration": 0,
            "src_trunk_name": "trunk-a",
            "dst_trunk_name": " ",
            "status": status,
            "type": "Inbound",
            "uid": f"cdr-{self.number}-{status}",
        }
        return Post(
            key=f"{self.number}.30012 {status}",
            after_ms=0,
            place=self.place,
            dialect=Dialect.YEASTAR,
            says=says,
            kind=kind,
            data={"type": 30012, "msg": msg},
            call_id=self.call,
        )

    def missed(self) -> Post:
        return self.told(EventKind.CALL_MISSED, Says.MISSED, outcome={"disposition": "no_answer"})

    def taken(self) -> Post:
        """Answered: here, or by a colleague."""
        if self.rng.random() < 0.5:
            return self.told(EventKind.CALL_ANSWERED, Says.TAKEN, outcome={"answered_by": "1999"})
        return self.told(EventKind.CALL_ENDED, Says.TAKEN, outcome={"disposition": "answered"})

    def message(self) -> Post:
        voicemail = {"message_id": f"message-{self.number}", "duration_seconds": 12}
        return self.told(EventKind.VOICEMAIL_NEW, Says.VOICEMAIL, voicemail=voicemail)


_Story = Callable[[_Draw], list[Post]]


def _missed(draw: _Draw) -> list[Post]:
    return [draw.missed()]


def _missed_by_record(draw: _Draw) -> list[Post]:
    return [draw.record(draw.rng.choice(("NO ANSWER", "BUSY")), EventKind.CALL_MISSED, Says.MISSED)]


def _missed_then_answered(draw: _Draw) -> list[Post]:
    return _in_any_order(draw, [draw.missed(), draw.taken()])


def _missed_twice(draw: _Draw) -> list[Post]:
    """Told by two events that are one fact."""
    again = draw.told(EventKind.CALL_ENDED, Says.MISSED, outcome={"disposition": "no_answer"})
    return _in_any_order(draw, [draw.missed(), replace(again, kind=EventKind.CALL_MISSED)])


def _voicemail(draw: _Draw) -> list[Post]:
    return _in_any_order(draw, [draw.missed(), draw.message()])


def _voicemail_by_record(draw: _Draw) -> list[Post]:
    missed = draw.record("NO ANSWER", EventKind.CALL_MISSED, Says.MISSED)
    return _in_any_order(draw, [missed, draw.record("VOICEMAIL", EventKind.VOICEMAIL_NEW, Says.VOICEMAIL)])


def _message_alone(draw: _Draw) -> list[Post]:
    post = draw.message()
    return [replace(post, call_id=None, data={key: value for key, value in post.data.items() if key != "call"})]


def _rings(draw: _Draw) -> list[Post]:
    ringing = draw.told(EventKind.CALL_INCOMING, Says.RINGS)
    end = draw.rng.choice((draw.missed, draw.taken, draw.message))()
    return [ringing, replace(end, after_ms=draw.rng.randrange(0, 4000))]


def _everything(draw: _Draw) -> list[Post]:
    return _in_any_order(draw, [draw.missed(), draw.message(), draw.taken()])


def _mailbox(draw: _Draw) -> list[Post]:
    counts = {"new": draw.rng.randrange(6), "saved": 1}
    told = draw.told(EventKind.VOICEMAIL_MAILBOX, Says.NOTHING)
    return [replace(told, call_id=None, data={"mailbox": counts})]


def _seen(draw: _Draw) -> list[Post]:
    return [Post(key=f"{draw.number}.seen", after_ms=0, place=draw.place, dialect=Dialect.SEEN)]


_STATUSES = ("available", "away", "lunch_break", "business_trip", "off_work", "do_not_disturb")
_IN_YEASTAR = {"away": "away", "business_trip": "business_trip", "lunch_break": "launch", "off_work": "off_work"}


def presence(draw: _Draw) -> list[Post]:
    """The user's status changes."""
    status = draw.rng.choice(_STATUSES)
    told = draw.told(EventKind.PRESENCE_CHANGED, Says.NOTHING)
    if status in _IN_YEASTAR and draw.rng.random() < 0.5:
        msg = {"extension": draw.place.extension, "status": _IN_YEASTAR[status]}
        return [replace(told, dialect=Dialect.YEASTAR, call_id=None, data={"type": 30009, "msg": msg})]
    return [replace(told, call_id=None, data={"presence": {"status": status}})]


def _in_any_order(draw: _Draw, posts: list[Post]) -> list[Post]:
    """Moments apart, or at the same moment, in any order."""
    draw.rng.shuffle(posts)
    apart = draw.rng.choice((0, 30, 300, 2500))
    return [replace(post, after_ms=index * draw.rng.randrange(apart + 1)) for index, post in enumerate(posts)]


_STORIES: dict[_Story, float] = {
    _missed: 20,
    _missed_by_record: 20,
    _missed_then_answered: 14,
    _missed_twice: 4,
    _voicemail: 8,
    _voicemail_by_record: 5,
    _message_alone: 5,
    _rings: 10,
    _everything: 4,
    _mailbox: 6,
    _seen: 1.5,
}
_ONLY_AT_ACME = frozenset({_missed_by_record, _voicemail_by_record})
POSTS_A_STORY = 1.55
"""On the average; measured by a test."""


def posts(seed: str, *, cast: Cast, events_per_second: float) -> Iterator[Post]:
    """What is posted and when, in order of time, without end; stories begin at random moments and overlap. The same
    seed gives the same posts."""
    rng = dice(seed, "load")
    everybody, changing = cast.everybody(), cast.places(Group.PRESENCE)
    waiting: list[tuple[int, int, Post]] = []
    at, number, count = 0.0, 0, 0
    while True:
        at += rng.expovariate(events_per_second / POSTS_A_STORY) * 1000
        number += 1
        place = rng.choice(everybody)
        story = rng.choices(tuple(_STORIES), tuple(_STORIES.values()))[0]
        if changing and rng.random() < 0.04:
            story, place = presence, rng.choice(changing)
        if place.tenant != ACME and story in _ONLY_AT_ACME:
            story = _missed
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
        for post in _told(rng, story(_Draw(rng, number, place)), round(at)):
            count += 1
            heapq.heappush(waiting, (post.after_ms, count, post))


def _told(rng: random.Random, story: list[Post], at: int) -> Iterator[Post]:
    """A story's events are about one moment of time, and some are posted several times at once."""
    age = rng.randrange(2000)
    for post in story:
        repeatable = post.dialect is not Dialect.SEEN and post.data.get("type") != 30009
        copies = rng.randrange(1, 4) if repeatable and rng.random() < 0.1 else 0
        yield replace(post, after_ms=at + post.after_ms, age_ms=age, copies=copies)
