"""The same seed draws the same run, and a run holds everything that it is to hold."""

from collections import Counter
from itertools import islice

import pytest

from gateway.simulator.faults import Fault
from tests.chaos.cast import SWIFT, Cast, Group
from tests.chaos.disasters import (
    Disaster,
    Freeze,
    Harshness,
    Kill,
    Move,
    Phone,
    Refuse,
    Revoke,
    Script,
    Target,
    misbehaviours,
    steps,
)
from tests.chaos.ledger import Says
from tests.chaos.stories import POSTS_A_STORY, Dialect, Post, posts

CAST = Cast()


def drawn(seed: str, count: int = 5000) -> list[Post]:
    return list(islice(posts(seed, cast=CAST, events_per_second=50), count))


def disasters(seed: str, kills: int = 300) -> list[Disaster]:
    return [step.disaster for step in steps(seed, kills=kills, harshness=Harshness())]


def test_a_seed_draws_the_same_again_and_another_seed_draws_another() -> None:
    assert drawn("1") == drawn("1") != drawn("2")
    assert [str(one) for one in disasters("1")] == [str(one) for one in disasters("1")]
    assert disasters("1") != disasters("2")


def test_posts_come_in_order_of_time_at_about_the_rate_that_was_asked_for() -> None:
    times = [post.after_ms for post in drawn("1")]
    assert times == sorted(times)
    assert len(times) / (times[-1] / 1000) == pytest.approx(50, rel=0.1)
    stories = {post.key.partition(".")[0] for post in drawn("1")}
    assert len(times) / len(stories) == pytest.approx(POSTS_A_STORY, rel=0.1)


def test_a_load_holds_every_kind_of_event_every_dialect_and_duplicates() -> None:
    found = drawn("1")
    assert {post.says for post in found} == set(Says)
    assert {post.dialect for post in found} == set(Dialect)
    assert {post.place for post in found} == set(CAST.everybody())
    assert 0.05 < sum(post.copies > 0 for post in found) / len(found) < 0.15
    assert all(post.dialect is not Dialect.YEASTAR for post in found if post.place.tenant == SWIFT)


def test_presence_changes_only_where_badges_are_not_held_against_the_phone() -> None:
    changing = {post.place for post in drawn("1") if post.kind == "presence.changed"}
    assert changing == set(CAST.places(Group.PRESENCE))


def test_every_process_is_killed_in_both_ways_and_everything_else_is_done() -> None:
    found = disasters("1")
    kills = [one for one in found if isinstance(one, Kill)]
    assert len(kills) == 300
    assert {(one.target, one.graceful) for one in kills} == {(one, how) for one in Target for how in (True, False)}
    assert {type(one) for one in found} == {Kill, Freeze, Script, Phone, Refuse, Revoke, Move}


def test_every_fault_on_the_menu_is_a_fault_of_the_simulators() -> None:
    scripts = [one for one in islice(misbehaviours("1", slow=True), 4000) if isinstance(one, Script)]
    names = Counter(script.name for script in scripts)
    assert len(names) > 50
    for script in scripts:
        assert Fault.model_validate(script.fault.model_dump(mode="json")) == script.fault
        assert script.fault.count is not None or script.milliseconds is not None, "every fault ends"
        assert script.repeats == (script.fault.count if script.fault.deliver else 0)


def test_what_takes_long_to_pass_is_left_out_where_there_is_no_time_for_it() -> None:
    quick = [str(one) for one in islice(misbehaviours("1", slow=False), 2000)]
    assert not [one for one in quick if "no answer" in one or "half-open" in one or "token is refused" in one]
