"""Reads on, while a run lasts, what came to the providers."""

import asyncio
from typing import Any

from gateway.domain.device import Provider
from gateway.domain.push import PushKind
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.views import Fate, ReceivedPush
from tests.chaos.ledger import Place, WirePush
from tests.chaos.patience import insist

POLL_SECONDS = 0.4
PAGE = 1000
_NOT_DELIVERED = frozenset({Fate.REFUSED, Fate.VALIDATED})


class Wire:
    """Everything that came over the wire so far."""

    def __init__(self, control: SimulatorControl) -> None:
        self._control = control
        self._after = 0
        self._reading = asyncio.Lock()
        self.pushes: list[WirePush] = []
        self.lost = 0
        """Pushes that left the simulator's memory before they were read; has to stay 0."""

    async def follow(self) -> None:
        """Read on until cancelled."""
        while True:
            await self.read_on()
            await asyncio.sleep(POLL_SECONDS)

    async def read_on(self) -> int:
        """Read what is new; how many there were."""
        async with self._reading:
            return await self._read_pages()

    async def _read_pages(self) -> int:
        count = 0
        while True:
            page = await insist(lambda: self._control.pushes(after=self._after, limit=PAGE))
            self.lost += page.lost
            self.pushes += [wire_push(push) for push in page.items]
            self._after = page.next
            count += len(page.items)
            if len(page.items) < PAGE:
                return count


def wire_push(push: ReceivedPush) -> WirePush:
    """What the accountant needs of a push."""
    told = _told(push)
    kind = told.get("kind", "")
    return WirePush(
        seq=push.seq,
        at=push.at,
        token=push.token,
        push_id=push.push_id,
        kind=kind,
        place=Place(told.get("tenant", ""), told.get("extension", "")),
        call_id=told.get("call_id") or "",
        loud=kind == PushKind.CALL_INCOMING or _makes_a_sound(push),
        status=push.status,
        reason=push.reason,
        delivered=push.fate not in _NOT_DELIVERED,
        too_late=push.fate is Fate.EXPIRED,
        badge=_badge(push, told),
        expires_at=_expires_at(push),
    )


def _told(push: ReceivedPush) -> dict[str, Any]:
    """The gateway's own part of the payload."""
    payload = push.payload if isinstance(push.payload, dict) else {}
    told: Any = payload.get("pbx") if push.provider is Provider.APNS else payload.get("message", {}).get("data")
    return told if isinstance(told, dict) else {}


def _makes_a_sound(push: ReceivedPush) -> bool:
    payload = push.payload if isinstance(push.payload, dict) else {}
    if push.provider is Provider.APNS:
        return bool(payload.get("aps", {}).get("sound"))
    message = payload.get("message", {})
    channel = message.get("android", {}).get("notification", {}).get("channel_id", "")
    return "notification" in message and not channel.endswith(".quiet")


def _badge(push: ReceivedPush, told: dict[str, Any]) -> int | None:
    payload = push.payload if isinstance(push.payload, dict) else {}
    badge = payload.get("aps", {}).get("badge") if push.provider is Provider.APNS else told.get("badge")
    return None if badge is None else int(badge)


def _expires_at(push: ReceivedPush) -> int | None:
    """Apple's expiration is in whole seconds: up to a second is lost in it."""
    header = push.headers.get("apns-expiration", "")
    return int(header) * 1000 + 1000 if header.isdecimal() and header != "0" else None
