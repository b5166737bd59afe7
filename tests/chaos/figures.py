"""What a run came to, in numbers. Pure."""

from collections import Counter
from collections.abc import Iterable

from tests.chaos.book import Book
from tests.chaos.ledger import WirePush


def repeated(deliveries: Iterable[list[WirePush]]) -> int:
    """How often pushes came that a phone had already."""
    return sum(len(times) - 1 for times in deliveries)


def figures(book: Book) -> dict[str, int]:
    """Every figure by its name, in the order in which they are printed."""
    ledger = book.ledger
    states = Counter(push.state for entry in ledger.journal.values() for push in entry.pushes)
    actions = Counter(entry.action for entry in ledger.journal.values())
    return {
        "events posted": len(ledger.posted),
        "posts (repeats included)": sum(event.posts for event in ledger.posted),
        "events acknowledged": sum(event.acknowledged for event in ledger.posted),
        "events never acknowledged": sum(not event.acknowledged for event in ledger.posted),
        **{f"decided: {action}": actions[action] for action in sorted(actions)},
        "pushes decided": sum(len(entry.decided) for entry in ledger.journal.values()),
        **{f"pushes {state}": states[state] for state in sorted(states)},
        "requests on the wire": len(ledger.wire),
        "of these not accepted": sum(push.status != 200 for push in ledger.wire),
        "pushes delivered": len(book.delivered),
        "of these more than once": sum(len(times) > 1 for times in book.delivered.values()),
        "repeats on the wire": repeated(book.delivered.values()),
        "most often delivered": max((len(times) for times in book.delivered.values()), default=0),
        "repeats allowed": ledger.repeats_allowed,
        "waited in the connection (ms, at most)": max(
            (push.at - book.sent_at(push) for push in ledger.wire), default=0
        ),
        "dead letters": len(ledger.dead_letters),
    }
