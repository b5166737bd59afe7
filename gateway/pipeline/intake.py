"""An event comes in: load the facts, decide, store. The PBX gets the decision, and only after it is stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from gateway.domain.decision import Decision, EventRecord, Facts
from gateway.domain.errors import StoreUnavailable
from gateway.domain.event import Millis, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.pipeline.agent_switch import orders_after
from gateway.pipeline.capacity import Capacity
from gateway.pipeline.facts import facts_of
from gateway.pipeline.fair_gate import FairGate
from gateway.pipeline.turns import Turns
from gateway.policy.decide import decide
from gateway.policy.effects import effects
from gateway.settings import TenantSettings
from gateway.store import Claim, Duplicate, Stale, Store, Stored
from gateway.telemetry.metrics import Metrics

logger = structlog.get_logger(__name__)

MOST_READINGS = 50
"""How often an event is decided anew because other processes kept changing its extension meanwhile."""
MOST_AT_ONCE = 32
"""Events, of all tenants, that speak with the store. Measured: more of them are not faster, and each waits longer."""


class ReceiptStatus(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """It was accepted before; the receipt is the first one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How events reached the gateway."""

    tenant: TenantSettings
    source: str
    """Name of the source, or `api:<key name>`."""
    received_at: Millis
    delivery_id: str | None = None
    """`webhook-id`: the same for every repeat of one delivery. None: the sender has none."""
    digest: str = ""
    """Of the body: tells a repeat from another body under the same delivery id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to one event."""

    event_id: str
    status: ReceiptStatus
    decision: Decision


class Intake:
    """Accepts events."""

    def __init__(
        self,
        *,
        store: Store,
        turns: Turns,
        capacity: Capacity,
        metrics: Metrics,
        new_id: Callable[[Millis], str],
        clock: Callable[[], Millis],
        inbox_retention: Millis,
    ) -> None:
        self._store = store
        self._turns = turns
        self._gate = FairGate(MOST_AT_ONCE)
        self._capacity = capacity
        self._metrics = metrics
        self._new_id = new_id
        self._clock = clock
        self._inbox_retention = inbox_retention

    async def accept(self, arrival: Arrival, events: Sequence[PbxEvent]) -> tuple[Receipt, ...]:
        """Decide and store each event, in order. When this returns, they are stored; when it raises, the sender has
        to repeat, and may: nothing is doubled.

        Raises `StoreUnavailable` when the store cannot be written or has no room left.
        """
        self._capacity.require()
        event_ids = tuple(self._new_id(arrival.received_at) for _ in events)
        if arrival.delivery_id is not None:
            claim = await self._claim(arrival, arrival.delivery_id, event_ids)
            if claim.digest != arrival.digest:
                logger.warning("webhook-id repeated with another body", source=arrival.source)
                return await self._another_body(arrival, events, claim.event_ids)
            if len(claim.event_ids) == len(events):
                event_ids = claim.event_ids
        return tuple([await self._accept(arrival, *pair) for pair in zip(events, event_ids, strict=True)])

    async def _claim(self, arrival: Arrival, delivery_id: str, event_ids: tuple[str, ...]) -> Claim:
        async with self._gate.turn(arrival.tenant.id):
            return await self._store.deliveries.claim(arrival.source, delivery_id, arrival.digest, event_ids)

    async def _another_body(
        self, arrival: Arrival, events: Sequence[PbxEvent], event_ids: tuple[str, ...]
    ) -> tuple[Receipt, ...]:
        """A repeat whose body differs gets the first one's answer, as far as that is stored.

        It is not when the gateway died between claim and acceptance. Then this body takes its place, under the same
        event ids: should the first be stored after all, one of the two finds itself a duplicate.
        """
        records = [await self._store.journal.get(arrival.tenant.id, event_id) for event_id in event_ids]
        known = [record for record in records if record is not None]
        if len(records) != len(events):
            if known:
                return tuple([self._repeated(arrival, record) for record in known])
            event_ids = tuple(self._new_id(arrival.received_at) for _ in events)
            records = [None for _ in events]
        rows = zip(events, event_ids, records, strict=True)
        return tuple(
            [
                self._repeated(arrival, record) if record is not None else await self._accept(arrival, event, event_id)
                for event, event_id, record in rows
            ]
        )

    async def _accept(self, arrival: Arrival, event: PbxEvent, event_id: str) -> Receipt:
        tenant = arrival.tenant.id
        async with self._turns.of(tenant, event.extension), self._gate.turn(tenant):
            for _ in range(MOST_READINGS):
                state, facts = await self.read(arrival, event, event_id)
                decision = decide(facts)
                record = EventRecord(
                    event_id=event_id,
                    tenant=tenant,
                    source=arrival.source,
                    received_at=arrival.received_at,
                    facts=facts,
                    decision=decision,
                )
                changes = effects(facts, decision)
                orders = orders_after(arrival.tenant, state, changes.presence, arrival.received_at)
                match await self._store.extensions.accept(state, record, replace(changes, agent_orders=orders)):
                    case Stored():
                        return self._accepted(record)
                    case Duplicate(event_id=first):
                        return await self._first(arrival, first)
                    case Stale():
                        continue
        raise StoreUnavailable("the extension is being changed too often to decide on it")

    async def read(self, arrival: Arrival, event: PbxEvent, event_id: str) -> tuple[ExtensionState, Facts]:
        """The facts of a decision on `event`, and the reading of the extension that they were taken from."""
        call_id = event.call.id if event.call else None
        state = await self._store.extensions.load(arrival.tenant.id, event.extension, call_id)
        facts = facts_of(
            state,
            event,
            event_id=event_id,
            policy=arrival.tenant.policy,
            source=arrival.source,
            now=arrival.received_at,
            inbox_since=arrival.received_at - self._inbox_retention,
        )
        return state, facts

    def _accepted(self, record: EventRecord) -> Receipt:
        decision = record.decision
        kind = record.facts.event.kind
        self._metrics.events_total.labels(
            source=record.source, kind=kind, action=decision.action, reason=decision.reason
        ).inc()
        self._metrics.accept_seconds.observe(max(0, self._clock() - record.received_at) / 1000)
        logger.info(
            "event decided",
            event_id=record.event_id,
            tenant=record.tenant,
            extension=record.facts.event.extension,
            kind=kind,
            presence=record.facts.presence.status,
            action=decision.action,
            reason=decision.reason,
            pushes=[push.push_id for push in decision.pushes],
        )
        return Receipt(event_id=record.event_id, status=ReceiptStatus.ACCEPTED, decision=decision)

    async def _first(self, arrival: Arrival, event_id: str) -> Receipt:
        record = await self._store.journal.get(arrival.tenant.id, event_id)
        if record is None:
            raise StoreUnavailable("the first delivery of this event is no longer, or not yet, stored")
        return self._repeated(arrival, record)

    def _repeated(self, arrival: Arrival, record: EventRecord) -> Receipt:
        self._metrics.duplicates_total.labels(source=arrival.source).inc()
        return Receipt(event_id=record.event_id, status=ReceiptStatus.DUPLICATE, decision=record.decision)
