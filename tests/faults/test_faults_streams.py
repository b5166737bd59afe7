"""What one push meets on its stream: how it ends, and that nobody else notices."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from gateway.domain.device import Provider
from gateway.domain.push import PushState
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import within
from tests.support.servers import Server
from tests.support.store import until
from tests.support.whole import Whole, emptied, open_whole

INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 2, 7, 8
APNS, FCM = Provider.APNS, Provider.FCM
OTHERS = 25

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(valkey: Server, simulator: SimulatorProcess) -> AsyncIterator[Whole]:
    """One for all of them: each plays with phones of its own."""
    async with open_whole(emptied(valkey), simulator) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Case:
    """A fault that lasts until the push's first attempt is recorded."""

    name: str
    what: faults.What
    attempt: tuple[str, str]
    """Outcome and reason of each attempt that met it."""
    ends: PushState = PushState.ACCEPTED
    provider: Provider = APNS
    deliver: bool = False
    """The phone gets the push although its sender learns otherwise."""


CASES = [
    Case("RST_STREAM INTERNAL_ERROR", faults.RstStream(code=INTERNAL_ERROR), ("unknown", "stream_reset")),
    Case("RST_STREAM CANCEL", faults.RstStream(code=CANCEL), ("unknown", "stream_reset"), deliver=True),
    Case("RST_STREAM REFUSED_STREAM", faults.RstStream(code=REFUSED_STREAM), ("not_sent", "refused_stream")),
    Case("RST_STREAM from Google", faults.RstStream(code=CANCEL), ("unknown", "stream_reset"), provider=FCM),
    Case("no answer", faults.NoAnswer(), ("unknown", "timeout")),
    Case("no answer, and it came", faults.NoAnswer(), ("unknown", "timeout"), deliver=True),
    Case("an error without a body", faults.Answer(status=503, body=""), ("try_later", "http_503")),
    Case("a refusal without a body", faults.Answer(status=400, body=""), ("refused", "http_400"), PushState.DEAD),
    Case("a 410 without a body", faults.Answer(status=410, body=""), ("token_gone", "http_410"), PushState.TOKEN_GONE),
    Case(
        "a body split over frames",
        faults.Answer(status=429, reason="TooManyRequests", frames=faults.Frames(split=1, empty_data=3, padding=9)),
        ("try_later", "TooManyRequests"),
    ),
    Case("a body that is no JSON", faults.Answer(status=500, body="<html>" * 9000), ("try_later", "http_500")),
    Case("an unknown reason", faults.Answer(status=400, reason="Tuesday"), ("refused", "http_400"), PushState.DEAD),
    Case("an unknown trouble", faults.Answer(status=502, reason="Tuesday"), ("try_later", "http_502")),
    Case("an unknown status", faults.Answer(status=599, body=""), ("try_later", "http_599"), provider=FCM),
]


async def connections(whole: Whole, provider: Provider) -> list[int]:
    """How many were made to that provider."""
    return [one.total for one in (await whole.control.stats()).connections if one.listener == provider]


async def first_attempt(whole: Whole, event_id: str) -> None:
    async def there() -> bool:
        (record,) = await whole.pipeline.store.journal.pushes("acme", event_id)
        return bool(record.attempts)

    await until(there, seconds=5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_push_that_meets_a_fault_ends_as_it_should_and_the_others_go_at_once(whole: Whole, case: Case) -> None:
    victim, *others = await whole.register_many(OTHERS + 1, case.provider)
    token = whole.phones[victim]
    await whole.ends(await whole.missed(others[0]))
    before = await connections(whole, case.provider)
    await whole.control.script(case.what, token=token, count=None, deliver=case.deliver)

    with within(8):
        told = await whole.missed(victim)
        for record in await whole.all_end(await whole.missed_by(others)):
            assert [one.outcome for one in record.attempts] == ["accepted"]
        await first_attempt(whole, told.event_id)
        await whole.control.clear_faults()
        record = await whole.ends(told, case.ends)

    *met, last = [(one.outcome, one.reason) for one in record.attempts]
    if case.ends is PushState.ACCEPTED:
        assert set(met) == {case.attempt}
        assert last == ("accepted", "")
        assert await whole.shown(victim) == [record.push.push_id]
    else:
        assert (met, last) == ([], case.attempt)
    assert (await whole.circuit(case.provider))[0] == "closed"
    assert await connections(whole, case.provider) == before


async def test_a_stream_that_is_refused_once_costs_no_attempt(whole: Whole) -> None:
    (extension,) = await whole.register_many(1)
    await whole.ends(await whole.missed(extension))
    await whole.control.script(faults.RstStream(code=REFUSED_STREAM), token=whole.phones[extension])

    record = await whole.ends(await whole.missed(extension))

    assert [one.outcome for one in record.attempts] == ["accepted"]
