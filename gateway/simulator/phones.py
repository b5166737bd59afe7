"""A virtual phone: what its owner sees after pushes arrive. Pure; times are arguments, in milliseconds."""

from dataclasses import dataclass, field

from gateway.domain.device import Environment, Provider
from gateway.simulator.views import Fate, PhoneState, Ring, ShownNotification

MOST_COLLAPSE_KEYS = 4
"""FCM stores messages of so many collapse keys for an offline phone; a fifth pushes one out (here: the oldest)."""
MOST_STORED = 100
"""So many other messages; one more, and FCM drops all of them and has the app call `onDeletedMessages`."""
_MOST_SHOWN = 500
NOW_OR_NEVER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a push asks of the phone, whichever provider brings it."""

    push_id: str
    kind: str = ""
    title: str = ""
    body: str = ""
    visible: bool = False
    rings: bool = False
    sound: bool = False
    badge: int | None = None
    thread: str = ""
    collapse: str = ""
    """Replaces what is shown under the same id: apns-collapse-id or Android tag."""
    storage_key: str = ""
    """While offline the newest of a key is kept: the topic (APNs) or the collapse key (FCM); empty: none (FCM)."""
    expires_at: int | None = None
    """Milliseconds; `NOW_OR_NEVER`: not stored; None: no end."""
    call_id: str = ""
    caller_number: str = ""
    caller_name: str = ""


@dataclass(slots=True, kw_only=True)
class VirtualPhone:
    """One device token. Mutable: pushes and the control API change it."""

    token: str
    provider: Provider
    environment: Environment
    state: PhoneState = PhoneState.OK
    topic: str = ""
    since: int | None = None
    badge: int | None = None
    deleted_messages: int = 0
    shown: list[ShownNotification] = field(default_factory=list)
    rings: list[Ring] = field(default_factory=list)
    stored: list[Delivery] = field(default_factory=list)
    received_count: int = 0
    _too_many: bool = False

    def receive(self, delivery: Delivery, now: int) -> Fate:
        """A push that the provider accepted: shown, or stored while the phone is offline."""
        if self.state is PhoneState.OFFLINE:
            return self._store(delivery)
        return self._arrive(delivery, now)

    def change_state(self, state: PhoneState, now: int, since: int | None = None) -> None:
        """Set how the provider answers; a phone that comes back online gets what was stored for it."""
        was, self.state = self.state, state
        if state in {PhoneState.UNREGISTERED, PhoneState.EXPIRED}:
            self.since = now if since is None else since
        if was is PhoneState.OFFLINE and state is PhoneState.OK:
            self._come_online(now)

    def _come_online(self, now: int) -> None:
        waiting, self.stored = self.stored, []
        if self._too_many:
            self._too_many = False
            self.deleted_messages += 1
        for delivery in waiting:
            self._arrive(delivery, now)

    def _store(self, delivery: Delivery) -> Fate:
        if delivery.expires_at == NOW_OR_NEVER:
            return Fate.DROPPED
        if delivery.storage_key:
            self.stored = [kept for kept in self.stored if kept.storage_key != delivery.storage_key]
        self.stored.append(delivery)
        if self.provider is Provider.FCM:
            self._bound_storage()
        return Fate.STORED

    def _bound_storage(self) -> None:
        keyed = [kept for kept in self.stored if kept.storage_key]
        if len(keyed) > MOST_COLLAPSE_KEYS:
            self.stored.remove(keyed[0])
        if len(self.stored) - len(keyed) > MOST_STORED:
            self.stored = [kept for kept in self.stored if kept.storage_key]
            self._too_many = True

    def _arrive(self, delivery: Delivery, now: int) -> Fate:
        expires_at = delivery.expires_at
        if expires_at is not None and expires_at != NOW_OR_NEVER and expires_at <= now:
            return Fate.EXPIRED
        if delivery.badge is not None:
            self.badge = delivery.badge
        if delivery.rings:
            self.rings.append(_ring(delivery, now))
            return Fate.RANG
        if not delivery.visible:
            return Fate.SILENT
        self._show(delivery, now)
        return Fate.SHOWN

    def _show(self, delivery: Delivery, now: int) -> None:
        replaced = 0
        if delivery.collapse:
            for index, entry in enumerate(self.shown):
                if entry.collapse == delivery.collapse:
                    replaced = entry.replaced + 1
                    del self.shown[index]
                    break
        self.shown.append(_notification(delivery, now, replaced))
        if len(self.shown) > _MOST_SHOWN:
            del self.shown[0]


def _notification(delivery: Delivery, now: int, replaced: int) -> ShownNotification:
    return ShownNotification(
        title=delivery.title,
        body=delivery.body,
        sound=delivery.sound,
        badge=delivery.badge,
        thread=delivery.thread,
        kind=delivery.kind,
        collapse=delivery.collapse,
        push_id=delivery.push_id,
        at=now,
        replaced=replaced,
    )


def _ring(delivery: Delivery, now: int) -> Ring:
    return Ring(
        push_id=delivery.push_id,
        call_id=delivery.call_id,
        caller_number=delivery.caller_number,
        caller_name=delivery.caller_name,
        kind=delivery.kind,
        expires_at=delivery.expires_at or None,
        at=now,
    )
