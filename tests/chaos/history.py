"""What a ledger knows of one call, in order of time: for whoever looks for the cause of a violation. Pure."""

from collections.abc import Iterator

from gateway.domain.event import Millis
from tests.chaos.ledger import Ledger, Place

MOST_LINES = 40


def history(ledger: Ledger, place: Place, call_id: str | None, *, device_id: str | None = None) -> list[str]:
    """Everything about a call; without a call the last that happened at the extension; of one device, if one is given.
    Times are milliseconds since the first line."""
    told = sorted(_lines(ledger, place, call_id))
    lines = [(at, line) for at, line in told if device_id is None or f" to {device_id}" in line][-MOST_LINES:]
    first = lines[0][0] if lines else 0
    return [f"{at - first:8}  {line}" for at, line in lines]


def _lines(ledger: Ledger, place: Place, call_id: str | None) -> Iterator[tuple[Millis, str]]:
    phones = {registration.token: registration.device_id for registration in ledger.registrations}
    for event in ledger.posted:
        if event.place != place or call_id not in (None, event.call_id):
            continue
        yield event.first_posted_at, f"posted {event.key}, {event.posts} times"
        if event.acknowledged_at is not None:
            yield event.acknowledged_at, f"acknowledged {event.key} as {' '.join(event.event_ids)}"
        for event_id in event.event_ids:
            yield from _journalled(ledger, event_id)
    for push in ledger.wire:
        if push.place == place and call_id in (None, push.call_id):
            how = f"{push.status} {push.reason}".strip() + ("" if push.delivered else ", not delivered")
            told = f"{push.kind}{'' if push.loud else ' (quiet)'} {push.push_id}"
            badge = "" if push.badge is None else f", badge {push.badge}"
            yield push.at, f"  wire: {told} to {phones.get(push.token, push.token)}{badge}: {how}"


def _journalled(ledger: Ledger, event_id: str) -> Iterator[tuple[Millis, str]]:
    entry = ledger.journal.get(event_id)
    if entry is None:
        return
    for push in entry.pushes:
        for attempt in push.attempts:
            said = f"{attempt.said} {attempt.milliseconds} ms"
            yield attempt.at, f"  journal: {push.kind} {push.push_id} to {push.device_id}: {said}"
        last = max((attempt.at for attempt in push.attempts), default=_time_of(event_id))
        yield last, f"  journal: {push.kind} {push.push_id} to {push.device_id} ends {push.state}"


def _time_of(event_id: str) -> Millis:
    """The first ten characters of a ULID are its time (Crockford's base 32)."""
    number = 0
    for letter in event_id[:10]:
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    return number
