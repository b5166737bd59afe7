"""The phones and their apps: they register, change hands, go off, and register anew when their token died."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from gateway.domain.device import Provider
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.faults import Fault, Match
from gateway.simulator.views import PhoneState
from tests.chaos.cast import ANDROID, IOS, Cast, Group
from tests.chaos.configuration import Keys
from tests.chaos.disasters import REFUSAL
from tests.chaos.ledger import Place, Registration
from tests.chaos.patience import insist
from tests.chaos.pbx import now

IPHONE, ANDROID_PHONE = "iphone", "android"


@dataclass(slots=True)
class Phone:
    """A phone, as its owner holds it in the hand."""

    place: Place
    device_id: str
    token: str
    voip: str | None = None


@dataclass(slots=True)
class Phones:
    """Every phone of the cast."""

    url: str
    keys: Keys
    session: aiohttp.ClientSession
    control: SimulatorControl
    cast: Cast
    rng: random.Random
    registrations: list[Registration] = field(default_factory=list)
    disturbed: set[str] = field(default_factory=set)
    _flaky: list[Phone] = field(default_factory=list)
    _nomads: list[Phone] = field(default_factory=list)
    _busy: set[int] = field(default_factory=set)
    """Flaky phones in trouble just now."""
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def register_all(self) -> None:
        """Each extension gets an iPhone and an Android phone."""
        for group in Group:
            for place in self.cast.places(group):
                iphone = Phone(place, IPHONE, self._apple_token(), self._apple_token())
                android = Phone(place, ANDROID_PHONE, self._google_token())
                for phone in (iphone, android):
                    await self._register(phone)
                if group is Group.FLAKY:
                    self._flaky += [iphone, android]
                elif group is Group.NOMADS:
                    self._nomads.append(android)

    async def trouble(self, index: int, state: PhoneState, seconds: float) -> None:
        """A flaky phone is in trouble for a while. One whose token died registers with a new one, as apps do."""
        number = index % len(self._flaky) if self._flaky else 0
        if not self._flaky or number in self._busy:
            return
        self._busy.add(number)
        self._later(self._in_trouble(number, state, seconds))

    async def refuse(self, index: int) -> None:
        """The next push to a flaky phone is refused for good."""
        if self._flaky:
            phone = self._flaky[index % len(self._flaky)]
            self.disturbed.add(phone.token)
            refusal = Fault(what=REFUSAL, match=Match(token=phone.token), count=1)
            await insist(lambda: self.control.add_fault(refusal))

    async def move(self, index: int) -> None:
        """A nomad's Android phone is taken over by the next extension's user."""
        if len(self._nomads) > 1:
            self._later(self._moved(index % len(self._nomads)))

    async def calm(self) -> None:
        """Wait until every trouble has passed and every registration is in force."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()

    async def _in_trouble(self, number: int, state: PhoneState, seconds: float) -> None:
        phone = self._flaky[number]
        self.disturbed.add(phone.token)
        provider = Provider.APNS if phone.voip else Provider.FCM
        await insist(lambda: self.control.set_phone(phone.token, provider=provider, state=state))
        await asyncio.sleep(seconds)
        if state in (PhoneState.UNREGISTERED, PhoneState.EXPIRED):
            fresh = self._apple_token() if phone.voip else self._google_token()
            self._flaky[number] = replace(phone, token=fresh)
            self.disturbed.add(fresh)
            await self._register(self._flaky[number])
        else:
            await insist(lambda: self.control.set_phone(phone.token, state=PhoneState.OK))
        self._busy.discard(number)

    async def _moved(self, number: int) -> None:
        """The phones of two neighbours are swapped, one after the other: their tokens change hands."""
        async with self._moving:
            first, second = self._nomads[number], self._nomads[(number + 1) % len(self._nomads)]
            first.token, second.token = second.token, first.token
            self.disturbed |= {first.token, second.token}
            for phone in (first, second):
                await self._register(phone)

    async def _register(self, phone: Phone) -> None:
        since = now()
        tokens = [token for token in (phone.token, phone.voip) if token is not None]
        new = [Registration(token=token, place=phone.place, device_id=phone.device_id, since=since) for token in tokens]
        self.registrations += new
        await self._put(phone)
        acknowledged = now()
        for index, old in enumerate(self.registrations):
            replaced = old.token in tokens or (old.place, old.device_id) == (phone.place, phone.device_id)
            if replaced and old.until is None and old not in new:
                self.registrations[index] = replace(old, until=acknowledged)

    async def _put(self, phone: Phone) -> None:
        place = phone.place
        path = f"/v1/tenants/{place.tenant}/extensions/{place.extension}/devices/{phone.device_id}"
        headers = {"Authorization": f"Bearer {self.keys.api[place.tenant]}"}

        async def put() -> None:
            async with self.session.put(self.url + path, json=_document(phone), headers=headers) as answer:
                answer.raise_for_status()

        await insist(put)

    def _apple_token(self) -> str:
        return self.rng.randbytes(32).hex()

    def _google_token(self) -> str:
        return f"{self.rng.randbytes(8).hex()}:APA91b{self.rng.randbytes(32).hex()}"


def _document(phone: Phone) -> dict[str, object]:
    if phone.voip is None:
        return {"app": ANDROID, "name": "An Android phone", "push": {"provider": "fcm", "token": phone.token}}
    push = {"provider": "apns", "token": phone.token, "voip_token": phone.voip, "environment": "production"}
    return {"app": IOS, "name": "An iPhone", "push": push}
