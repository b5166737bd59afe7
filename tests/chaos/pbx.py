"""The PBX: posts each event at its time, whatever became of the others, and repeats it until it is acknowledged."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from gateway.domain.event import EventKind, Millis
from gateway.ingress.signatures import sign_standard_webhook, sign_yeastar
from tests.chaos.cast import LASTING_SECONDS, LIFETIMES
from tests.chaos.configuration import TIMEZONE, Keys
from tests.chaos.ledger import Posted
from tests.chaos.stories import Dialect, Post

ANSWER_SECONDS = 5.0
"""A PBX waits no longer for an answer."""
PAUSES = (0.5, 1.0, 2.0, 3.0)
"""Before each repeat; the last one stays."""


def now() -> Millis:
    """The run's clock."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Telling:
    """A post on its way: the same bytes on every attempt."""

    post: Post
    path: str
    body: bytes
    occurred_at: Millis
    posts: int = 0
    event_ids: list[str] = field(default_factory=list)
    first_posted_at: Millis = field(default_factory=now)
    acknowledged_at: Millis | None = None

    def posted(self) -> Posted:
        post = self.post
        lifetimes = LIFETIMES[post.place.tenant]
        lifetime = lifetimes.get(post.kind) if post.kind is not None else None
        return Posted(
            key=post.key,
            place=post.place,
            says=post.says,
            call_id=post.call_id,
            deadline=None if lifetime is None else self.occurred_at + lifetime * 1000,
            lasting=(lifetime or lifetimes[EventKind.CALL_MISSED]) >= LASTING_SECONDS,
            posts=self.posts,
            first_posted_at=self.first_posted_at,
            acknowledged_at=self.acknowledged_at,
            event_ids=tuple(dict.fromkeys(self.event_ids)),
        )


@dataclass(slots=True)
class Pbx:
    """Open-loop: what is late or lost holds up nothing else."""

    url: str
    keys: Keys
    session: aiohttp.ClientSession
    patience_seconds: float
    """An event is repeated for so long."""
    tellings: list[_Telling] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """How often each status came; `none`: no answer."""
    milliseconds: list[float] = field(default_factory=list)
    """From posting to the answer that acknowledged."""
    most_outstanding: int = 0
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def play(self, posts: Iterator[Post], until: asyncio.Event) -> None:
        """Post until the event is set; then no new one is begun."""
        started = time.monotonic()
        for post in posts:
            wait = started + post.after_ms / 1000 - time.monotonic()
            if wait > 0.002 and await _set_within(until, wait):
                return
            if until.is_set():
                return
            self._begin(post)

    async def settled(self) -> None:
        """Wait until everything posted was acknowledged or given up."""
        while self._running:
            await asyncio.wait(list(self._running))

    @property
    def outstanding(self) -> int:
        """Posts that are on their way or to be repeated."""
        return len(self._running)

    @property
    def acknowledged(self) -> int:
        """Events that were acknowledged so far."""
        return sum(telling.acknowledged_at is not None for telling in self.tellings)

    def posted(self) -> tuple[Posted, ...]:
        """Every event, as the ledger has it."""
        return tuple(telling.posted() for telling in self.tellings if telling.post.kind is not None)

    def _begin(self, post: Post) -> None:
        telling = _telling(post, self.keys)
        self.tellings.append(telling)
        for _ in range(1 + post.copies):
            task = asyncio.create_task(self._tell(telling))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        self.most_outstanding = max(self.most_outstanding, len(self._running))

    async def _tell(self, telling: _Telling) -> None:
        end = time.monotonic() + self.patience_seconds
        for attempt in range(1_000_000):
            if await self._attempt(telling):
                return
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            if time.monotonic() + pause > end:
                return
            await asyncio.sleep(pause)

    async def _attempt(self, telling: _Telling) -> bool:
        telling.posts += 1
        started = time.perf_counter()
        try:
            async with self.session.post(
                self.url + telling.path, data=telling.body, headers=self._headers(telling)
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            self._count("none")
            return False
        self._count(str(response.status))
        if response.status >= 300:
            return False
        telling.acknowledged_at = telling.acknowledged_at or now()
        telling.event_ids += _event_ids(body)
        self.milliseconds.append((time.perf_counter() - started) * 1000)
        return True

    def _count(self, answer: str) -> None:
        self.answers[answer] = self.answers.get(answer, 0) + 1

    def _headers(self, telling: _Telling) -> dict[str, str]:
        post, keys = telling.post, self.keys
        match post.dialect:
            case Dialect.YEASTAR:
                signature = sign_yeastar(keys.yeastar, telling.body)
                return {"Content-Type": "application/json", "X-Signature": signature}
            case Dialect.GENERIC:
                delivery, seconds = f"msg-{post.key}", int(time.time())
                secret = keys.generic[post.place.tenant]
                return {
                    "Content-Type": "application/cloudevents+json",
                    "webhook-id": delivery,
                    "webhook-timestamp": str(seconds),
                    "webhook-signature": sign_standard_webhook(secret, delivery, seconds, telling.body),
                }
            case Dialect.BEARER:
                bearer = f"Bearer {keys.api[post.place.tenant]}"
                return {"Content-Type": "application/cloudevents+json", "Authorization": bearer}
            case Dialect.SEEN:
                bearer = f"Bearer {keys.api[post.place.tenant]}"
                return {"Content-Type": "application/json", "Authorization": bearer}


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _event_ids(body: bytes) -> list[str]:
    document = json.loads(body)
    found = document.get("results", [document])
    return [one["event_id"] for one in found if "event_id" in one]


def _telling(post: Post, keys: Keys) -> _Telling:
    """The post as bytes; it happened a while ago."""
    del keys
    occurred_at = now() - post.age_ms
    match post.dialect:
        case Dialect.YEASTAR:
            occurred_at -= occurred_at % 1000
            msg: dict[str, Any] = dict(post.data["msg"])
            if "call_id" in msg:
                local = datetime.fromtimestamp(occurred_at / 1000, ZoneInfo(TIMEZONE))
                msg["time_start"] = local.strftime("%Y-%m-%d %H:%M:%S")
            envelope = {"type": post.data["type"], "sn": "3631A2124000", "msg": msg}
            return _Telling(post, "/hooks/hq", json.dumps(envelope).encode(), occurred_at)
        case Dialect.SEEN:
            path = f"/v1/tenants/{post.place.tenant}/extensions/{post.place.extension}/inbox/seen"
            return _Telling(post, path, b'{"all": true}', occurred_at)
        case Dialect.GENERIC:
            path = f"/hooks/{post.place.tenant}-pbx"
        case Dialect.BEARER:
            path = f"/v1/tenants/{post.place.tenant}/events"
    document = {
        "specversion": "1.0",
        "id": f"event-{post.key}",
        "source": "/pbx",
        "type": str(post.type),
        "subject": post.place.extension,
        "time": datetime.fromtimestamp(occurred_at / 1000, UTC).isoformat(timespec="milliseconds"),
        "data": post.data,
    }
    return _Telling(post, path, json.dumps(document).encode(), occurred_at)
