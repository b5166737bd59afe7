"""All that meets Redis or Valkey: the state of extensions, the journal, the inbox and the queue of pushes."""

from gateway.store.agent_actions import AgentLease
from gateway.store.results import (
    Acceptance,
    Claim,
    Duplicate,
    EventPage,
    LaneDepth,
    Lease,
    Loaded,
    Move,
    Place,
    PushRecord,
    Registered,
    Settled,
    Stale,
    Stored,
    StoreHealth,
)
from gateway.store.sealing import Sealed
from gateway.store.store import Store, open_store, seal_tokens
from gateway.store.synchronised import Rereading, Side

__all__ = [
    "Acceptance",
    "AgentLease",
    "Claim",
    "Duplicate",
    "EventPage",
    "LaneDepth",
    "Lease",
    "Loaded",
    "Move",
    "Place",
    "PushRecord",
    "Registered",
    "Rereading",
    "Sealed",
    "Settled",
    "Side",
    "Stale",
    "Store",
    "StoreHealth",
    "Stored",
    "open_store",
    "seal_tokens",
]
