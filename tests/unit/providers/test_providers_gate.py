"""On a new connection one request goes first, and nobody waits for it for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.providers.gate import Gate, Held, Leaving, Pass
from gateway.providers.wire_errors import Trouble


def new_gate(*, hold: float = 5.0, patience: float = 5.0, silence: float = 60.0) -> Gate:
    return Gate(hold_seconds=hold, patience_seconds=patience, silence_seconds=silence)


async def canary_of(gate: Gate) -> Pass:
    given = await gate.enter()
    assert isinstance(given, Pass)
    assert given.canary
    return given


async def waiting(gate: Gate, count: int) -> list[asyncio.Task[Pass | Held]]:
    tasks = [asyncio.create_task(gate.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    return tasks


async def all_of(tasks: Sequence[asyncio.Task[Pass | Held]]) -> list[Pass | Held]:
    return list(await asyncio.wait_for(asyncio.gather(*tasks), 5))


async def test_the_others_wait_for_the_first_answer_and_then_go_together() -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    others = await waiting(gate, 300)

    gate.leave(canary, Leaving.ANSWERED)

    assert await all_of(others) == [Pass(canary.epoch, canary=False)] * 300
    assert await gate.enter() == Pass(canary.epoch, canary=False)


async def test_those_who_wait_for_a_connection_that_cannot_be_had_hear_why() -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    others = await waiting(gate, 5)

    gate.leave(canary, Leaving.NO_CONNECTION, Trouble.CONNECT_FAILED)

    assert await all_of(others) == [Held(Trouble.CONNECT_FAILED)] * 5
    await canary_of(gate)


async def test_when_the_provider_does_not_believe_the_canary_nobody_follows_it() -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    others = await waiting(gate, 5)

    gate.leave(canary, Leaving.NOT_OPENED)

    assert await all_of(others) == [Held(Trouble.HELD_BACK)] * 5


@pytest.mark.parametrize("how", [Leaving.UNDECIDED, Leaving.CONNECTION_FAILED])
async def test_when_the_canary_or_its_connection_failed_the_next_one_is_the_canary(how: Leaving) -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    first, second = await waiting(gate, 2)

    gate.leave(canary, how)

    promoted = await first
    assert isinstance(promoted, Pass)
    assert promoted.canary
    assert not second.done()
    gate.leave(promoted, Leaving.ANSWERED)
    assert await second == Pass(canary.epoch, canary=False)


async def test_a_canary_that_takes_long_is_joined_by_one_more_at_a_time() -> None:
    gate = new_gate(patience=0.02)
    await canary_of(gate)
    first, second = await waiting(gate, 2)

    joined = await asyncio.wait_for(first, 5)
    assert isinstance(joined, Pass)
    assert joined.canary
    gate.leave(joined, Leaving.ANSWERED)
    await all_of([second])


async def test_who_comes_when_the_canary_already_takes_long_joins_it_at_once() -> None:
    gate = new_gate(patience=0.01)
    await canary_of(gate)
    await asyncio.sleep(0.03)

    await canary_of(gate)
    await waiting(gate, 1)


async def test_a_gate_says_whether_it_would_make_one_wait() -> None:
    gate = new_gate(patience=0.01)
    said = [gate.makes_wait]
    canary = await canary_of(gate)
    said.append(gate.makes_wait)
    await asyncio.sleep(0.03)
    said.append(gate.makes_wait)
    gate.leave(canary, Leaving.ANSWERED)
    said.append(gate.makes_wait)

    assert said == [False, True, False, False]


async def test_nobody_waits_longer_than_the_gate_holds() -> None:
    gate = new_gate(hold=0.02)
    await canary_of(gate)

    assert await asyncio.wait_for(gate.enter(), 5) == Held(Trouble.HELD_BACK)


async def test_after_trouble_of_the_connection_one_goes_first_again() -> None:
    gate = new_gate()
    gate.leave(await canary_of(gate), Leaving.ANSWERED)
    in_flight = [await gate.enter() for _ in range(3)]

    for given in in_flight:
        assert isinstance(given, Pass)
        gate.leave(given, Leaving.CONNECTION_FAILED)

    canary = await canary_of(gate)
    gate.leave(canary, Leaving.ANSWERED)
    assert await gate.enter() == Pass(canary.epoch, canary=False)


async def test_a_late_failure_of_the_old_connection_does_not_shut_the_new_one() -> None:
    gate = new_gate()
    gate.leave(await canary_of(gate), Leaving.ANSWERED)
    old = await gate.enter()
    assert isinstance(old, Pass)
    gate.renew()
    gate.leave(await canary_of(gate), Leaving.ANSWERED)

    gate.leave(old, Leaving.CONNECTION_FAILED)

    given = await gate.enter()
    assert isinstance(given, Pass)
    assert not given.canary


async def test_a_failure_of_one_stream_leaves_the_gate_open() -> None:
    gate = new_gate()
    gate.leave(await canary_of(gate), Leaving.ANSWERED)
    given = await gate.enter()
    assert isinstance(given, Pass)

    gate.leave(given, Leaving.UNDECIDED)

    assert await gate.enter() == Pass(given.epoch, canary=False)


async def test_after_a_long_silence_one_goes_first_for_the_connection_may_have_been_closed() -> None:
    gate = new_gate(silence=0.02)
    gate.leave(await canary_of(gate), Leaving.ANSWERED)
    await asyncio.sleep(0.04)

    await canary_of(gate)


async def test_a_replaced_connection_takes_a_waiter_as_its_canary() -> None:
    gate = new_gate()
    lost = await canary_of(gate)
    first, second = await waiting(gate, 2)

    gate.renew()

    promoted = await asyncio.wait_for(first, 5)
    assert isinstance(promoted, Pass)
    assert promoted.canary
    gate.leave(lost, Leaving.CONNECTION_FAILED)  # of the old connection: void
    assert not second.done()
    gate.leave(promoted, Leaving.ANSWERED)
    await all_of([second])


async def test_a_waiter_that_is_cancelled_as_it_becomes_the_canary_hands_on() -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    first, second = await waiting(gate, 2)

    gate.leave(canary, Leaving.UNDECIDED)
    first.cancel()

    promoted = await asyncio.wait_for(second, 5)
    assert isinstance(promoted, Pass)
    assert promoted.canary
    assert first.cancelled()


async def test_cancelled_waiters_are_forgotten() -> None:
    gate = new_gate()
    canary = await canary_of(gate)
    first, second = await waiting(gate, 2)
    first.cancel()
    await asyncio.sleep(0)

    gate.leave(canary, Leaving.UNDECIDED)

    assert isinstance(await asyncio.wait_for(second, 5), Pass)
