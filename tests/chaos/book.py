"""The ledger, with what is looked up in it. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from gateway.domain.decision import Action
from gateway.domain.event import Millis
from tests.chaos.ledger import JournalAttempt, JournalEvent, Ledger, Place, Posted, Says, WirePush

TOLERANCE: Millis = 500
"""Between the last look at the clock before sending and the arrival at the provider."""

IN_THE_CONNECTION: Millis = 10_000
"""The request timeout: so long at most a push waits inside the connection for a provider that takes no more."""


@dataclass(frozen=True)
class Book:
    """The ledger, with what is looked up in it."""

    ledger: Ledger

    @cached_property
    def delivered(self) -> dict[str, list[WirePush]]:
        """Requests that reached a phone, by push id."""
        found: dict[str, list[WirePush]] = defaultdict(list)
        for push in self.ledger.wire:
            if push.delivered:
                found[push.push_id].append(push)
        return found

    @cached_property
    def refused(self) -> set[str]:
        """Push ids that met a scripted refusal."""
        scripted = self.ledger.scripted_refusals
        return {push.push_id for push in self.ledger.wire if (push.status, push.reason) in scripted}

    @cached_property
    def calls(self) -> dict[tuple[Place, str], list[Posted]]:
        """Events by their call."""
        found: dict[tuple[Place, str], list[Posted]] = defaultdict(list)
        for event in self.ledger.posted:
            if event.call_id is not None:
                found[event.place, event.call_id].append(event)
        return found

    @cached_property
    def call_of_push(self) -> dict[str, tuple[Place, str]]:
        """The call that a push on the wire is about."""
        return {push.push_id: (push.place, push.call_id) for push in self.ledger.wire if push.call_id}

    @cached_property
    def call_of_event(self) -> dict[str, str]:
        """The call that an event is about."""
        return {one: event.call_id for event in self.ledger.posted if event.call_id for one in event.event_ids}

    @cached_property
    def tokens(self) -> dict[tuple[Place, str], set[str]]:
        """Every token that a device ever had."""
        found: dict[tuple[Place, str], set[str]] = defaultdict(set)
        for registration in self.ledger.registrations:
            found[registration.place, registration.device_id].add(registration.token)
        return found

    @cached_property
    def journalled(self) -> list[tuple[Posted, JournalEvent]]:
        """Acknowledged events that the journal has."""
        journal = self.ledger.journal
        return [(event, journal[one]) for event in self.ledger.posted for one in event.event_ids if one in journal]

    @cached_property
    def attempts(self) -> dict[str, tuple[JournalAttempt, ...]]:
        """The journal's attempts, by push id."""
        return {push.push_id: push.attempts for entry in self.ledger.journal.values() for push in entry.pushes}

    def sent_at(self, push: WirePush) -> Millis:
        """When the gateway let go of what came over the wire. From then on it cannot be called back: it may still wait
        inside the connection, for a stream of the provider's or its window, until the request is given up."""
        for attempt in self.attempts.get(push.push_id, ()):
            began = attempt.at - attempt.milliseconds
            if began - TOLERANCE <= push.at <= began + IN_THE_CONNECTION + TOLERANCE:
                return min(push.at, began)
        return push.at

    def says(self, call: tuple[Place, str], *, sure: bool) -> set[Says]:
        """What is said of a call: by what was acknowledged (`sure`), or by anything that was ever posted."""
        return {event.says for event in self.calls.get(call, ()) if event.acknowledged or not sure}

    def corrections(self, call: tuple[Place, str]) -> set[Says]:
        """What a phone that shows the call as missed has been told otherwise. A voicemail that the phone is not told of
        (too old, or by the user's settings) corrects nothing."""
        return {
            event.says
            for event in self.calls.get(call, ())
            for event_id in event.event_ids
            if event.says is Says.TAKEN or (event.says is Says.VOICEMAIL and self.is_told(event_id))
        }

    def is_told(self, event_id: str) -> bool:
        """Whether the decision was to tell a phone."""
        entry = self.ledger.journal.get(event_id)
        return entry is not None and entry.action == Action.FORWARD

    def was_disturbed(self, place: Place, device_id: str) -> bool:
        """Whether the device's phone met trouble of its own."""
        return not self.ledger.disturbed.isdisjoint(self.tokens.get((place, device_id), ()))
