"""Flow control: five hundred pushes are with the provider at once, through windows of 64 KiB that are really kept."""

import asyncio
import json
from dataclasses import replace

from gateway.domain.push import PushState
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from tests.support.facts import CALLER
from tests.support.provider_rig import within
from tests.support.whole import OPTIONS, open_whole

PUSHES = 500


async def test_five_hundred_large_pushes_in_flight_fit_through_windows_of_64_kib(
    store_url: str, simulator: SimulatorProcess
) -> None:
    options = replace(OPTIONS, apns_wire=replace(OPTIONS.apns_wire, request_seconds=8.0, streams=600))
    async with open_whole(store_url, simulator, options=options, concurrency=800) as whole:
        extensions = await whole.register_many(PUSHES)
        caller = replace(CALLER, name="Wolfeschlegelsteinhausenbergerdorff " * 40)
        await whole.ends(await whole.missed(extensions[0]))
        slow = await whole.control.script(faults.Answer(), provider="apns", count=None, delay_ms=2500)

        with within(15):
            receipts = await asyncio.gather(*(whole.missed(extension, caller=caller) for extension in extensions))
            records = await whole.all_end(receipts, seconds=14)

        # A machine too busy to renew its leases in time sends some again, under the same id: bounded, and shown once.
        assert PUSHES <= {one.id: one.hits for one in await whole.control.faults()}[slow] < 2 * PUSHES
        assert {record.state for record in records} == {PushState.ACCEPTED}
        shown = [len(phone.shown) for phone in await whole.control.phones()]
        assert sum(shown) == PUSHES + 1
        stats = await whole.control.stats()
        assert stats.violations == {}
        assert stats.max_open_streams > 400
        payloads = [one.payload for one in (await whole.control.pushes(limit=1000)).items]
        assert sum(len(json.dumps(payload)) for payload in payloads) > 4 * 65_535
