"""What an acceptance, a saved setting and a seen inbox write: composed here, executed whole by `commit.lua`. Pure.

A write is a flat tuple: a command as it stands, or a verb of the script (`@withdraw`, `@enter`, `@trim`, `@age`,
`@see`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.agent_action import AgentOrder, AgentOrderState
from gateway.domain.decision import EventRecord
from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.event import Millis
from gateway.domain.extension import CallState, InboxItem, Unread
from gateway.domain.presence import AnySettings, Presence, Profile
from gateway.domain.push import Push, PushState
from gateway.store import codec
from gateway.store.agent_actions import AGENT_ORDERS
from gateway.store.codec import Field
from gateway.store.keys import ExtensionKeys, encoded

Write: TypeAlias = tuple[Field, ...]

INBOX_MOST = 500
"""Items that an extension's inbox holds."""
AFTER_DEADLINE: Millis = 3_600_000
"""A push is remembered at least so long after its deadline."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def oldest_id(at: Millis) -> str:
    """The smallest event id (a ULID's first ten characters) of that time."""
    return "".join(_CROCKFORD[(max(at, 0) >> shift) & 31] for shift in range(45, -1, -5))


def index_entry(record: EventRecord) -> str:
    """An event in a history: what it can be filtered by, so that a filter reads no documents."""
    event, decision = record.facts.event, record.decision
    return f"{record.event_id}|{encoded(event.extension)}|{event.kind}|{decision.action}|{decision.reason}"


@dataclass(frozen=True, slots=True)
class Writer:
    """Composes writes to one extension."""

    keys: ExtensionKeys
    now: Millis
    retention: Millis

    def acceptance(self, record: EventRecord, effects: Effects, guards: Iterable[str]) -> Iterator[Write]:
        """Everything that an accepted event writes."""
        yield from self._journal(record, effects, guards)
        yield from self.record(
            presence=effects.presence, unread=effects.unread, recent_calls=self._recent_calls(effects)
        )
        yield from self.agent_orders(effects.agent_orders)
        if effects.call is not None:
            yield from self._call(effects.call)
        if effects.inbox_remove:
            yield ("ZREM", self.keys.inbox_order, *effects.inbox_remove)
            yield ("HDEL", self.keys.inbox, *effects.inbox_remove, *(f"{item}:s" for item in effects.inbox_remove))
        if effects.inbox_add is not None:
            yield from self._inbox(effects.inbox_add)
        for push in effects.pushes:
            yield from self.push(push)
        for withdrawal in effects.withdrawals:
            yield self._withdraw(withdrawal)

    def record(
        self,
        *,
        presence: Presence | None = None,
        unread: Unread | None = None,
        recent_calls: bytes | None = None,
        settings: tuple[str, AnySettings] | None = None,
        profile: Profile | None = None,
    ) -> Iterator[Write]:
        """Fields of the extension's record; None: unchanged."""
        fields: dict[str, Field] = {}
        if presence is not None:
            fields["presence"] = codec.PRESENCE.dump_json(presence)
        if unread is not None:
            fields["unread"] = codec.UNREAD.dump_json(unread)
        if recent_calls is not None:
            fields["recent_calls"] = recent_calls
        if settings is not None:
            fields[f"settings:{settings[0]}"] = codec.SETTINGS.dump_json(settings[1])
        if profile is not None:
            fields["profile"] = codec.PROFILE.dump_json(profile)
        if fields:
            yield ("HSET", self.keys.record, *codec.flat(fields))

    def agent_orders(self, orders: tuple[AgentOrder, ...] | None) -> Iterator[Write]:
        """What a change of presence asks of the queues, due at once; None: unchanged."""
        if orders is None:
            return
        yield ("HSET", self.keys.record, "agent_orders", AGENT_ORDERS.dump_json(orders))
        if any(order.state is AgentOrderState.WAITING for order in orders):
            yield ("ZADD", self.keys.shard.agents_due, self.now, self.keys.place)

    def seen(self, unread: Unread, event_ids: tuple[str, ...], pushes: Iterable[Push]) -> Iterator[Write]:
        """Inbox items seen, and the badge pushes that say so."""
        yield from self.record(unread=unread)
        if event_ids:
            yield ("@see", self.keys.inbox, *event_ids)
        loose = self.keys.loose_pushes
        for push in pushes:
            yield from self.push(push)
            yield ("ZADD", loose, self.now + self._kept(push), push.push_id)
            yield ("ZREMRANGEBYSCORE", loose, "-inf", self.now)
            yield ("PEXPIRE", loose, self.retention + AFTER_DEADLINE)

    def push(self, push: Push) -> Iterator[Write]:
        """A push in its lane, or among those that wait for their time."""
        shard = self.keys.shard
        key = shard.push(push.push_id)
        waits = push.not_before is not None and push.not_before > self.now
        state = PushState.DEFERRED if waits else PushState.QUEUED
        yield ("HSET", key, *codec.flat(self._push_fields(push, state)))
        yield ("PEXPIRE", key, self._kept(push))
        if waits:
            yield ("ZADD", shard.later, push.not_before or 0, push.push_id)
        else:
            yield ("@enter", shard.lane(push.lane), encoded(push.tenant), push.push_id)

    def _journal(self, record: EventRecord, effects: Effects, guards: Iterable[str]) -> Iterator[Write]:
        shard, tenant = self.keys.shard, record.tenant
        key = shard.event(tenant, record.event_id)
        pushes = (*effects.pushes, *(item.then for item in effects.withdrawals if item.then is not None))
        fields: dict[str, Field] = {
            "doc": codec.pack(codec.EVENT.dump_json(record)),
            "guards": " ".join(guards),
            "pushes": " ".join(push.push_id for push in pushes),
            "call": self.keys.call(effects.call.call_id) if effects.call is not None else "",
        }
        yield ("HSET", key, *codec.flat(fields))
        yield ("PEXPIRE", key, self.retention)
        entry, bound = index_entry(record), f"({oldest_id(self.now - self.retention)}"
        for history in (shard.history(tenant), self.keys.history):
            yield ("ZADD", history, 0, entry)
            yield ("ZREMRANGEBYLEX", history, "-", bound)
            yield ("PEXPIRE", history, self.retention)

    def _recent_calls(self, effects: Effects) -> bytes | None:
        return codec.RECENT_CALLS.dump_json(effects.recent_calls) if effects.recent_calls is not None else None

    def _call(self, call: CallState) -> Iterator[Write]:
        key = self.keys.call(call.call_id)
        pushes = " ".join(push.push_id for push in call.pushes)
        yield ("HSET", key, "doc", codec.CALL.dump_json(call), "pushes", pushes)
        yield ("PEXPIRE", key, self.retention)

    def _inbox(self, item: InboxItem) -> Iterator[Write]:
        order, items = self.keys.inbox_order, self.keys.inbox
        yield ("ZADD", order, 0, item.event_id)
        yield ("HSET", items, item.event_id, codec.INBOX_ITEM.dump_json(item))
        yield ("@age", order, items, f"({oldest_id(self.now - self.retention)}")
        yield ("@trim", order, items, INBOX_MOST)
        yield ("PEXPIRE", order, self.retention)
        yield ("PEXPIRE", items, self.retention)

    def _withdraw(self, withdrawal: Withdrawal) -> Write:
        shard = self.keys.shard
        head: Write = ("@withdraw", shard.push_prefix, withdrawal.push_id, shard.later)
        then = withdrawal.then
        if then is None:
            return (*head, "", 0)
        return (*head, then.push_id, self._kept(then), *codec.flat(self._push_fields(then, PushState.PENDING)))

    def _push_fields(self, push: Push, state: PushState) -> dict[str, Field]:
        return {
            "doc": codec.PUSH.dump_json(push),
            "state": state.value,
            "lane": self.keys.shard.lane(push.lane),
            "tenant": encoded(push.tenant),
            "deadline": push.deadline,
            "extension": self.keys.record,
            "device": self.keys.device(push.device_id),
        }

    def _kept(self, push: Push) -> Millis:
        return max(self.retention, push.deadline - self.now + AFTER_DEADLINE)


def flattened(writes: Iterable[Write]) -> Iterator[Field]:
    """Writes as `commit.lua` takes them: number of words, words."""
    for write in writes:
        yield len(write)
        yield from write
