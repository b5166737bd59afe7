"""The control API: what it takes, what it refuses, what it remembers."""

import dataclasses
from typing import Any

import aiohttp
import pytest

from gateway.domain.device import Provider
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.faults import Answer, Fault, Match
from gateway.simulator.server import Simulator
from gateway.simulator.views import Phone
from tests.support.h2client import H2Client
from tests.support.simulated import FCM_TOKEN, TOKEN, push


async def test_it_lives_and_says_when_it_does_not(control: SimulatorControl) -> None:
    assert await control.alive()
    async with SimulatorControl("http://127.0.0.1:9") as nobody:
        assert not await nobody.alive()


async def test_a_client_has_to_be_entered() -> None:
    with pytest.raises(RuntimeError):
        await SimulatorControl("http://127.0.0.1:9").stats()


async def test_a_phones_provider_is_read_from_its_token(control: SimulatorControl) -> None:
    assert (await control.set_phone(TOKEN.upper())).provider is Provider.APNS
    assert (await control.set_phone(FCM_TOKEN)).provider is Provider.FCM
    assert (await control.set_phone("cafe" * 40, provider=Provider.FCM)).provider is Provider.FCM
    assert [phone.token for phone in await control.phones()] == [TOKEN, FCM_TOKEN, "cafe" * 40]


async def test_nobody_has_an_unknown_token(control: SimulatorControl) -> None:
    assert await control.phone("never-heard-of") is None


async def test_pushes_are_read_by_cursor(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    for _ in range(5):
        await push(apns, bearer)
    first = await control.pushes(limit=2)
    rest = await control.pushes(after=first.next)
    nothing = await control.pushes(after=rest.next)
    assert [item.seq for item in first.items + rest.items] == [1, 2, 3, 4, 5]
    assert (nothing.items, nothing.next, nothing.lost) == ((), 5, 0)


@pytest.mark.parametrize("options", [{"history": 3}], indirect=True)
async def test_the_ring_buffer_says_what_it_lost(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    for _ in range(5):
        await push(apns, bearer)
    page = await control.pushes()
    assert ([item.seq for item in page.items], page.lost) == ([3, 4, 5], 2)
    assert (await control.stats()).pushes == 5


async def test_faults_can_be_listed_and_ended_one_by_one(control: SimulatorControl, simulator: Simulator) -> None:
    fault = Fault(what=Answer(status=500), match=Match(provider="apns"), count=2)
    first, second = await control.add_fault(fault), await control.add_fault(fault)
    url = f"{simulator.announcement()['control_url']}/faults"
    async with aiohttp.ClientSession() as session:
        assert (await session.delete(f"{url}/{first}")).status == 204
        assert (await session.delete(f"{url}/{first}")).status == 404
    (left,) = await control.faults()
    assert (left.id, left.fault, left.remaining) == (second, fault, 2)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/faults", {"what": {"do": "explode"}}),
        ("/faults", {"what": {"do": "answer"}, "unknown": 1}),
        ("/faults", {"what": {"do": "rst_stream"}, "now": True}),
        ("/faults", {"what": {"do": "answer", "status": 7}}),
        ("/pushes?after=x", None),
        (f"/phones/{TOKEN}", {"state": "happy"}),
    ],
)
async def test_bad_input_is_422(simulator: Simulator, path: str, document: Any) -> None:
    url = f"{simulator.announcement()['control_url']}{path}"
    method = "GET" if document is None else "PUT" if "phones" in path else "POST"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=document) as response:
        assert response.status == 422
        assert (await response.json())["detail"]


async def test_stats_count_answers_by_provider_status_and_reason(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await push(apns, bearer)
    await push(apns, bearer, token="xx")
    stats = await control.stats()
    assert (stats.pushes, stats.accepted) == (2, 1)
    assert stats.count("apns", status=400, reason="BadDeviceToken") == 1
    assert (stats.count("apns"), stats.count("fcm")) == (2, 0)
    assert [(found.listener, found.open) for found in stats.connections] == [
        ("apns", 1),
        ("apns_sandbox", 0),
        ("fcm", 0),
    ]


async def test_reset_forgets_everything_but_connections(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await push(apns, bearer)
    await control.answer_with(500, count=None)
    await control.reset()
    assert (await control.phones(), (await control.pushes()).items, await control.faults()) == ((), (), ())
    stats = await control.stats()
    assert (stats.pushes, stats.connections[0].open) == (0, 1)
    assert (await push(apns, bearer)).status == 200


async def test_waiting_for_a_phone_ends_with_what_it_looked_like(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    def has_shown(phone: Phone) -> bool:
        return bool(phone.shown)

    with pytest.raises(TimeoutError, match="None"):
        await control.wait_for_phone(TOKEN, has_shown, seconds=0.05)
    await push(apns, bearer)
    phone = await control.wait_for_phone(TOKEN, has_shown)
    assert phone.last is not None
    assert dataclasses.replace(phone, shown=()).last is None
