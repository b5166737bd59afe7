"""The connection fails with many pushes on it: all of them arrive, each phone shows its own once, and what was surely
not processed is not called unknown."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from gateway.domain.event import EventKind
from gateway.domain.push import PushState
from gateway.pipeline.intake import Receipt
from gateway.providers.circuit import CircuitLimits
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from gateway.store import PushRecord
from tests.support.provider_rig import within
from tests.support.servers import Server
from tests.support.store import until
from tests.support.whole import OPTIONS, Whole, emptied, open_whole

INTERNAL_ERROR, ENHANCE_YOUR_CALM = 2, 11
PUSHES = 80

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(valkey: Server, simulator: SimulatorProcess) -> AsyncIterator[Whole]:
    """Its circuit is patient: these faults are the connection's, and what a storm does has a test of its own."""
    options = replace(OPTIONS, circuit=CircuitLimits(failures_in_a_row=10_000, window=10_000))
    async with open_whole(emptied(valkey), simulator, options=options) as running:
        yield running


async def in_flight(whole: Whole, extensions: list[str], *, delay_ms: int = 300) -> list[Receipt]:
    """A push to each, all of them with the provider, none of them answered yet."""
    slow = await whole.control.script(faults.Answer(), provider="apns", count=None, delay_ms=delay_ms)

    async def taken() -> bool:
        book = {one.id: one.hits for one in await whole.control.faults()}
        return book.get(slow, 0) >= len(extensions)

    receipts = await whole.missed_by(extensions)
    await until(taken, seconds=5)
    await whole.control.clear_faults()
    return receipts


async def all_shown_once(whole: Whole, extensions: list[str], records: list[PushRecord]) -> None:
    """Each phone shows its own push, and no other."""
    for extension, record in zip(extensions, records, strict=True):
        assert await whole.shown(extension) == [record.push.push_id]


def troubles(records: list[PushRecord]) -> Counter[tuple[str, str]]:
    """What attempts met that were not accepted."""
    return Counter(
        (one.outcome, one.reason) for record in records for one in record.attempts if one.outcome != "accepted"
    )


@dataclass(frozen=True, slots=True)
class Case:
    """What happens to the connection, and what its pushes may call it."""

    name: str
    what: faults.What
    troubles: frozenset[tuple[str, str]]


LOST = frozenset({("unknown", "connection_lost")})
CASES = [
    Case("reset", faults.Reset(), LOST),
    Case("closed without a word", faults.Close(), LOST),
    Case("half open", faults.HalfOpen(), frozenset({("unknown", "ping_timeout"), ("unknown", "timeout")})),
    Case("GOAWAY above all", faults.GoAway(), frozenset()),
    Case("GOAWAY for many streams", faults.GoAway(code=ENHANCE_YOUR_CALM), LOST | {("not_sent", "goaway")}),
    Case(
        "GOAWAY Shutdown",
        faults.GoAway(code=INTERNAL_ERROR, debug={"reason": "Shutdown"}),
        LOST | {("not_sent", "goaway")},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_pushes_in_flight_on_a_connection_that_ends_all_arrive_and_show_once(line: Whole, case: Case) -> None:
    extensions = await line.register_many(PUSHES)
    await line.ends(await line.missed(extensions[0]))
    receipts = await in_flight(line, extensions[1:])

    with within(6):
        await line.control.add_fault(faults.Fault(what=case.what, now=True))
        records = await line.all_end(receipts)

    assert set(troubles(records)) <= case.troubles
    assert max(len(record.attempts) for record in records) <= 3
    await all_shown_once(line, extensions[1:], records)
    assert (await line.circuit())[0] == "closed"
    assert (await line.control.stats()).violations == {}


async def test_goaway_answers_what_is_below_its_last_stream_and_the_rest_goes_again(line: Whole) -> None:
    extensions = await line.register_many(PUSHES)
    middle = extensions[PUSHES // 2]
    await line.ends(await line.missed(extensions[0]))
    goaway = faults.Fault(what=faults.GoAway(), match=faults.Match(token=line.phones[middle]))
    await line.control.add_fault(goaway)

    with within(6):
        receipts = await in_flight(line, [one for one in extensions[1:] if one != middle], delay_ms=400)
        told = await line.missed(middle)
        records = await line.all_end([*receipts, told])

    assert set(troubles(records)) <= {("not_sent", "goaway")}
    received = Counter(one.push_id for one in (await line.control.pushes(limit=1000)).items if one.status == 200)
    assert {received[record.push.push_id] for record in records} == {1}


async def test_a_stream_limit_that_rises_and_falls_while_busy_loses_nothing(line: Whole) -> None:
    extensions = await line.register_many(300)
    await line.ends(await line.missed(extensions[0]))
    receipts: list[Receipt] = []
    for number, limit in enumerate((1, 1000, 10)):
        await line.control.add_fault(faults.Fault(what=faults.MaxStreams(limit=limit), now=True))
        receipts += await line.missed_by(extensions[number * 100 : (number + 1) * 100])
    records = await line.all_end(receipts)
    await line.control.add_fault(faults.Fault(what=faults.MaxStreams(limit=1000), now=True))

    assert set(troubles(records)) <= {("not_sent", "refused_stream"), ("not_sent", "busy"), ("not_sent", "goaway")}
    received = Counter(one.push_id for one in (await line.control.pushes(limit=2000)).items if one.status == 200)
    assert {received[record.push.push_id] for record in records} == {1}


async def test_a_connection_that_is_lost_costs_no_push_its_deadline(line: Whole) -> None:
    """Ringing that could not be repeated in time is not told at all, and nothing waits for it."""
    (extension,) = await line.register_many(1)
    device = await line.device(extension)
    assert device.voip_token is not None
    await line.control.script(faults.NoAnswer(), token=device.voip_token.reveal(), count=None)
    began = line.pipeline.clock() - 28_500
    with within(4):
        told = await line.pipeline.accept(EventKind.CALL_INCOMING, extension=extension, occurred_at=began)
        record = await line.ends(told, PushState.EXPIRED)
    await line.control.clear_faults()
    assert [one.reason for one in record.attempts] == ["timeout"]
    assert (await line.control.phone(device.voip_token.reveal())) is None
