"""What a user sets is decided on the present state, and the last one wins."""

import asyncio
from pathlib import Path

import pytest

from gateway.domain.decision import Reason
from gateway.domain.errors import InvalidInput
from gateway.domain.event import EventKind
from gateway.domain.presence import Presence, Profile, RingMobileSimultaneously, StatusSettings
from gateway.settings import Settings
from tests.support.pipeline import EXTENSION, Pipeline, a_pipeline, settings_in
from tests.support.servers import Server


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Settings:
    return settings_in(tmp_path, server.url, policy='policy = { custom_statuses = ["training"] }')


async def set_status(pipeline: Pipeline, status: str, information: str | None = None) -> Presence:
    return await pipeline.services.presence.set_status(
        pipeline.tenant, EXTENSION, status, information, set_by="api:provisioning"
    )


async def test_a_status_applies_to_the_next_decision(pipeline: Pipeline, settings: Settings) -> None:
    await pipeline.register()
    service = pipeline.services.presence
    quiet = StatusSettings(accept_push_notifications=False)
    await service.change_settings(pipeline.tenant, EXTENSION, "off_work", lambda state: quiet)
    assert (await pipeline.accept()).decision.reason is Reason.ALLOWED
    await set_status(pipeline, "off_work")
    assert (await pipeline.accept()).decision.reason is Reason.PUSH_DISABLED


@pytest.mark.parametrize(
    ("said", "kept"), [("dnd", "do_not_disturb"), ("lunch", "lunch_break"), ("training", "training")]
)
async def test_aliases_and_declared_statuses_are_taken(pipeline: Pipeline, said: str, kept: str) -> None:
    assert (await set_status(pipeline, said)).status == kept


async def test_an_undeclared_status_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(InvalidInput) as refused:
        await set_status(pipeline, "on_the_moon")
    assert [problem.loc for problem in refused.value.problems] == ["status"]


async def test_the_same_status_again_changes_nothing(pipeline: Pipeline) -> None:
    first = await set_status(pipeline, "away")
    rev = (await pipeline.services.presence.read(pipeline.tenant, EXTENSION)).rev
    pipeline.clock.pass_seconds(60)
    assert await set_status(pipeline, "away") == first
    assert (await pipeline.services.presence.read(pipeline.tenant, EXTENSION)).rev == rev


async def test_another_note_keeps_since_when(pipeline: Pipeline) -> None:
    first = await set_status(pipeline, "away")
    pipeline.clock.pass_seconds(60)
    second = await set_status(pipeline, "away", "back at three")
    assert (second.since, second.information) == (first.since, "back at three")


async def test_changes_at_one_moment_at_two_gateways_are_none_of_them_lost(
    pipeline: Pipeline, settings: Settings
) -> None:
    other = a_pipeline(settings, pipeline.store, pipeline.clock)

    async def add(each: Pipeline, number: int) -> None:
        await each.services.presence.change_profile(
            each.tenant,
            EXTENSION,
            lambda state: Profile(vip_callers=(*state.profile.vip_callers, str(number))),
        )

    await asyncio.gather(*(add(pipeline if number % 2 else other, number) for number in range(20)))
    state = await pipeline.services.presence.read(pipeline.tenant, EXTENSION)
    assert sorted(map(int, state.profile.vip_callers)) == list(range(20))


async def test_a_mobile_number_that_a_status_rings_cannot_be_taken_away(pipeline: Pipeline) -> None:
    service, tenant = pipeline.services.presence, pipeline.tenant
    await service.change_profile(tenant, EXTENSION, lambda state: Profile(mobile_number="+49151"))
    ringing = StatusSettings(ring_mobile_simultaneously=RingMobileSimultaneously(enabled=True))
    await service.change_settings(tenant, EXTENSION, "away", lambda state: ringing)
    with pytest.raises(InvalidInput, match="away") as refused:
        await service.change_profile(tenant, EXTENSION, lambda state: Profile())
    assert [problem.loc for problem in refused.value.problems] == ["mobile_number"]
    await service.change_settings(tenant, EXTENSION, "away", lambda state: StatusSettings())
    assert await service.change_profile(tenant, EXTENSION, lambda state: Profile()) == Profile()


async def test_what_a_change_refuses_is_not_stored(pipeline: Pipeline) -> None:
    def refuse(state: object) -> StatusSettings:
        raise InvalidInput

    with pytest.raises(InvalidInput):
        await pipeline.services.presence.change_settings(pipeline.tenant, EXTENSION, "away", refuse)
    state = await pipeline.services.presence.read(pipeline.tenant, EXTENSION)
    assert (state.settings, state.rev) == ({}, 0)


async def test_the_pbx_and_the_user_set_the_same_presence(pipeline: Pipeline) -> None:
    await set_status(pipeline, "away")
    await pipeline.accept(EventKind.PRESENCE_CHANGED, presence="off_work")
    state = await pipeline.services.presence.read(pipeline.tenant, EXTENSION)
    assert (state.presence.status, state.presence.set_by) == ("off_work", "pbx:hq")
