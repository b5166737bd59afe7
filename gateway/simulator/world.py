"""Everything the simulator remembers: phones by token, and the pushes of late."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.domain.device import Environment, Provider
from gateway.simulator.counts import Counts
from gateway.simulator.exchange import Scripted
from gateway.simulator.phones import Delivery, VirtualPhone
from gateway.simulator.views import Fate, Phone, PushPage, ReceivedPush

_RECEIVED_PER_PHONE = 200


@dataclass(slots=True)
class WireRecord:
    """One push as it came; the body is decoded only when somebody looks."""

    seq: int
    provider: Provider
    environment: Environment
    token: str
    topic: str
    push_id: str
    at: int
    status: int
    reason: str
    fate: Fate
    headers: dict[str, str]
    body: bytes

    def view(self) -> ReceivedPush:
        """As the control API shows it; without the provider's credentials."""
        headers = {name: value for name, value in self.headers.items() if name != "authorization"}
        return ReceivedPush(
            seq=self.seq,
            provider=self.provider,
            environment=self.environment,
            token=self.token,
            topic=self.topic,
            push_id=self.push_id,
            at=self.at,
            status=self.status,
            reason=self.reason,
            fate=self.fate,
            headers=headers,
            payload=_decoded(self.body),
        )


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


class World:
    """Phones and history of one simulator. `clock` answers milliseconds."""

    def __init__(self, *, clock: Callable[[], int], counts: Counts, history: int, strict_tokens: bool) -> None:
        self.clock = clock
        self._counts = counts
        self._strict_tokens = strict_tokens
        self._phones: dict[str, VirtualPhone] = {}
        self._received: dict[str, deque[WireRecord]] = {}
        self._history: deque[WireRecord] = deque(maxlen=history)
        self._seq = 0

    def phone_for(self, token: str, provider: Provider, environment: Environment) -> VirtualPhone | None:
        """The phone of a well-formed token; None: the provider does not know it (strict mode, or another's token)."""
        phone = self._phones.get(token)
        if phone is None:
            return None if self._strict_tokens else self.add_phone(token, provider, environment)
        return phone if phone.provider is provider and phone.environment is environment else None

    def add_phone(self, token: str, provider: Provider, environment: Environment) -> VirtualPhone:
        """A new phone in state `ok`."""
        phone = VirtualPhone(token=token, provider=provider, environment=environment)
        self._phones[token] = phone
        return phone

    def find(self, token: str) -> VirtualPhone | None:
        """The phone of a token, whatever its provider."""
        return self._phones.get(token)

    def deliver(self, phone: VirtualPhone, delivery: Delivery) -> Fate:
        """Hand an accepted push to the phone."""
        phone.received_count += 1
        return phone.receive(delivery, self.clock())

    def record(self, record: WireRecord, scripted: Scripted | None = None) -> None:
        """Count and remember a push; a scripted answer counts as it was given."""
        self._seq += 1
        record.seq, record.at = self._seq, self.clock()
        if scripted is not None:
            record.status, record.reason = scripted.status, scripted.reason
        self._history.append(record)
        counts = self._counts
        counts.pushes += 1
        counts.accepted += record.status == 200
        counts.answers[record.provider.value, record.status, record.reason] += 1
        received = self._received.get(record.token)
        if received is None:
            if record.token not in self._phones:
                return
            received = self._received[record.token] = deque(maxlen=_RECEIVED_PER_PHONE)
        received.append(record)

    def views(self) -> tuple[Phone, ...]:
        """Every phone."""
        return tuple(self.view(phone) for phone in self._phones.values())

    def view(self, phone: VirtualPhone) -> Phone:
        """One phone as the control API shows it."""
        return Phone(
            token=phone.token,
            provider=phone.provider,
            environment=phone.environment,
            state=phone.state,
            topic=phone.topic,
            since=phone.since,
            badge=phone.badge,
            shown=tuple(phone.shown),
            rings=tuple(phone.rings),
            received=tuple(record.view() for record in self._received.get(phone.token, ())),
            received_count=phone.received_count,
            stored=len(phone.stored),
            deleted_messages=phone.deleted_messages,
        )

    def pushes(self, after: int, limit: int) -> PushPage:
        """Recorded pushes after a cursor."""
        first = self._history[0].seq if self._history else self._seq + 1
        skip = max(0, after + 1 - first)
        items = tuple(record.view() for record in list(self._history)[skip : skip + limit])
        return PushPage(items=items, next=items[-1].seq if items else max(after, 0), lost=max(0, first - after - 1))

    def forget(self) -> None:
        """Drop phones, history and counts."""
        self._phones.clear()
        self._received.clear()
        self._history.clear()
        self._counts.reset()
