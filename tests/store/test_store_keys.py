"""Names of keys and addresses of servers."""

import pytest

from gateway.domain.effects import Effects, Withdrawal
from gateway.domain.errors import ConfigurationError
from gateway.domain.extension import CallState, InboxItem, InboxKind, Unread
from gateway.domain.push import Lane
from gateway.store.connection import Target, target_of
from gateway.store.keys import Layout, decoded, digest, encoded
from gateway.store.writes import Writer, flattened, oldest_id
from tests.support.store import (
    EXTENSION,
    TENANT,
    a_push,
    a_record,
    new_event_id,
)

HOSTILE = ("a:b", "{0}", "a|b", "ü€", "100%", "", " ", "a/b", "\ud800", "x" * 300, "*", "\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_part_of_a_key_is_plain_and_comes_back(text: str) -> None:
    assert not set(encoded(text)) & set(":{}| \n*")
    assert decoded(encoded(text)) == text


def test_no_two_extensions_share_a_key() -> None:
    layout = Layout(1)
    places = [(tenant, extension) for tenant in HOSTILE for extension in HOSTILE]
    assert len({layout.extension(*place).record for place in places}) == len(places)


def test_digests_keep_their_parts_apart() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("a", "b", "c"), digest("ab", "c", "")}) == 5


@pytest.mark.parametrize("shards", [1, 16])
def test_everything_that_one_acceptance_touches_is_in_one_shard(shards: int) -> None:
    layout = Layout(shards)
    for number in range(50):
        keys = layout.extension(TENANT, str(number))
        event_id = new_event_id(1)
        push, then = a_push(event_id, extension=str(number)), a_push(event_id, not_before=5)
        effects = Effects(
            call=CallState(call_id="c"),
            unread=Unread(told=1),
            inbox_add=InboxItem(event_id=event_id, kind=InboxKind.CALL_MISSED, occurred_at=1),
            inbox_remove=("e",),
            pushes=(push,),
            withdrawals=(Withdrawal(push_id=push.push_id, then=then),),
        )
        record = a_record(event_id, extension=str(number))
        guards = [keys.fact_guard("f"), keys.shard.identity_guard(TENANT, "i")]
        words = [str(word) for word in flattened(Writer(keys, 1, 1).acceptance(record, effects, guards)) if word]
        names = [word for word in [*words, *guards] if word.startswith("pg:")]
        assert len(names) > 15
        assert {name[: name.index("}") + 1] for name in names} == {f"pg:{{{keys.shard.number}}}"}


def test_extensions_spread_over_the_shards_and_stay_where_they_are() -> None:
    layout = Layout(16)
    counts = [0] * 16
    for number in range(3200):
        counts[layout.extension(TENANT, str(number)).shard.number] += 1
    assert min(counts) > 120
    assert layout.extension(TENANT, EXTENSION).shard.number == 7


def test_names_tell_nothing_of_calls_identities_deliveries_and_tokens() -> None:
    layout = Layout(4)
    keys = layout.extension(TENANT, EXTENSION)
    names = (
        keys.call("secret"),
        keys.fact_guard("secret"),
        keys.shard.identity_guard(TENANT, "secret"),
        layout.token("apns", "secret"),
        layout.delivery("hq", "secret"),
    )
    assert not any("secret" in name for name in names)


def test_every_lane_has_a_stream_of_its_own() -> None:
    assert len(set(Layout(3).shards[1].lanes)) == len(Lane)


def test_the_oldest_id_of_a_time_is_before_every_id_of_it() -> None:
    assert oldest_id(1_000) < new_event_id(1_000) < oldest_id(1_001)
    assert oldest_id(-5) == "0" * 10


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("redis://h", Target(kind="single", hosts=(("h", 6379),))),
        ("redis://:p%40ss@h:1/3", Target(kind="single", hosts=(("h", 1),), db=3, password="p@ss")),
        ("rediss://u:p@h", Target(kind="single", hosts=(("h", 6379),), tls=True, username="u", password="p")),
        ("redis://[::1]:7", Target(kind="single", hosts=(("::1", 7),))),
        ("unix:///run/redis.sock", Target(kind="unix", path="/run/redis.sock")),
        (
            "redis+sentinel://:p@a,b:1/mymaster/2",
            Target(kind="sentinel", hosts=(("a", 26379), ("b", 1)), service="mymaster", db=2, password="p"),
        ),
        ("redis+cluster://a:1,b:2", Target(kind="cluster", hosts=(("a", 1), ("b", 2)))),
    ],
)
def test_a_store_url_names_its_servers(url: str, target: Target) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis://",
        "redis://h:99999",
        "redis://h/secret",
        "redis+sentinel://:secret@a,b",
        "redis+cluster://a,,b",
        "unix://",
        "secret",
    ],
)
def test_a_bad_store_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        target_of(url)
    assert "secret" not in str(raised.value)
    assert raised.value.problems[0].loc == "store.url"


def test_a_target_does_not_print_its_password() -> None:
    assert "secret" not in repr(target_of("redis://u:secret@h"))
