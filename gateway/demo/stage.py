"""Plays the script: registers the phones, posts each step, looks at the phones, compares."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import jwt

from gateway.demo.post import Answer, Poster
from gateway.demo.scene import ALICE, ALICE_SETTINGS, ANDROID_APP, BOB, IOS_APP, TENANT, Keys
from gateway.demo.script import STEPS, Badge, Nothing, OnPhone, Phone, Rings, Shows, Step
from gateway.simulator.control_client import SimulatorControl

PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    extension: str
    event: str
    presence: str
    decision: str
    reason: str
    phone: str
    problem: str | None
    """How it differs from what was expected; None: as expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a phone has at one moment."""

    received: int
    rings: int
    badge: int | None
    notifications: int
    title: str
    body: str
    sound: bool


@dataclass(slots=True)
class Stage:
    """The running demo."""

    session: aiohttp.ClientSession
    control: SimulatorControl
    url: str
    keys: Keys

    async def set_up(self) -> None:
        """Register the iPhone with the tenant's key, the Android phone with its user's token, and Alice's settings."""
        iphone = {
            "app": IOS_APP,
            "name": "Alice's iPhone",
            "locale": "en-GB",
            "push": {
                "provider": "apns",
                "token": self.keys.iphone,
                "voip_token": self.keys.iphone_voip,
                "environment": "production",
            },
        }
        android = {
            "app": ANDROID_APP,
            "name": "Bobs Telefon",
            "locale": "de-DE",
            "push": {"provider": "fcm", "token": self.keys.android},
        }
        user = jwt.encode({"sub": BOB, "exp": int(time.time()) + 600}, self.keys.user_tokens, algorithm="HS256")
        await self._put(ALICE, "devices/alice-iphone", iphone, self.keys.provisioning)
        await self._put(BOB, "devices/bob-android", android, user)
        for status, settings in ALICE_SETTINGS.items():
            await self._put(ALICE, f"presence/settings/{status}", settings, self.keys.provisioning)

    async def _put(self, extension: str, path: str, document: object, key: str) -> None:
        url = f"{self.url}/v1/tenants/{TENANT}/extensions/{extension}/{path}"
        async with self.session.put(url, json=document, headers={"Authorization": f"Bearer {key}"}) as response:
            if response.status not in (200, 201):
                raise RuntimeError(f"PUT {path}: {response.status} {await response.text()}")

    async def play(self, on_row: Callable[[Row], None]) -> list[Row]:
        """Every step in turn; `on_row` gets each line as it is known."""
        rows = []
        poster = Poster(self.session, self.url, self.keys)
        for step in STEPS:
            before = {phone: await self._glance(phone) for phone in Phone}
            answer = await (poster.again() if step.again else poster.post(step.event))
            row = await self._row(step, answer, before)
            on_row(row)
            rows.append(row)
        return rows

    async def _row(self, step: Step, answer: Answer, before: dict[Phone, Glance]) -> Row:
        decision = answer.body.get("decision") or {}
        status = str(answer.body.get("status", "refused")) if answer.http < 400 else "refused"
        action = str(decision.get("action", "refused"))
        reason = str(decision.get("reason", answer.http))
        problems = []
        if (status, action, reason) != (step.status, step.action, step.reason):
            problems.append(f"expected {step.status} {step.action} {step.reason}")
        seen, problem = await self._phones(step.phone, before)
        if problem is not None:
            problems.append(problem)
        return Row(
            extension=step.event.extension,
            event=step.event.label,
            presence=await self._presence(step.event.extension),
            decision=action if status == "accepted" else f"{action} ({status})" if status == "duplicate" else status,
            reason=reason,
            phone=seen,
            problem="; ".join(problems) or None,
        )

    async def _presence(self, extension: str) -> str:
        url = f"{self.url}/v1/tenants/{TENANT}/extensions/{extension}/presence"
        headers = {"Authorization": f"Bearer {self.keys.provisioning}"}
        async with self.session.get(url, headers=headers) as response:
            return str((await response.json())["status"])

    async def _glance(self, phone: Phone) -> Glance:
        tokens = [self.keys.iphone, self.keys.iphone_voip] if phone is Phone.IPHONE else [self.keys.android]
        found = [one for token in tokens if (one := await self.control.phone(token)) is not None]
        last = found[0].last if found else None
        return Glance(
            received=sum(one.received_count for one in found),
            rings=sum(len(one.rings) for one in found),
            badge=found[0].badge if found else None,
            notifications=len(found[0].shown) if found else 0,
            title=last.title if last else "",
            body=last.body if last else "",
            sound=last.sound if last else False,
        )

    async def _phones(self, expected: OnPhone, before: dict[Phone, Glance]) -> tuple[str, str | None]:
        """What appeared on which phone, and how it differs from what was expected."""
        if isinstance(expected, Nothing):
            after = {phone: await self._glance(phone) for phone in Phone}
            changed = [phone for phone in Phone if after[phone] != before[phone]]
            return ("nothing", None) if not changed else (_told(after[changed[0]]), f"{changed[0]} was told")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            glance = await self._glance(expected.phone)
            problem = _difference(expected, glance, before[expected.phone])
            if problem is None or time.monotonic() > deadline:
                return f"{expected.phone}: {_seen(expected, glance)}", problem
            await asyncio.sleep(_POLL_SECONDS)


def _difference(expected: Shows | Rings | Badge, now: Glance, before: Glance) -> str | None:
    if now.received != before.received + 1:
        return f"{now.received - before.received} pushes instead of 1"
    match expected:
        case Rings():
            return None if now.rings == before.rings + 1 else "it did not ring"
        case Badge(badge=badge):
            if now.badge != badge:
                return f"badge {now.badge} instead of {badge}"
            return None if now.notifications == before.notifications else "a notification appeared"
        case Shows(notifications=notifications):
            wanted = (expected.title, expected.body, expected.badge, expected.sound)
            if (now.title, now.body, now.badge, now.sound) != wanted:
                return f"expected {wanted}"
            wrong_number = notifications is not None and now.notifications != notifications
            return f"{now.notifications} notifications instead of {notifications}" if wrong_number else None


def _seen(expected: Shows | Rings | Badge, glance: Glance) -> str:
    match expected:
        case Rings():
            return "rings"
        case Badge():
            return f"badge {glance.badge}"
        case Shows():
            return _told(glance)


def _told(glance: Glance) -> str:
    return f"“{glance.title}” {glance.body}, badge {glance.badge}, {'sound' if glance.sound else 'quiet'}"
