"""Every key of the store: owner, lifetime and hash tag. The one home of key names.

All keys begin with `pg:{<shard>}:`. The braces are a Redis Cluster hash tag: keys of one shard live on one node, so
one script may touch any of them. A shard holds extensions: everything about one extension is in one shard. Scripts
build no key names: they get whole names or prefixes from here.

Tenants, extensions and device ids are part of names, percent-encoded so that `:` always separates. Call ids,
identities, webhook ids and tokens are there as SHA-256 only; caller numbers never are.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from gateway.domain.push import Lane

LAYOUT = "pg:layout"
"""Hash: number of shards and format of the store, and which keys its tokens need. Written at the first start, lives for
ever."""

EVERY_DEVICE = "pg:{*}:d:*"
"""Pattern of the keys of all devices, for a scan."""


def digest(*parts: str) -> str:
    """32 hex characters (128 bits of SHA-256) of the parts; the separator cannot be forged by a part's length."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def token_digest(provider: str, token: str) -> str:
    """What the token index knows a token by."""
    return hashlib.sha256(f"{provider}\n{token}".encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=65_536)
def encoded(text: str) -> str:
    """`text` as it stands in a key: nothing but letters, digits and `_.-~%`."""
    return quote(text, safe="", errors="surrogatepass")


def decoded(part: str) -> str:
    """The text that `encoded` was given."""
    return unquote(part, errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class ExtensionKeys:
    """Names of what one extension owns."""

    shard: "ShardKeys"
    place: str
    """`<tenant>:<extension>`, encoded."""

    @property
    def record(self) -> str:
        """Hash: `rev`, presence, profile, unread, recent calls, agent orders, settings. Until erased."""
        return self.shard.record_prefix + self.place

    @property
    def device_ids(self) -> str:
        """Set of device ids, encoded as in `device`. Until erased."""
        return f"{self.shard.prefix}ds:{self.place}"

    @property
    def device_prefix(self) -> str:
        """Start of every device's key."""
        return f"{self.shard.prefix}d:{self.place}:"

    def device(self, device_id: str) -> str:
        """Hash: one registration, with its tokens. Until deleted, moved or erased."""
        return self.device_prefix + encoded(device_id)

    def call(self, call_id: str) -> str:
        """Hash: what is known of one call. Retention after its last event."""
        return f"{self.shard.prefix}c:{self.place}:{digest(call_id)}"

    @property
    def history(self) -> str:
        """Sorted set by event id: this extension's events. Retention."""
        return f"{self.shard.prefix}hx:{self.place}"

    @property
    def inbox(self) -> str:
        """Hash: event id -> item, `<event id>:s` -> seen. Retention."""
        return f"{self.shard.prefix}i:{self.place}"

    @property
    def inbox_order(self) -> str:
        """Sorted set of the inbox's event ids. Retention."""
        return f"{self.shard.prefix}iz:{self.place}"

    @property
    def loose_pushes(self) -> str:
        """Sorted set: push ids that belong to no event (badge after `seen`), by expiry. Retention."""
        return f"{self.shard.prefix}px:{self.place}"

    @property
    def synchronised(self) -> str:
        """Hash: fingerprints of what was last agreed with the PBX. Until erased."""
        return f"{self.shard.prefix}sy:{self.place}"

    @property
    def agent_lease(self) -> str:
        """String: which worker carries out the extension's agent orders. A minute."""
        return self.shard.agent_lease_prefix + self.place

    def fact_guard(self, fact: str) -> str:
        """String: event id that told this fact first. Retention."""
        return f"{self.shard.prefix}g:{digest('fact', self.place, fact)}"


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Names of what one shard holds."""

    number: int

    @property
    def prefix(self) -> str:
        """Start of every key of the shard, with its hash tag."""
        return f"pg:{{{self.number}}}:"

    def extension(self, tenant: str, extension: str) -> ExtensionKeys:
        """Names of what an extension owns; it has to be an extension of this shard."""
        return ExtensionKeys(self, f"{encoded(tenant)}:{encoded(extension)}")

    def identity_guard(self, tenant: str, identity: str) -> str:
        """String: event id that was accepted under this identity. Retention."""
        return f"{self.prefix}g:{digest('identity', tenant, identity)}"

    def event_prefix(self, tenant: str) -> str:
        """Start of the keys of a tenant's events."""
        return f"{self.prefix}e:{encoded(tenant)}:"

    def event(self, tenant: str, event_id: str) -> str:
        """Hash: journal document, and the names of what was written with it (for erasing). Retention."""
        # not `encoded`: every event has another id, and each would stay in that cache
        return self.event_prefix(tenant) + quote(event_id, safe="", errors="surrogatepass")

    def history(self, tenant: str) -> str:
        """Sorted set by event id: the tenant's events in this shard. Retention."""
        return f"{self.prefix}h:{encoded(tenant)}"

    @property
    def push_prefix(self) -> str:
        """Start of every push's key."""
        return f"{self.prefix}p:"

    def push(self, push_id: str) -> str:
        """Hash: a push and what became of it. Retention, at least its deadline; dead letters until worked off."""
        return self.push_prefix + push_id

    def lane(self, lane: Lane) -> str:
        """Sorted set: tenants with pushes that nobody took yet, by whose turn it is. Further names begin with it:

        - `:s:<tenant>`: stream of push ids, with one consumer group. An entry lives until it is settled; the stream is
          never trimmed, and goes ten minutes after its last entry.
        - `:tenants`: set of the tenants with entries, leased ones included.
        - `:bell`: stream that gets an entry when the lane's first tenant joins. Workers without work listen to it.
        """
        return f"{self.prefix}q:{lane}"

    @property
    def lanes(self) -> tuple[str, ...]:
        """All lanes, in the order of `Lane`."""
        return tuple(self.lane(lane) for lane in Lane)

    def bell(self, lane: Lane) -> str:
        """What tells waiting workers that a lane is no longer empty. For ever; holds one entry."""
        return f"{self.lane(lane)}:bell"

    @property
    def later(self) -> str:
        """Sorted set: push ids by due time."""
        return f"{self.prefix}later"

    @property
    def clock(self) -> str:
        """String: the time when due pushes were last looked for, to about ten seconds. For ever."""
        return f"{self.prefix}clock"

    @property
    def dead(self) -> str:
        """Sorted set of `<time of death>|<push id>`: dead letters, until replayed or dropped."""
        return f"{self.prefix}dead"

    @property
    def record_prefix(self) -> str:
        """Start of every extension record's key."""
        return f"{self.prefix}x:"

    @property
    def agents_due(self) -> str:
        """Sorted set: extensions with agent orders that wait, by due time."""
        return f"{self.prefix}ad"

    @property
    def agent_lease_prefix(self) -> str:
        """Start of every agent lease's key."""
        return f"{self.prefix}al:"

    def rereadings(self, source: str) -> str:
        """Sorted set: extensions whose settings changed, by when. Until they are read."""
        return f"{self.prefix}rr:{encoded(source)}"

    def token(self, token: str) -> str:
        """String: owner of a token (by `token_digest`). Until its device is deleted, moved or erased."""
        return f"{self.prefix}t:{token}"

    def moves(self, tenant: str) -> str:
        """List: the tenant's token moves, newest first. Retention after the last."""
        return f"{self.prefix}m:{encoded(tenant)}"

    def delivery(self, source: str, delivery_id: str) -> str:
        """String: what was answered under a webhook id. 72 hours."""
        return f"{self.prefix}w:{digest(source, delivery_id)}"

    @property
    def probe(self) -> str:
        """String that the health check writes. One minute."""
        return f"{self.prefix}probe"


class Layout:
    """Which shard holds what. Stable: the same name is in the same shard for as long as the store lives."""

    def __init__(self, shards: int) -> None:
        self.shards = tuple(ShardKeys(number) for number in range(shards))

    def shard(self, *parts: str) -> ShardKeys:
        """The shard that `parts` belong to: tenant and extension, or whatever else a key is named after."""
        if len(self.shards) == 1:
            return self.shards[0]
        return self.shards[int(digest(*parts)[:8], 16) % len(self.shards)]

    def extension(self, tenant: str, extension: str) -> ExtensionKeys:
        """Names of what an extension owns."""
        return self.shard(tenant, extension).extension(tenant, extension)

    def token(self, provider: str, token: str) -> str:
        """Name of a token's entry in the index of owners."""
        hashed = token_digest(provider, token)
        return self.shard("token", hashed).token(hashed)

    def synchroniser(self, source: str) -> str:
        """String: which process synchronises a source. Two minutes."""
        shard = self.shard("source", source)
        return f"{shard.prefix}sc:{encoded(source)}"

    def moves(self, tenant: str) -> str:
        """Name of a tenant's list of token moves."""
        return self.shard("tenant", tenant).moves(tenant)

    def delivery(self, source: str, delivery_id: str) -> str:
        """Name of the claim on a webhook id."""
        return self.shard("delivery", source, delivery_id).delivery(source, delivery_id)
