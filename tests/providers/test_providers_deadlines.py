"""What waits for the provider longer than it is worth telling is not sent."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.domain.outcome import Accepted, Unknown
from gateway.providers.senders import ProviderOptions
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from tests.support.provider_rig import a_push, clock, ios_app, rig_of, simulator_in_background, within

TOLERANCE = 500
ONE_LINE = ProviderOptions(apns_wire=replace(ProviderOptions().apns_wire, connections=1))


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with simulator_in_background(tmp_path_factory.mktemp("simulator")) as running:
        yield running


async def test_what_waits_for_a_stream_of_the_providers_is_not_sent_after_its_deadline(
    simulator: SimulatorProcess,
) -> None:
    async with simulator.control() as control, rig_of(ios_app(simulator), ONE_LINE) as ios:
        await control.reset()
        assert isinstance((await ios.send(ios.phone())).outcome, Accepted)
        await control.add_fault(faults.Fault(what=faults.MaxStreams(limit=1), now=True))
        await control.script(faults.Answer(), count=None, delay_ms=300)
        deadline = clock() + 1000
        with within(2.5):
            answers = await asyncio.gather(*(ios.send(ios.phone(), a_push(deadline=deadline)) for _ in range(12)))
        await control.clear_faults()
        assert isinstance((await ios.send(ios.phone())).outcome, Accepted), "a stream that was given up is no loss"
        late = [push.at - deadline for push in (await control.pushes()).items[1:-1] if push.at > deadline + TOLERANCE]
    assert late == []
    outcomes = [answer.outcome for answer in answers]
    assert all(isinstance(outcome, Accepted | Unknown) for outcome in outcomes)
    assert any(isinstance(outcome, Accepted) for outcome in outcomes)
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Unknown)} == {"too_late"}


async def test_our_own_haste_says_nothing_about_the_provider(simulator: SimulatorProcess) -> None:
    async with simulator.control() as control, rig_of(ios_app(simulator), ONE_LINE) as ios:
        await control.reset()
        assert isinstance((await ios.send(ios.phone())).outcome, Accepted)
        await control.script(faults.NoAnswer(), count=60)
        hasty = (ios.send(ios.phone(), a_push(deadline=clock() + 200)) for _ in range(60))
        answers = await asyncio.gather(*hasty)
        assert {answer.outcome for answer in answers} == {Unknown(reason="too_late")}
        assert ios.sender.health().up
