"""Orders to queue agents over the real store: in order, repeated, withdrawn, never doubled."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.domain.agent_action import AgentOrder, AgentOutcome, Done, Refused, Trouble
from gateway.domain.event import EventKind
from gateway.domain.presence import AgentAction, AgentStatusAutoSwitch, Profile, StatusSettings
from gateway.pipeline.agent_switch import AgentSwitch
from gateway.pipeline.pbx import ConnectorHealth
from gateway.settings import Settings
from gateway.store import Store, open_store
from tests.support.pipeline import EXTENSION, TENANT, Pipeline, a_pipeline, settings_in
from tests.support.servers import Server
from tests.support.store import TestClock

CONNECTED = """
[[tenants.sources]]
name = "pbx"
kind = "yeastar"
secret = "yeastar-secret-of-pbx"
[tenants.sources.connector]
kind = "yeastar"
url = "https://pbx.example.com:8088"
client_id = "client"
client_secret = "secret-of-the-client"
"""


@dataclass(slots=True)
class ScriptedConnector:
    """Answers as the script says, then `Done`."""

    script: list[AgentOutcome] = field(default_factory=list)
    asked: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    order_ids: list[str] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def switch_agent(self, tenant: str, extension: str, order: AgentOrder) -> AgentOutcome:
        self.asked.append((extension, order.queue, order.action, order.reason))
        self.order_ids.append(order.order_id)
        self.began.set()
        await self.gate.wait()
        return self.script.pop(0) if self.script else Done()

    def health(self) -> ConnectorHealth:
        return ConnectorHealth(kind="scripted")


@dataclass(slots=True)
class Rig:
    pipeline: Pipeline
    connector: ScriptedConnector
    switch: AgentSwitch

    async def set_up(self, queues: tuple[str, ...] = ("6400", "6401")) -> None:
        presence, tenant = self.pipeline.services.presence, self.pipeline.tenant
        await presence.change_profile(tenant, EXTENSION, lambda _: Profile(queues=queues))
        pause = AgentStatusAutoSwitch(action=AgentAction.PAUSE, pause_reason="Lunch")
        log_out = AgentStatusAutoSwitch(action=AgentAction.LOG_OUT)
        at_lunch, off_work = (StatusSettings(agent_status_auto_switch=switch) for switch in (pause, log_out))
        await presence.change_settings(tenant, EXTENSION, "lunch_break", lambda _: at_lunch)
        await presence.change_settings(tenant, EXTENSION, "off_work", lambda _: off_work)

    async def set_status(self, status: str) -> None:
        await self.pipeline.services.presence.set_status(
            self.pipeline.tenant, EXTENSION, status, None, set_by="api:test"
        )

    async def run(self, seconds: int = 60) -> None:
        """Until nothing is due for so long."""
        for _ in range(seconds):
            while await self.switch.turn("worker"):
                pass
            self.pipeline.clock.pass_seconds(1)

    async def orders(self) -> list[tuple[str, str, str, int]]:
        state = await self.pipeline.store.extensions.load(TENANT, EXTENSION)
        return [(one.queue, one.action, one.state, one.attempts) for one in state.agent_orders]


@pytest.fixture(params=[CONNECTED])
def settings(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> Settings:
    return settings_in(tmp_path, server.url, policy=request.param)


@pytest.fixture
async def rig(settings: Settings, server: Server, clock: TestClock) -> AsyncIterator[Rig]:
    async with open_store(settings.store, clock=clock) as store:
        yield a_rig(settings, store, clock)


def a_rig(settings: Settings, store: Store, clock: TestClock) -> Rig:
    connector = ScriptedConnector()
    switch = AgentSwitch(store=store, connectors={"pbx": connector}, clock=clock, dice=lambda: 0.0)
    return Rig(a_pipeline(settings, store, clock), connector, switch)


async def test_each_queue_is_asked_once_and_in_order(rig: Rig) -> None:
    await rig.set_up()
    await rig.set_status("lunch_break")
    assert await rig.orders() == [("6400", "pause", "waiting", 0), ("6401", "pause", "waiting", 0)]
    await rig.run()
    assert rig.connector.asked == [(EXTENSION, "6400", "pause", "Lunch"), (EXTENSION, "6401", "pause", "Lunch")]
    assert await rig.orders() == [("6400", "pause", "done", 1), ("6401", "pause", "done", 1)]
    await rig.set_status("lunch_break")
    await rig.run()
    assert len(rig.connector.asked) == 2


async def test_a_presence_from_the_pbx_switches_agents_too(rig: Rig) -> None:
    await rig.set_up(("6400",))
    for _ in range(2):
        await rig.pipeline.accept(EventKind.PRESENCE_CHANGED, presence="lunch_break")
    await rig.run()
    assert rig.connector.asked == [(EXTENSION, "6400", "pause", "Lunch")]


async def test_trouble_is_repeated_under_the_same_id_and_the_later_queue_waits(rig: Rig) -> None:
    await rig.set_up()
    rig.connector.script = [Trouble("does not answer"), Trouble("does not answer")]
    await rig.set_status("lunch_break")
    await rig.run()
    assert [queue for _, queue, _, _ in rig.connector.asked] == ["6400", "6400", "6400", "6401"]
    assert len(set(rig.connector.order_ids)) == 2
    assert await rig.orders() == [("6400", "pause", "done", 3), ("6401", "pause", "done", 1)]


async def test_what_is_refused_is_not_repeated_and_the_next_queue_is_asked(rig: Rig) -> None:
    await rig.set_up()
    rig.connector.script = [Refused("errcode 40002")]
    await rig.set_status("lunch_break")
    await rig.run()
    assert await rig.orders() == [("6400", "pause", "refused", 1), ("6401", "pause", "done", 1)]


async def test_a_pbx_that_stays_away_is_given_up_after_twelve_hours(rig: Rig) -> None:
    await rig.set_up(("6400",))
    rig.connector.script = [Trouble("does not answer")] * 10_000
    await rig.set_status("lunch_break")
    for _ in range(13 * 60):
        await rig.switch.turn("worker")
        rig.pipeline.clock.pass_seconds(60)
    ((_, _, state, attempts),) = await rig.orders()
    assert (state, attempts > 10) == ("expired", True)


async def test_a_newer_presence_withdraws_what_waits(rig: Rig) -> None:
    await rig.set_up()
    rig.connector.script = [Trouble("does not answer")]
    await rig.set_status("lunch_break")
    await rig.switch.turn("worker")
    await rig.set_status("off_work")
    await rig.run()
    asked = [(queue, action) for _, queue, action, _ in rig.connector.asked]
    assert asked == [("6400", "pause"), ("6400", "log_out"), ("6401", "log_out")]
    assert [state for _, _, state, _ in await rig.orders()] == ["done", "done", "withdrawn", "withdrawn"]


async def test_while_one_worker_asks_no_other_does_and_a_newer_presence_waits_for_the_answer(rig: Rig) -> None:
    await rig.set_up(("6400",))
    rig.connector.gate.clear()
    await rig.set_status("lunch_break")
    asking = asyncio.create_task(rig.switch.turn("one"))
    await rig.connector.began.wait()
    await rig.set_status("off_work")
    assert await rig.switch.turn("two") == 0
    rig.connector.gate.set()
    assert await asking == 1
    await rig.run()
    assert [action for _, _, action, _ in rig.connector.asked] == ["pause", "log_out"]
    assert [state for _, _, state, _ in await rig.orders()] == ["done", "withdrawn"]


async def test_an_erased_extension_is_asked_nothing_more(rig: Rig) -> None:
    await rig.set_up()
    await rig.set_status("lunch_break")
    await rig.pipeline.store.extensions.erase(TENANT, EXTENSION)
    assert await rig.switch.turn("worker") == 0
    assert not rig.connector.asked


@pytest.mark.parametrize("settings", [""], indirect=True)
async def test_without_a_connector_the_orders_say_so(rig: Rig) -> None:
    await rig.set_up()
    await rig.set_status("lunch_break")
    assert await rig.switch.turn("worker") == 0
    assert await rig.orders() == [("6400", "pause", "no_connector", 0), ("6401", "pause", "no_connector", 0)]
