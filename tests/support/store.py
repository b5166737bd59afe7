"""Events, pushes and devices for the store's tests, and the steps that nearly all of them take."""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.domain.decision import Action, Decision, EventRecord, PlannedPush, Reason
from gateway.domain.device import Device, Environment, Provider, Token
from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.event import Caller, EventKind, Millis, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.domain.push import Attempt, Lane, Push, PushKind, PushState
from gateway.domain.settlement import Settlement
from gateway.pipeline.ids import ulid
from gateway.settings import StoreSettings
from gateway.store import Lease, Store, Stored
from tests.support.facts import an_event, facts
from tests.support.servers import DEADLINE_SECONDS

ALL_LANES = tuple(Lane)
TENANT = "acme"
EXTENSION = "1001"

ACCEPTED = Attempt(at=1, outcome="accepted", status=200, milliseconds=12)
TRY_LATER = Attempt(at=2, outcome="try_later", status=503, reason="ServiceUnavailable")
UNANSWERED = Attempt(at=3, outcome="unknown")
REFUSED = Attempt(at=4, outcome="refused", status=400, reason="PayloadTooLarge")


def settings(url: str, *, retention_hours: int = 168, shards: int | None = None) -> StoreSettings:
    """Settings of a store at `url`."""
    return StoreSettings.model_validate({"url": url, "journal_retention_hours": retention_hours, "shards": shards})


@dataclass(slots=True)
class TestClock:
    """A clock that the test moves."""

    __test__ = False

    now: Millis = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def __call__(self) -> Millis:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Time goes on."""
        self.now += round(seconds * 1000)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until it holds."""
    end = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        os.kill(pid, 0)
        return True


def new_event_id(at: Millis) -> str:
    """An event id of that time."""
    return ulid(at, os.urandom)


def a_device(device_id: str = "alice-iphone", **fields: Any) -> Device:
    """A device of extension 1001 with a token of its own."""
    device = Device(
        tenant=TENANT,
        extension=EXTENSION,
        device_id=device_id,
        app="com.example.softphone.ios",
        provider=Provider.APNS,
        token=Token(f"alert-{uuid.uuid4()}"),
        voip_token=Token(f"voip-{uuid.uuid4()}"),
        environment=Environment.PRODUCTION,
        name="Alice's iPhone",
        locale="en-GB",
        registered_at=1_795_341_600_000,
    )
    return replace(device, **fields)


def a_push(event_id: str, device_id: str = "alice-iphone", **fields: Any) -> Push:
    """A missed-call push that is good for an hour of real time."""
    now = time.time_ns() // 1_000_000
    push = Push(
        push_id=str(uuid.uuid4()),
        event_id=event_id,
        tenant=TENANT,
        extension=EXTENSION,
        device_id=device_id,
        kind=PushKind.CALL_MISSED,
        collapse_id="c" * 32,
        occurred_at=now,
        deadline=now + 3_600_000,
        badge=1,
        call_id="call-1",
        caller=Caller(number="+4915112345678", name="Alice"),
    )
    return replace(push, **fields)


def a_record(
    event_id: str,
    *,
    event: PbxEvent | None = None,
    kind: EventKind = EventKind.CALL_MISSED,
    extension: str = EXTENSION,
    call_id: str = "call-1",
    identity: str | None = None,
    tenant: str = TENANT,
    action: Action = Action.FORWARD,
    reason: Reason = Reason.ALLOWED,
    pushes: tuple[Push, ...] = (),
) -> EventRecord:
    """An event, decided."""
    told = event or replace(an_event(kind, call_id=call_id, extension=extension), identity=identity)
    known = replace(facts(told, event_id=event_id), tenant=tenant)
    planned = tuple(PlannedPush(device_id=push.device_id, push_id=push.push_id) for push in pushes)
    return EventRecord(
        event_id=event_id,
        tenant=tenant,
        source="hq",
        received_at=known.now,
        facts=known,
        decision=Decision(action=action, reason=reason, pushes=planned),
    )


async def store_event(store: Store, effects: Effects, record: EventRecord) -> ExtensionState:
    """Accept an event on a fresh reading, which has to succeed; returns that reading."""
    call = record.facts.event.call
    extension = record.facts.event.extension
    state = await store.extensions.load(record.tenant, extension, call.id if call else None)
    assert await store.extensions.accept(state, record, effects) == Stored()
    return state


async def store_pushes(store: Store, *pushes: Push) -> str:
    """Accept an event of its own with these pushes; returns its id."""
    event_id = pushes[0].event_id
    tenant, extension = pushes[0].tenant, pushes[0].extension
    record = a_record(event_id, tenant=tenant, extension=extension, call_id=f"call of {event_id}", pushes=pushes)
    await store_event(store, Effects(pushes=pushes), record)
    return event_id


async def take_one(store: Store, consumer: str = "worker") -> Lease:
    """The one push that waits, whatever its lane."""
    leases = await take_all(store, consumer)
    assert len(leases) == 1
    return leases[0]


async def take_all(store: Store, consumer: str = "worker") -> list[Lease]:
    """Everything that waits now."""
    found: list[Lease] = []
    while leases := await store.queue.take(consumer, lanes=ALL_LANES, count=100, block_ms=0):
        found += leases
    return found


async def settle(store: Store, lease: Lease, state: PushState, **fields: Any) -> bool:
    """End a lease."""
    return await store.queue.settle(lease, Settlement(state=state, **fields)) is not None


async def states(store: Store, event_id: str) -> dict[PushKind, PushState]:
    """How far an event's pushes are."""
    return {record.push.kind: record.state for record in await store.journal.pushes(TENANT, event_id)}


async def withdraw(store: Store, clock: TestClock, push: Push, then: Push | None) -> str:
    """Another event makes the push untrue; returns that event's id."""
    event_id = new_event_id(clock())
    record = a_record(event_id, call_id=f"call of {event_id}")
    await store_event(store, Effects(withdrawals=(Withdrawal(push_id=push.push_id, then=then),)), record)
    return event_id
