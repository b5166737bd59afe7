"""A small model of all that follows from one call's events: the store's effects, a worker that is interrupted at any
moment, and what the phones show. In memory, without a clock."""

from dataclasses import dataclass, field, replace
from enum import Enum

from gateway.domain.decision import Facts
from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.event import Millis, PbxEvent
from gateway.domain.extension import CallState, InboxItem, Unread
from gateway.domain.push import Push, PushKind, PushState
from gateway.policy.decide import decide
from gateway.policy.effects import effects


class Result(Enum):
    """How an attempt to send ends."""

    ACCEPTED = "accepted"
    TRY_LATER = "try_later"
    UNKNOWN_SHOWN = "no answer, but the phone has it"
    UNKNOWN_LOST = "no answer, and the phone does not have it"


@dataclass
class Sending:
    """A push in the store."""

    push: Push
    state: PushState
    withdrawn: bool = False
    then: str | None = None
    maybe: bool = False
    """An attempt got no answer: the phone may have it."""


@dataclass
class Phone:
    """What one phone shows: the last notification by collapse id, and the app icon's number."""

    shown: dict[str, PushKind] = field(default_factory=dict)
    badge: int = 0

    def receive(self, push: Push) -> None:
        """As iOS by `apns-collapse-id` and Android by `tag`."""
        if push.kind not in (PushKind.BADGE, PushKind.CALL_INCOMING):
            self.shown[push.collapse_id] = push.kind
        if push.badge is not None:
            self.badge = push.badge


@dataclass
class OneCall:
    """An extension with one call, its pushes on their way and its phones."""

    template: Facts
    """Presence, settings, devices and policy."""
    call: CallState | None = None
    unread: Unread = field(default_factory=Unread)
    inbox: dict[str, InboxItem] = field(default_factory=dict)
    seen_facts: set[str] = field(default_factory=set)
    sendings: dict[str, Sending] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    in_flight: list[str] = field(default_factory=list)
    phones: dict[str, Phone] = field(default_factory=dict)

    def arrive(self, event: PbxEvent, *, event_id: str, now: Millis) -> Effects | None:
        """Accept an event; None: a duplicate by its fact."""
        if event.fact is not None:
            if event.fact in self.seen_facts:
                return None
            self.seen_facts.add(event.fact)
        facts = self._facts(event, event_id, now)
        written = effects(facts, decide(facts))
        self._write(written, now)
        return written

    def take(self, position: int) -> None:
        """A worker takes a waiting push and hands it to the provider, unless it was withdrawn before."""
        push_id = self.waiting.pop(position % len(self.waiting))
        if self.sendings[push_id].withdrawn:
            self._settle(push_id, PushState.WITHDRAWN)
        else:
            self.sendings[push_id].state = PushState.QUEUED
            self.in_flight.append(push_id)

    def finish(self, position: int, result: Result) -> None:
        """The provider answers, or does not."""
        push_id = self.in_flight.pop(position % len(self.in_flight))
        sending = self.sendings[push_id]
        if result in (Result.ACCEPTED, Result.UNKNOWN_SHOWN):
            self.phones.setdefault(sending.push.device_id, Phone()).receive(sending.push)
        sending.maybe = sending.maybe or result in (Result.UNKNOWN_SHOWN, Result.UNKNOWN_LOST)
        self._settle(push_id, PushState.ACCEPTED if result is Result.ACCEPTED else PushState.DEFERRED)

    def drain(self) -> None:
        """Everything that is still to be sent gets accepted."""
        while self.waiting or self.in_flight:
            if self.in_flight:
                self.finish(0, Result.ACCEPTED)
            else:
                self.take(0)

    def _facts(self, event: PbxEvent, event_id: str, now: Millis) -> Facts:
        call = self.call
        if call is not None:
            known = [one for one in call.pushes if one.push_id in self.sendings]
            call = replace(call, pushes=tuple(replace(one, state=self._read(one.push_id)) for one in known))
        return replace(
            self.template,
            event=event,
            event_id=event_id,
            now=now,
            call=call if event.call is not None else None,
            unread=self.unread,
        )

    def _read(self, push_id: str) -> PushState:
        """A withdrawal that is on its way needs no second one, however the push ends."""
        sending = self.sendings[push_id]
        return PushState.WITHDRAWN if sending.withdrawn else sending.state

    def _write(self, written: Effects, now: Millis) -> None:
        self.call = written.call or self.call
        self.unread = written.unread or self.unread
        for item in written.inbox_remove:
            self.inbox.pop(item, None)
        if written.inbox_add is not None:
            self.inbox[written.inbox_add.event_id] = written.inbox_add
        for push in written.pushes:
            waits = push.not_before is not None and push.not_before > now
            self.sendings[push.push_id] = Sending(push, PushState.DEFERRED if waits else PushState.QUEUED)
            self.waiting.append(push.push_id)
        for withdrawal in written.withdrawals:
            self._withdraw(withdrawal)

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        sending = self.sendings[withdrawal.push_id]
        if sending.withdrawn or sending.state not in (PushState.QUEUED, PushState.DEFERRED, PushState.PENDING):
            return
        sending.withdrawn = True
        then = withdrawal.then
        if then is not None:
            self.sendings[then.push_id] = Sending(then, PushState.PENDING)
            sending.then = then.push_id
        if sending.state is PushState.DEFERRED:
            self.waiting.remove(withdrawal.push_id)
            self._settle(withdrawal.push_id, PushState.WITHDRAWN)

    def _settle(self, push_id: str, state: PushState) -> None:
        sending = self.sendings[push_id]
        sending.state = PushState.WITHDRAWN if sending.withdrawn and state is PushState.DEFERRED else state
        if sending.state is PushState.DEFERRED:
            self.waiting.append(push_id)
        if sending.withdrawn:
            self._follow(sending, may_be_shown=state is PushState.ACCEPTED or sending.maybe)

    def _follow(self, sending: Sending, *, may_be_shown: bool) -> None:
        """What follows a withdrawn push that a phone has, or may have: the first of its successors that still holds."""
        next_id = sending.then
        while next_id is not None and self.sendings[next_id].state is PushState.PENDING:
            successor = self.sendings[next_id]
            if may_be_shown and not successor.withdrawn:
                successor.state = PushState.QUEUED
                self.waiting.append(next_id)
                return
            successor.state = PushState.WITHDRAWN
            next_id = successor.then

    def copy(self) -> "OneCall":
        """The same situation, to go on from in another way."""
        return replace(
            self,
            inbox=dict(self.inbox),
            seen_facts=set(self.seen_facts),
            sendings={push_id: replace(sending) for push_id, sending in self.sendings.items()},
            waiting=list(self.waiting),
            in_flight=list(self.in_flight),
            phones={name: Phone(dict(phone.shown), phone.badge) for name, phone in self.phones.items()},
        )

    def situation(self) -> tuple[object, ...]:
        """Equal situations go on equally."""
        sendings = tuple(
            (push_id, one.state, one.withdrawn, one.then, one.maybe) for push_id, one in sorted(self.sendings.items())
        )
        phones = tuple((name, tuple(sorted(phone.shown.items()))) for name, phone in sorted(self.phones.items()))
        waiting = frozenset(self.waiting)
        return self.call, self.unread, tuple(sorted(self.inbox)), sendings, waiting, frozenset(self.in_flight), phones
