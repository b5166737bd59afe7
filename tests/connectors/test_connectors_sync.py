"""Presence settings kept the same with a Yeastar PBX, over real HTTP and a real store; time is the test's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap import assemble
from gateway.connectors.opening import open_connectors
from gateway.connectors.synchroniser import Synchroniser, synchronisers
from gateway.domain.event import EventKind, PbxEvent
from gateway.domain.presence import Profile, parse_settings
from gateway.pipeline.intake import Arrival
from gateway.pipeline.services import Services
from gateway.store import Side, open_store
from gateway.web.outgoing import Outgoing
from tests.support.pipeline import settings_in
from tests.support.servers import Server, running_server
from tests.support.store import TestClock
from tests.support.yeastar_pbx import CLIENT_ID, CLIENT_SECRET, YeastarPbx, yeastar_pbx

INTERVAL = 900


@dataclass(slots=True)
class Rig:
    pbx: YeastarPbx
    services: Services
    sync: Synchroniser
    clock: TestClock

    @property
    def tenant(self) -> Any:
        return self.services.settings.tenant("acme")

    def at_pbx(self, status: str, **changes: Any) -> None:
        """Somebody changes the settings of 1001 in the PBX's portal."""
        (row,) = [one for one in self.pbx.extensions[0]["presence_list"] if one["status"] == status]
        row.update(changes)

    async def here(self, status: str, **body: Any) -> None:
        """Somebody changes them here."""
        settings = parse_settings(status, body, extension="1001", mobile_number=None)
        await self.services.presence.change_settings(self.tenant, "1001", status, lambda _: settings)

    async def event_30022(self) -> None:
        await self.services.store.synchronised.ask("acme", "1001", "pbx", Side.PBX)

    async def timeout(self, status: str = "away") -> int:
        """The ring timeout of 1001 here."""
        state = await self.services.store.extensions.load("acme", "1001")
        found = state.settings_for(status, ())[1].model_dump()["ring_timeout_seconds"]
        return int(found)

    async def status(self) -> tuple[str, str]:
        presence = (await self.services.presence.read(self.tenant, "1001")).presence
        return presence.status, presence.set_by

    def timeout_at_pbx(self, status: str = "away") -> int:
        rows = self.pbx.extensions[0]["presence_list"]
        return int(next(row["ring_timeout"] for row in rows if row["status"] == status))

    def pass_interval(self) -> None:
        self.clock.pass_seconds(INTERVAL)

    @property
    def writes(self) -> list[Any]:
        return [one.body for one in self.pbx.asked if one.interface == "extension/update"]


@pytest.fixture(scope="module")
def module_server() -> Any:
    with running_server("valkey") as server:
        yield server


@pytest.fixture
def server(module_server: Server) -> Server:
    with module_server.client() as client:
        client.flushall()
    return module_server


@pytest.fixture(params=["both"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> AsyncIterator[Rig]:
    clock = TestClock()
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(yeastar_pbx())
        connector = f"""
[[tenants.sources]]
name = "pbx"
kind = "yeastar"
secret = "yeastar-secret-of-pbx"
[tenants.sources.connector]
kind = "yeastar"
url = "{pbx.url}"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
sync = "{request.param}"
sync_interval_seconds = {INTERVAL}
push_setting_field = "accept_push"
"""
        settings = settings_in(tmp_path, server.url, policy=connector)
        store = await stack.enter_async_context(open_store(settings.store, clock=clock))
        opening = open_connectors(settings, Outgoing(settings.server), clock=clock)
        connectors = await stack.enter_async_context(opening)
        services = assemble(settings, store, {}, connectors, clock=clock)
        (sync,) = synchronisers(services, holder="one")
        yield Rig(pbx, services, sync, clock)


async def test_the_first_reading_takes_what_the_pbx_has(rig: Rig) -> None:
    rig.pbx.extensions[0]["mobile_number"] = "+4915112345678"
    rig.pbx.extensions[0]["presence_status"] = "lunch"
    rig.at_pbx("away", ring_timeout=44, enb_ring_mobile=1, accept_push=0)
    rig.at_pbx("launch", information="soup")
    await rig.sync.turn()
    state = await rig.services.store.extensions.load("acme", "1001")
    away = state.settings_for("away", ())[1].model_dump()
    assert (away["ring_timeout_seconds"], away["accept_push_notifications"]) == (44, False)
    assert away["ring_mobile_simultaneously"]["enabled"] is True
    assert state.settings_for("lunch_break", ())[1].information == "soup"
    assert state.profile.mobile_number == "+4915112345678"
    assert await rig.status() == ("lunch_break", "pbx:pbx")
    assert not rig.writes
    assert state.settings.keys() == {"away", "lunch_break"}, "what is as it was is not written"


async def test_it_is_read_again_at_the_interval_and_not_before(rig: Rig) -> None:
    await rig.sync.turn()
    rig.at_pbx("away", ring_timeout=44)
    rig.clock.pass_seconds(INTERVAL - 1)
    await rig.sync.turn()
    assert await rig.timeout() == 30
    rig.clock.pass_seconds(1)
    await rig.sync.turn()
    assert await rig.timeout() == 44


async def test_30022_has_the_extension_read_at_once(rig: Rig) -> None:
    await rig.sync.turn()
    asked = len(rig.pbx.of("extension/query"))
    rig.at_pbx("away", ring_timeout=44)
    await rig.event_30022()
    await rig.sync.turn()
    assert await rig.timeout() == 44
    queries = rig.pbx.of("extension/query")[asked:]
    assert queries == [{"ids": str(rig.pbx.extensions[0]["id"])}], "of that extension alone"


async def test_a_change_here_is_written_back_and_nothing_else(rig: Rig) -> None:
    await rig.sync.turn()
    await rig.here("away", ring_timeout_seconds=44)
    await rig.sync.turn()
    (write,) = rig.writes
    assert write == {
        "id": rig.pbx.extensions[0]["id"],
        "presence_list": [{"status": "away", "ring_timeout": 44}],
    }
    assert rig.timeout_at_pbx() == 44


async def test_nothing_goes_round_in_circles(rig: Rig) -> None:
    await rig.sync.turn()
    rig.at_pbx("away", ring_timeout=44)
    await rig.here("off_work", ring_timeout_seconds=55)
    await rig.services.presence.set_status(rig.tenant, "1001", "business_trip", None, set_by="api:test")
    for _ in range(5):
        await rig.event_30022()  # the PBX tells of every write
        rig.pass_interval()
        await rig.sync.turn()
    assert len(rig.writes) == 1
    assert (await rig.timeout(), rig.timeout_at_pbx("off_work")) == (44, 55)
    assert rig.pbx.extensions[0]["presence_status"] == "business_trip"
    events = await rig.services.store.journal.list("acme", limit=100)
    assert not events.items, "a status that was written there is no event here"


async def test_what_was_normalised_is_not_written_back(rig: Rig) -> None:
    rig.at_pbx("away", ring_timeout=3000)
    for _ in range(3):
        rig.pass_interval()
        await rig.sync.turn()
    assert (await rig.timeout(), rig.timeout_at_pbx(), rig.writes) == (300, 3000, [])


@pytest.mark.parametrize(("later", "wins"), [("here", 55), ("pbx", 44)])
async def test_when_both_changed_the_last_change_wins(rig: Rig, later: str, wins: int) -> None:
    await rig.sync.turn()
    for side in ("pbx", "here") if later == "here" else ("here", "pbx"):
        rig.clock.pass_seconds(1)
        if side == "pbx":
            rig.at_pbx("away", ring_timeout=44)
            await rig.event_30022()
        else:
            await rig.here("away", ring_timeout_seconds=55)
    await rig.sync.turn()
    assert (await rig.timeout(), rig.timeout_at_pbx()) == (wins, wins)


@pytest.mark.parametrize("rig", ["pull"], indirect=True)
async def test_pull_never_writes_and_takes_only_what_changed_there(rig: Rig) -> None:
    await rig.sync.turn()
    await rig.here("away", ring_timeout_seconds=55)
    rig.pass_interval()
    await rig.sync.turn()
    assert (await rig.timeout(), rig.timeout_at_pbx()) == (55, 30)
    rig.at_pbx("away", ring_timeout=44)
    rig.pass_interval()
    await rig.sync.turn()
    assert (await rig.timeout(), rig.writes) == (44, [])


async def test_off_asks_nothing(tmp_path: Path, server: Server) -> None:
    connector = f"""
[[tenants.sources]]
name = "pbx"
kind = "yeastar"
secret = "yeastar-secret-of-pbx"
[tenants.sources.connector]
kind = "yeastar"
url = "http://127.0.0.1:1"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
"""
    settings = settings_in(tmp_path, server.url, policy=connector)
    async with (
        open_store(settings.store, clock=TestClock()) as store,
        open_connectors(settings, Outgoing(settings.server), clock=TestClock()) as connectors,
    ):
        assert not [*synchronisers(assemble(settings, store, {}, connectors), holder="one")]


async def test_a_status_from_30009_is_the_same_on_both_sides_without_a_word(rig: Rig) -> None:
    await rig.sync.turn()
    rig.pbx.extensions[0]["presence_status"] = "away"
    event = PbxEvent(kind=EventKind.PRESENCE_CHANGED, extension="1001", identity=None, presence="away")
    arrival = Arrival(tenant=rig.tenant, source="pbx", received_at=rig.clock())
    await rig.services.intake.accept(arrival, (event,))
    rig.pass_interval()
    await rig.sync.turn()
    assert (await rig.status(), rig.writes) == (("away", "pbx:pbx"), [])
    assert len((await rig.services.store.journal.list("acme", limit=10)).items) == 1


@pytest.mark.parametrize("kind", ["errcode", "http500", "garbage", "not_an_object", "huge", "redirect"])
@pytest.mark.parametrize("interface", ["get_token", "extension/list", "extension/query", "extension/update"])
async def test_a_pbx_in_trouble_changes_nothing_here_and_is_told_by_health(rig: Rig, kind: str, interface: str) -> None:
    await rig.sync.turn()
    rig.at_pbx("away", ring_timeout=44)
    await rig.here("off_work", ring_timeout_seconds=55)
    rig.pbx.forget_tokens()
    rig.pbx.fail(kind, only=interface, times=100)
    rig.pass_interval()
    await rig.sync.turn()
    assert await rig.timeout("off_work") == 55
    assert await rig.timeout() in ((30, 44) if interface == "extension/update" else (30,))
    health = rig.services.connectors["pbx"].health()
    assert health.last_error is not None
    of_one_extension = (kind, interface) == ("errcode", "extension/update")
    assert health.next_sync_at == rig.clock() + (INTERVAL if of_one_extension else 60) * 1000
    rig.pbx.faults.clear()
    rig.pass_interval()
    await rig.sync.turn()
    assert (await rig.timeout(), rig.timeout_at_pbx("off_work")) == (44, 55)


async def test_what_is_refused_of_one_extension_keeps_no_other_back(rig: Rig) -> None:
    await rig.sync.turn()
    await rig.here("away", ring_timeout_seconds=55)
    rig.pbx.extensions[1]["presence_status"] = "away"
    rig.pbx.fail("errcode", only="extension/update")
    rig.pass_interval()
    await rig.sync.turn()
    other = await rig.services.store.extensions.load("acme", "1002")
    assert (other.presence.status, rig.timeout_at_pbx()) == ("away", 30)
    rig.pass_interval()
    await rig.sync.turn()
    assert rig.timeout_at_pbx() == 55


async def test_one_of_two_processes_synchronises_and_the_other_takes_over(rig: Rig) -> None:
    (other,) = synchronisers(rig.services, holder="two")
    await rig.sync.turn()
    asked = len(rig.pbx.asked)
    await other.turn()
    assert len(rig.pbx.asked) == asked
    await rig.services.store.synchronised.claim("pbx", "one", milliseconds=1)
    rig.at_pbx("away", ring_timeout=44)
    deadline = rig.clock() + 1
    while await rig.timeout() != 44:
        assert rig.clock() <= deadline + 500
        rig.clock.pass_seconds(0.001)
        await other.turn()


async def test_an_extension_of_another_pbx_is_left_alone(rig: Rig) -> None:
    await rig.services.presence.change_profile(rig.tenant, "1001", lambda _: Profile(source="hq"))
    rig.at_pbx("away", ring_timeout=44)
    await rig.sync.turn()
    assert await rig.timeout() == 30


async def test_an_erased_extension_leaves_nothing_that_was_agreed(rig: Rig) -> None:
    await rig.sync.turn()
    assert await rig.services.store.synchronised.load("acme", "1001")
    await rig.services.store.extensions.erase("acme", "1001")
    assert not await rig.services.store.synchronised.load("acme", "1001")
