"""A provider of the tests' own: it answers as scripted, and has phones that show what a user would see."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.domain.device import Device
from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, Answer, Outcome
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.providers import SenderHealth
from gateway.settings import AppSettings


@dataclass(slots=True)
class Phone:
    """What one phone shows: a later notification replaces the one of the same collapse id; the last badge stands."""

    received: list[Push] = field(default_factory=list)
    shown: dict[str, Push] = field(default_factory=dict)
    badge: int = 0
    rings: list[str] = field(default_factory=list)

    def receive(self, push: Push) -> None:
        """As iOS by `apns-collapse-id`, and Android by `tag`."""
        self.received.append(push)
        if push.kind is PushKind.CALL_INCOMING:
            self.rings.append(push.call_id or "")
        elif push.kind is not PushKind.BADGE:
            self.shown[push.collapse_id] = push
        if push.badge is not None:
            self.badge = push.badge

    @property
    def kinds(self) -> list[PushKind]:
        """What it shows, in the order of first appearance."""
        return [push.kind for push in self.shown.values()]


@dataclass(slots=True)
class ScriptedAdmission:
    """A circuit that the test opens."""

    clock: Callable[[], Millis]
    opens_at: Millis = 0

    def admits(self, now: Millis) -> bool:
        """Whether a push may go."""
        return now >= self.opens_at

    def retry_at(self, now: Millis) -> Millis:
        """When it lets pushes through again."""
        return max(now, self.opens_at)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to the provider."""

    push: Push
    device: Device
    at: Millis


class ScriptedSender:
    """A `Sender`: answers with what the script says next, and with `Accepted` when it has come to its end.

    An exception in the script is raised. While `gate` is closed, a push is on its way and has no answer yet.
    """

    def __init__(self, app: AppSettings, clock: Callable[[], Millis]) -> None:
        self.app = app
        self.circuit = ScriptedAdmission(clock)
        self.script: deque[Outcome | Answer | Exception] = deque()
        self.sent: list[Sent] = []
        self.phones: dict[str, Phone] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.up = True
        self.in_flight = 0
        self.most_in_flight = 0
        self.began = asyncio.Event()
        """Set by every push that begins."""
        self._clock = clock

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """See `Sender`."""
        self.sent.append(Sent(push, device, self._clock()))
        self.began.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        said = self.script.popleft() if self.script else Accepted()
        if isinstance(said, Exception):
            raise said
        answer = said if isinstance(said, Answer) else Answer(outcome=said, status=200, milliseconds=7)
        if isinstance(answer.outcome, Accepted):
            self.phones.setdefault(device.device_id, Phone()).receive(push)
        return answer

    def capacity(self) -> int:
        """See `Sender`."""
        return 1000

    def health(self) -> SenderHealth:
        """See `Sender`."""
        return SenderHealth(
            up=self.up,
            last_accepted_at=None,
            last_error=None if self.up else "InvalidProviderToken",
            last_error_at=None,
            circuit="closed" if self.circuit.admits(self._clock()) else "open",
            retry_at=None,
            credential_expires_at=None,
        )
