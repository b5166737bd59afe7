"""A tenant's flood waits for itself."""

import asyncio

import pytest

from gateway.pipeline.fair_gate import FairGate


class Crowd:
    """Callers who note when they get in, and stay until they are let go."""

    def __init__(self, size: int) -> None:
        self.gate = FairGate(size)
        self.order: list[str] = []
        self._inside: list[asyncio.Event] = []

    async def _enter(self, tenant: str) -> None:
        async with self.gate.turn(tenant):
            self.order.append(tenant)
            leave = asyncio.Event()
            self._inside.append(leave)
            await leave.wait()

    async def come(self, *tenants: str) -> list[asyncio.Task[None]]:
        """They come in this order."""
        tasks = [asyncio.create_task(self._enter(tenant)) for tenant in tenants]
        await settled()
        return tasks

    async def leave(self, count: int) -> None:
        """So many leave, the first to enter first."""
        for _ in range(count):
            self._inside.pop(0).set()
            await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_as_there_is_room_for_enter_at_once() -> None:
    crowd = Crowd(3)
    await crowd.come("a", "a", "b", "c")
    assert (crowd.order, crowd.gate.waiting) == (["a", "a", "b"], 1)
    await crowd.leave(4)


@pytest.mark.parametrize(
    ("arrivals", "order"),
    [
        ("aaaaab", "aabaaa"),
        ("aaabbbccc", "aabcabcbc"),
        ("abcabc", "abcabc"),
        ("aaaa", "aaaa"),
    ],
)
async def test_tenants_take_turns(arrivals: str, order: str) -> None:
    crowd = Crowd(1)
    await crowd.come(*arrivals)
    await crowd.leave(len(arrivals))
    assert "".join(crowd.order) == order


async def test_a_newcomer_waits_one_round_however_long_the_other_lines_are() -> None:
    crowd = Crowd(1)
    await crowd.come(*"a" * 500, *"b" * 500)
    await crowd.leave(100)
    await crowd.come("c")
    await crowd.leave(3)
    assert crowd.order[-3:] == ["a", "b", "c"]
    await crowd.leave(898)


async def test_whoever_gives_up_takes_no_place() -> None:
    crowd = Crowd(1)
    tasks = await crowd.come("a", "a", "b", "a")
    for task in tasks[1:3]:
        task.cancel()
    await settled()
    await crowd.leave(2)
    assert crowd.order == ["a", "a"]
    await crowd.come("c")
    assert crowd.order[-1] == "c"
    await crowd.leave(1)


async def test_a_turn_that_comes_as_somebody_gives_up_is_passed_on() -> None:
    crowd = Crowd(1)
    tasks = await crowd.come("a", "b", "c")
    crowd._inside.pop(0).set()
    await asyncio.sleep(0)
    tasks[1].cancel()
    await settled()
    assert crowd.order[-1] == "c"
    await crowd.leave(1)
    assert crowd.gate.waiting == 0


async def test_an_error_inside_gives_the_place_back() -> None:
    gate = FairGate(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"):
            async with gate.turn("a"):
                raise ValueError("inside")
