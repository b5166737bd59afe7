"""Every stored decision can be made again from its stored facts, bit for bit."""

import random
from pathlib import Path

import pytest

from gateway.domain.decision import EventRecord, Reason
from gateway.domain.device import REGISTRABLE_KINDS, Provider
from gateway.domain.event import Caller, Direction, Disposition, EventKind, PbxEvent, Via
from gateway.domain.outcome import AppTrouble, Outcome, Refused, TokenGone, TryLater, Unknown
from gateway.domain.presence import STATUSES, AnySettings, Profile
from gateway.policy.decide import decide
from gateway.settings import Settings
from gateway.store import Store
from tests.support.facts import ALL_FIRST, MOBILE_SECONDLY, NO_MOBILE, an_event, settings_of
from tests.support.pipeline import TENANT, Pipeline, a_pipeline, settings_in
from tests.support.servers import Server
from tests.support.store import TestClock

EXTENSIONS = ("1001", "1002", "*77")
EVENTS = 400
POLICY = """
[tenants.policy]
custom_statuses = ["training"]
quiet_statuses = ["do_not_disturb", "training"]
bypass = { vip = true, repeat_caller = true }
"""
TROUBLE: tuple[Outcome, ...] = (
    TokenGone(reason="Unregistered"),
    TryLater(reason="ServiceUnavailable"),
    AppTrouble(reason="quota", configuration=False),
    Refused(reason="PayloadTooLarge"),
    Unknown(reason="timeout"),
)


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Settings:
    return settings_in(tmp_path, server.url, policy=POLICY)


class Traffic:
    """A day at a small company, from a seed."""

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        self.pipeline = pipeline
        self.dice = random.Random(seed)  # noqa: S311 - a scenario, not a secret

    async def flow(self) -> None:
        """Events, and now and then a change of what they are decided by."""
        for number in range(EVENTS):
            if number % 5 == 0:
                await self.change()
            await self.pipeline.accept(self.event())
            if number % 3 == 0:
                self.pipeline.ios.script.append(self.dice.choice(TROUBLE))
                await self.pipeline.deliver_waiting()
            self.pipeline.clock.pass_seconds(self.dice.choice((0, 1, 30, 3600)))

    def event(self) -> PbxEvent:
        """Any event about one of a few calls."""
        choose, clock = self.dice.choice, self.pipeline.clock
        return an_event(
            choose(tuple(EventKind)),
            occurred_at=choose((None, clock(), clock() - 50_000, clock() + 9_000, clock() - 400_000_000)),
            call_id=f"call-{self.dice.randrange(40)}",
            direction=choose(tuple(Direction)),
            via=choose((None, *Via)),
            ring_stage=choose((None, None, 1, 2)),
            disposition=choose((None, *Disposition)),
            answered_by=choose((None, None, "1002")),
            caller=Caller(number=choose(("+491511", "1002", "")), name=choose(("Zoë 👩‍🚀", "\u202eevil", ""))),
            message_id=choose((None, f"m-{self.dice.randrange(30)}")),
            mailbox_new=self.dice.randrange(5),
            presence=choose((*STATUSES, "training", "gone_fishing")),
            extension=choose(EXTENSIONS),
        )

    async def change(self) -> None:
        """A phone, the settings of a status, a profile, or an inbox that was read."""
        pipeline, extension = self.pipeline, self.dice.choice(EXTENSIONS)
        match self.dice.randrange(4):
            case 0:
                kinds = self.dice.sample(sorted(REGISTRABLE_KINDS), self.dice.randrange(5))
                name = f"phone-{extension}-{self.dice.randrange(3)}"
                provider = self.dice.choice(tuple(Provider))
                muted = self.dice.random() < 0.2
                await pipeline.register(name, extension, provider=provider, kinds=frozenset(kinds), muted=muted)
            case 1:
                settings = self.settings()
                await pipeline.services.presence.change_settings(
                    pipeline.tenant, extension, self.status_of(settings), lambda state: settings
                )
            case 2:
                profile = Profile(vip_callers=("+491511",), queues=("6400",))
                await pipeline.services.presence.change_profile(pipeline.tenant, extension, lambda state: profile)
            case _:
                await pipeline.services.inbox.mark_seen(pipeline.tenant, extension, None)

    def settings(self) -> AnySettings:
        return settings_of(
            self.dice.choice((*STATUSES, "training")),
            accept_push=self.dice.random() < 0.7,
            ring=self.dice.choice((ALL_FIRST, MOBILE_SECONDLY, NO_MOBILE)),
            ring_timeout=self.dice.choice((5, 30, 300)),
            always=self.dice.choice(((), (Direction.INTERNAL,), tuple(Direction))),
        )

    def status_of(self, settings: AnySettings) -> str:
        """A status that may have such settings."""
        if not hasattr(settings, "ring_timeout_seconds"):
            return "do_not_disturb"
        return self.dice.choice([*(status for status in STATUSES if status != "do_not_disturb"), "training"])


async def journal(store: Store) -> list[EventRecord]:
    """Every record, page by page."""
    found: list[EventRecord] = []
    after: str | None = None
    while True:
        page = await store.journal.list(TENANT, after=after, limit=37)
        found += page.items
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_stored_event_decides_again_as_it_was_decided(
    settings: Settings, store: Store, clock: TestClock, seed: int
) -> None:
    pipeline = a_pipeline(settings, store, clock)
    await Traffic(pipeline, seed).flow()
    records = await journal(store)
    assert len(records) > EVENTS / 2
    assert len({record.event_id for record in records}) == len(records)
    assert [record.event_id for record in records] == sorted((record.event_id for record in records), reverse=True)
    for record in records:
        assert decide(record.facts) == record.decision, record.event_id
    reasons = {record.decision.reason for record in records}
    assert len(reasons) > len(Reason) / 2, "the traffic is too tame to prove anything"
