"""What every room of the store is given."""

from dataclasses import dataclass, field

from gateway.domain.event import Clock, Millis
from gateway.store.batch import Commands
from gateway.store.keys import Layout
from gateway.store.seals import Seals


@dataclass(frozen=True, slots=True)
class Access:
    """The way to the server, the names of the keys, the time, how long history is kept, and how tokens are written."""

    commands: Commands
    layout: Layout
    clock: Clock
    retention: Millis
    seals: Seals = field(default_factory=Seals)
