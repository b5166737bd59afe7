"""Tokens die, are registered anew and change hands while pushes are on their way."""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from gateway.domain.device import Device, Environment, Provider, Token
from gateway.domain.event import EventKind, Millis
from gateway.domain.push import PushState
from gateway.pipeline.intake import Receipt
from gateway.simulator import faults
from gateway.simulator.process import SimulatorProcess
from gateway.simulator.views import PhoneState
from tests.support.provider_rig import IOS
from tests.support.servers import Server
from tests.support.store import until
from tests.support.whole import TENANT, Whole, emptied, open_whole

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(valkey: Server, simulator: SimulatorProcess) -> AsyncIterator[Whole]:
    async with open_whole(emptied(valkey), simulator, workers=2) as running:
        yield running


async def a_phone(whole: Whole, **more: Any) -> str:
    """A phone of an extension that nobody has used; the extension."""
    (extension,) = await whole.register_many(1)
    if more:
        await whole.register(extension, **more)
    return extension


async def voip_of(whole: Whole, extension: str) -> str:
    token = (await whole.device(extension)).voip_token
    assert token is not None
    return token.reveal()


async def ring(whole: Whole, extension: str) -> Receipt:
    return await whole.pipeline.accept(EventKind.CALL_INCOMING, extension=extension)


@pytest.mark.parametrize("state", [PhoneState.UNREGISTERED, PhoneState.EXPIRED])
async def test_a_token_that_died_before_it_was_registered_again_stays_and_its_push_arrives(
    whole: Whole, state: PhoneState
) -> None:
    extension = await a_phone(whole)
    token, registered = whole.phones[extension], (await whole.device(extension)).registered_at
    await whole.control.set_phone(token, state=state, since=registered - 1)
    told = await whole.missed(extension)
    await until(lambda: _tried(whole, told), seconds=5)
    assert (await whole.device(extension)).state == "active"
    await whole.control.set_phone(token, state=PhoneState.OK)
    record = await whole.ends(told)
    assert {one.outcome for one in record.attempts} == {"token_gone", "accepted"}


@pytest.mark.parametrize("state", [PhoneState.UNREGISTERED, PhoneState.EXPIRED])
async def test_a_token_that_died_after_it_was_registered_is_retired_until_the_app_registers_again(
    whole: Whole, state: PhoneState
) -> None:
    extension = await a_phone(whole)
    registered = (await whole.device(extension)).registered_at
    await whole.control.set_phone(whole.phones[extension], state=state, since=registered)
    await whole.ends(await whole.missed(extension), PushState.TOKEN_GONE)
    device = await whole.device(extension)
    assert (device.state, device.last_error) == ("needs_reregister", _reason(state))
    assert (await whole.missed(extension)).decision.reason == "no_device"

    await whole.register(extension)
    device = await whole.device(extension)
    assert (device.state, device.last_error) == ("active", None)
    await whole.ends(await whole.missed(extension))


async def test_what_is_queued_for_a_token_that_dies_goes_to_the_one_that_takes_its_place(whole: Whole) -> None:
    extension = await a_phone(whole)
    await whole.control.script(
        faults.Answer(status=410, reason="Unregistered", timestamp=1), token=whole.phones[extension], count=None
    )
    told = await whole.missed(extension)
    await until(lambda: _tried(whole, told), seconds=5)
    fresh = await whole.register(extension)
    record = await whole.ends(told)
    assert await whole.shown(extension) == [record.push.push_id]
    assert whole.phones[extension] == fresh


async def test_a_dead_voip_token_ends_the_ringing_alone(whole: Whole) -> None:
    extension = await a_phone(whole)
    voip = await voip_of(whole, extension)
    await whole.control.set_phone(voip, state=PhoneState.UNREGISTERED, provider=Provider.APNS)
    await whole.ends(await ring(whole, extension), PushState.TOKEN_GONE)
    device = await whole.device(extension)
    assert (device.state, device.voip_state, device.last_error) == ("active", "needs_reregister", "Unregistered")
    assert (await ring(whole, extension)).decision.reason == "no_device"
    await whole.ends(await whole.missed(extension))

    await whole.register(extension)
    assert (await whole.device(extension)).voip_state == "active"
    await whole.ends(await ring(whole, extension))


async def test_a_bad_voip_token_leads_no_alert_astray(whole: Whole) -> None:
    extension = await a_phone(whole)
    await whole.control.set_phone(await voip_of(whole, extension), state=PhoneState.BAD, provider=Provider.APNS)
    record = await whole.ends(await ring(whole, extension), PushState.TOKEN_GONE)
    assert [one.reason for one in record.attempts] == ["BadDeviceToken"] * 2
    await whole.ends(await whole.missed(extension))
    device = await whole.device(extension)
    assert (device.state, device.environment) == ("active", Environment.PRODUCTION)
    assert (device.voip_state, device.tried_other_environment) == ("needs_reregister", False)


async def test_a_voip_token_of_the_other_environment_is_found_there(whole: Whole) -> None:
    extension = await a_phone(whole)
    voip = await voip_of(whole, extension)
    await whole.control.set_phone(voip, provider=Provider.APNS, environment=Environment.SANDBOX)
    for _ in range(2):
        await whole.ends(await ring(whole, extension))
        await whole.ends(await whole.missed(extension))
    environments = [one.environment for one in (await whole.control.pushes(limit=5000)).items if one.token == voip]
    assert environments == [Environment.PRODUCTION, Environment.SANDBOX, Environment.SANDBOX]
    assert (await whole.device(extension)).environment is Environment.PRODUCTION


async def test_a_bad_token_tries_the_other_environment_once_and_a_new_registration_tries_both_again(
    whole: Whole,
) -> None:
    extension = await a_phone(whole)
    token = whole.phones[extension]
    await whole.control.set_phone(token, state=PhoneState.BAD, provider=Provider.APNS)
    record = await whole.ends(await whole.missed(extension), PushState.TOKEN_GONE)
    assert [one.reason for one in record.attempts] == ["BadDeviceToken"] * 2
    assert (await whole.device(extension)).state == "needs_reregister"

    await whole.register(extension, token=Token(token))
    record = await whole.ends(await whole.missed(extension), PushState.TOKEN_GONE)
    assert len(record.attempts) == 2


async def _tried(whole: Whole, receipt: Receipt) -> bool:
    return bool((await whole.push(receipt)).attempts)


def _reason(state: PhoneState) -> str:
    return {PhoneState.UNREGISTERED: "Unregistered", PhoneState.EXPIRED: "ExpiredToken"}[state]


DEVICES = ("one", "two")
TOKENS = 10
ROUNDS = 12
ON_ITS_WAY: Millis = 1_500
"""Between loading a push and its arrival at the provider; a repeat comes later than that."""


@dataclass
class Owning:
    """Who had a token, from when to when at the most."""

    extension: str
    begins: Millis
    ends: Millis | None = None


@dataclass
class Registrar:
    """Moves tokens between extensions and devices, and remembers."""

    whole: Whole
    dice: random.Random
    extensions: tuple[str, ...]
    alerts: list[str] = field(default_factory=lambda: [secrets.token_hex(32) for _ in range(TOKENS)])
    voips: list[str] = field(default_factory=lambda: [secrets.token_hex(32) for _ in range(TOKENS)])
    owners: dict[str, list[Owning]] = field(default_factory=dict)
    seats: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    async def move(self) -> None:
        """Some app registers with tokens that others may have."""
        now, extension, name = self.whole.pipeline.clock, self.dice.choice(self.extensions), self.dice.choice(DEVICES)
        alert, voip = self.dice.choice(self.alerts), self.dice.choice(self.voips)
        begins = now()
        device = Device(
            tenant=TENANT,
            extension=extension,
            device_id=name,
            app=IOS,
            provider=Provider.APNS,
            token=Token(alert),
            voip_token=Token(voip) if self.dice.random() < 0.5 else None,
            registered_at=begins,
        )
        await self.whole.pipeline.store.devices.register(device)
        taken = (alert, voip) if device.voip_token else (alert,)
        for token in (*taken, *self.seats.get((extension, name), ())):
            for owning in self.owners.setdefault(token, []):
                owning.ends = owning.ends or now()
        for seat, held in self.seats.items():
            if set(held) & set(taken):
                for token in held:
                    for owning in self.owners[token]:
                        owning.ends = owning.ends or now()
                self.seats[seat] = ()
        self.seats[extension, name] = taken
        for token in taken:
            self.owners[token].append(Owning(extension, begins))

    def had(self, token: str, extension: str, told: Millis, arrived: Millis) -> bool:
        """Whether the extension had the token after the event, and until the push was on its way."""
        return any(
            one.extension == extension
            and one.begins <= arrived
            and (one.ends is None or one.ends >= max(told, arrived - ON_ITS_WAY))
            for one in self.owners.get(token, [])
        )


@pytest.mark.parametrize("seed", range(int(os.environ.get("TOKEN_SEEDS", "1"))))
async def test_tokens_change_hands_with_pushes_in_flight_and_nobody_gets_what_is_not_theirs(
    whole: Whole, seed: int
) -> None:
    extensions = tuple(f"{seed}0{number}" for number in range(6))
    registrar = Registrar(whole, random.Random(seed), extensions)  # noqa: S311 - a test that can be repeated
    told: dict[str, Millis] = {}
    after = (await whole.control.pushes(after=0, limit=1)).next
    later = faults.Answer(status=503, reason="ServiceUnavailable", retry_after=2)
    for _ in range(ROUNDS):
        victim = registrar.dice.choice(registrar.alerts)
        await whole.control.script(later, token=victim, count=2)
        kinds = (EventKind.CALL_MISSED, EventKind.CALL_INCOMING)
        events = [(registrar.dice.choice(kinds), registrar.dice.choice(registrar.extensions)) for _ in range(14)]
        began = whole.pipeline.clock()
        accepting = [whole.pipeline.accept(kind, extension=extension) for kind, extension in events]
        receipts, _ = await asyncio.gather(asyncio.gather(*accepting), _moves(registrar, 5))
        told |= {receipt.event_id: began for receipt in receipts}
    await until(lambda: _ended(whole, told), seconds=15)
    await whole.control.clear_faults()

    arrived = [one for one in (await whole.control.pushes(after=after, limit=20_000)).items if one.status == 200]
    arrived = [one for one in arrived if one.payload["pbx"]["event_id"] in told]
    assert len(arrived) > 30
    for one in arrived:
        extension, event_id = one.payload["pbx"]["extension"], one.payload["pbx"]["event_id"]
        assert registrar.had(one.token, extension, told[event_id], one.at), one


async def _ended(whole: Whole, event_ids: Iterable[str]) -> bool:
    """Whether none of these events' pushes waits any more."""
    journal = whole.pipeline.store.journal
    pushes = await asyncio.gather(*(journal.pushes(TENANT, event_id) for event_id in event_ids))
    waiting = (PushState.QUEUED, PushState.DEFERRED)
    return not any(record.state in waiting for records in pushes for record in records)


async def _moves(registrar: Registrar, count: int) -> None:
    for _ in range(count):
        await registrar.move()
