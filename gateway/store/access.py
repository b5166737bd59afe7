"""What every room of the store is given."""

from dataclasses import dataclass

from gateway.domain.event import Clock, Millis
from gateway.store.batch import Commands
from gateway.store.keys import Layout


@dataclass(frozen=True, slots=True)
class Access:
    """The way to the server, the names of the keys, the time, and how long history is kept."""

    commands: Commands
    layout: Layout
    clock: Clock
    retention: Millis
