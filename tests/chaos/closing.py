"""The end of a run: wait for quiet, then ask every side what it knows."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError

from gateway.simulator.views import Phone as PhoneView
from tests.chaos import stores
from tests.chaos.cast import Group
from tests.chaos.disasters import REFUSAL
from tests.chaos.havoc import Havoc
from tests.chaos.ledger import InboxLine, JournalAttempt, JournalEvent, JournalPush, Ledger, Place, Screen, Shown
from tests.chaos.patience import insist
from tests.chaos.processes import unexpected_errors
from tests.chaos.stage import Stage

SETTLED_SECONDS = 2.0
"""Nothing waits and nothing comes over the wire for so long: quiet."""
AT_ONCE = 24
INBOX_PAGES = 5
Say = Callable[[str], None]


async def quiet(stage: Stage, say: Say) -> tuple[dict[str, int], float]:
    """Wait until nothing moves any more; what still waits then, and how many seconds it took."""
    started = time.monotonic()
    end = started + stage.options.quiet_seconds
    still_since: float | None = None
    while True:
        counts, moved = await _waiting(stage), await stage.wire.read_on()
        now = time.monotonic()
        if sum(counts.values()) or moved:
            still_since = None
        elif still_since is None:
            still_since = now
        elif now - still_since >= SETTLED_SECONDS:
            return counts, now - started
        if now > end:
            return counts, now - started
        say(f"waiting for quiet: {sum(counts.values())} pushes")
        await asyncio.sleep(0.2)


async def _waiting(stage: Stage) -> dict[str, int]:
    """How many pushes wait: by lane, those that are being sent included, and `later`."""
    try:
        health = await _Api(stage).ask("/health", key=stage.keys.admin)
        lanes = {lane: int(one["depth"]) for lane, one in health["queue"].items()}
        return {**lanes, "later": await stores.waiting_for_their_time(stage.store)}
    except (RedisError, OSError):
        return {"a store that does not answer": 1}


async def ledger(stage: Stage, havoc: Havoc, waiting: Mapping[str, int], say: Say) -> Ledger:
    """What every side knows."""
    api = _Api(stage)
    posted = stage.pbx.posted()
    event_ids = tuple(dict.fromkeys(event_id for event in posted for event_id in event.event_ids))
    places = stage.options.cast.everybody()
    told = stage.options.cast.places(Group.PLAIN)
    inboxes = dict(zip(places, await _all(api.inbox(place) for place in places), strict=True))
    journal = await api.journal(event_ids, say)
    letters = await api.ask("/v1/dead-letters?limit=200", key=stage.keys.admin)
    screens = {phone.token: _screen(phone) for phone in await insist(stage.control.phones)}
    return Ledger(
        posted=posted,
        journal={entry.event_id: entry for entry in journal if entry is not None},
        wire=tuple(stage.wire.pushes),
        screens=screens,
        registrations=tuple(stage.phones.registrations),
        disturbed=frozenset(stage.phones.disturbed),
        badges={place: inboxes[place].badge for place in told},
        inboxes={place: inbox.lines for place, inbox in inboxes.items()},
        waiting=waiting,
        dead_letters=tuple(item["push_id"] for item in letters["items"]),
        scripted_refusals=frozenset({(REFUSAL.status or 0, REFUSAL.reason)}),
        repeats_allowed=havoc.repeats_allowed,
        crashes=_crashes(stage),
    )


def _crashes(stage: Stage) -> tuple[str, ...]:
    found: list[str] = []
    for gateway in stage.gateways.values():
        found += gateway.crashes
        found += unexpected_errors(gateway.log)
    if stage.wire.lost:
        found.append(f"the wire was not read whole: {stage.wire.lost} pushes were not seen")
    return tuple(found)


def _screen(phone: PhoneView) -> Screen:
    shown = tuple(Shown(collapse=one.collapse, kind=one.kind, push_id=one.push_id) for one in phone.shown)
    return Screen(badge=phone.badge, shown=shown)


@dataclass(frozen=True, slots=True)
class _Inbox:
    badge: int
    lines: tuple[InboxLine, ...]


class _Api:
    """Asks the gateway, with patience."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def journal(self, event_ids: tuple[str, ...], say: Say) -> list[JournalEvent | None]:
        """Every event, as the journal has it."""
        found: list[JournalEvent | None] = []
        for begin in range(0, len(event_ids), 480):
            say(f"reading the journal: {begin} of {len(event_ids)}")
            found += await _all(self.event(event_id) for event_id in event_ids[begin : begin + 480])
        return found

    async def event(self, event_id: str) -> JournalEvent | None:
        """One event; None: the journal does not have it."""
        for tenant, key in self._stage.keys.api.items():
            if (document := await self.ask(f"/v1/tenants/{tenant}/events/{event_id}", key=key)) is not None:
                return _entry(tenant, document)
        return None

    async def inbox(self, place: Place) -> _Inbox:
        """The newest items of an extension's inbox, and its badge."""
        path = f"/v1/tenants/{place.tenant}/extensions/{place.extension}/inbox?limit=200"
        lines: list[InboxLine] = []
        badge, after = 0, ""
        for _ in range(INBOX_PAGES):
            document = await self.ask(path + after, key=self._stage.keys.api[place.tenant])
            lines += [InboxLine(event_id=item["event_id"], kind=item["kind"]) for item in document["items"]]
            badge = document["badge"]
            if document["next"] is None:
                break
            after = f"&after={document['next']}"
        return _Inbox(badge, tuple(lines))

    async def ask(self, path: str, *, key: str) -> Any:
        """The answer; None: there is no such thing."""

        async def get() -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            async with self._stage.session.get(self._stage.api.url + path, headers=headers) as answer:
                if answer.status == 404:
                    return None
                answer.raise_for_status()
                return await answer.json()

        return await insist(get)


def _entry(tenant: str, document: dict[str, Any]) -> JournalEvent:
    event, decision = document["event"], document["decision"]
    return JournalEvent(
        event_id=event["event_id"],
        place=Place(tenant, event["extension"]),
        action=decision["action"],
        reason=decision["reason"],
        decided=tuple(push["push_id"] for push in decision["pushes"]),
        pushes=tuple(
            JournalPush(
                push_id=push["push_id"],
                device_id=push["device_id"],
                kind=push["kind"],
                state=push["state"],
                attempts=tuple(map(_attempt, push["attempts"])),
            )
            for push in document["pushes"]
        ),
    )


def _attempt(attempt: dict[str, Any]) -> JournalAttempt:
    words = (attempt["outcome"], attempt["status"], attempt["reason"])
    said = " ".join(str(word) for word in words if word)
    return JournalAttempt(at=_millis(attempt["at"]), milliseconds=attempt["milliseconds"], said=said)


def _millis(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


async def _all(asked: Iterable[Any]) -> list[Any]:
    """So many at once, in their order."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(question: Any) -> Any:
        async with free:
            return await question

    return list(await asyncio.gather(*(one(question) for question in asked)))
