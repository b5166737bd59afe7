"""One request first on a new connection, the others after its answer.

An HTTP/2 client may open a hundred streams before the server's first SETTINGS have come, and Apple allows one until it
has seen a valid provider token; it ends a connection that opens more. So a new connection, and one after trouble of the
connection or a long silence, starts with a canary, and what comes meanwhile waits at the gate.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum

from gateway.providers.wire_errors import Trouble


class Leaving(Enum):
    """How a request ended, as far as the gate cares."""

    ANSWERED = "answered"
    """By an answer that opens the connection for more."""
    CONNECTION_FAILED = "connection_failed"
    """The connection is gone; there will be another."""
    NO_CONNECTION = "no_connection"
    """None could be had."""
    NOT_OPENED = "not_opened"
    """Answered, but the provider does not believe us: more requests would only meet the same."""
    UNDECIDED = "undecided"
    """This one request failed; nothing is known of the connection."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to send. Has to be given back by `Gate.leave`."""

    epoch: int
    canary: bool


@dataclass(frozen=True, slots=True)
class Held:
    """No leave to send."""

    trouble: Trouble
    """What the canary met, or HELD_BACK."""


class Gate:
    """The gate of one connection. Lives on one event loop."""

    def __init__(self, *, hold_seconds: float, patience_seconds: float, silence_seconds: float) -> None:
        """`hold_seconds`: longest wait at the gate. `patience_seconds`: how long the canary may take before another
        joins it, so that one swallowed request does not stop all. `silence_seconds`: a connection that carried nothing
        for so long counts as new."""
        self._hold = hold_seconds
        self._patience = patience_seconds
        self._silence = silence_seconds
        self._open = False
        self._epoch = 0
        self._canaries = 0
        self._impatient = False
        self._in_flight = 0
        self._last_answer = 0.0
        self._waiting: deque[asyncio.Future[Pass | Held]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def makes_wait(self) -> bool:
        """Whether who comes now waits for a canary."""
        return not self._open and self._canaries > 0 and not self._impatient

    async def enter(self) -> Pass | Held:
        """Wait for leave to send."""
        if self._open and self._is_silent():
            self._shut()
        given = Pass(self._epoch, canary=False) if self._open else await self._admitted()
        if isinstance(given, Pass):
            self._in_flight += 1
        return given

    def leave(self, given: Pass, how: Leaving, trouble: Trouble = Trouble.HELD_BACK) -> None:
        """Give the pass back, with how the request ended. `trouble`: what those hear who waited for it in vain."""
        self._in_flight -= 1
        self._last_answer = asyncio.get_running_loop().time()
        if given.epoch != self._epoch:
            return
        if given.canary:
            self._canary_back(how, trouble)
        elif how in (Leaving.CONNECTION_FAILED, Leaving.NO_CONNECTION):
            self.renew()

    def renew(self) -> None:
        """The connection was replaced: start with a canary again."""
        self._shut()
        self._promote()

    def _is_silent(self) -> bool:
        quiet_since = asyncio.get_running_loop().time() - self._last_answer
        return self._in_flight == 0 and quiet_since > self._silence

    def _shut(self) -> None:
        self._open = False
        self._epoch += 1
        self._canaries = 0
        self._stop_timer()

    def _canary_back(self, how: Leaving, trouble: Trouble) -> None:
        self._canaries -= 1
        if how is Leaving.ANSWERED:
            self._open = True
            self._tell_all(Pass(self._epoch, canary=False))
        elif self._open:
            return
        elif how in (Leaving.UNDECIDED, Leaving.CONNECTION_FAILED):
            self._promote()
        else:
            self._tell_all(Held(trouble))

    async def _admitted(self) -> Pass | Held:
        if self._canaries == 0 or self._impatient:
            return self._canary()
        word: asyncio.Future[Pass | Held] = asyncio.get_running_loop().create_future()
        self._waiting.append(word)
        try:
            async with asyncio.timeout(self._hold):
                return await word
        except TimeoutError:
            return Held(Trouble.HELD_BACK)
        except asyncio.CancelledError:
            self._give_up(word)
            raise

    def _give_up(self, word: "asyncio.Future[Pass | Held]") -> None:
        """A waiter was cancelled in the moment in which it was made the canary: the next one is."""
        given = None if word.cancelled() or not word.done() else word.result()
        if isinstance(given, Pass) and given.canary and given.epoch == self._epoch:
            self._canaries -= 1
            self._promote()

    def _canary(self) -> Pass:
        self._canaries += 1
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._lose_patience)
        return Pass(self._epoch, canary=True)

    def _lose_patience(self) -> None:
        """The canary takes long: one more joins it, now or as soon as there is one."""
        self._impatient = True
        self._promote()

    def _promote(self) -> None:
        while self._waiting:
            word = self._waiting.popleft()
            if not word.done():
                word.set_result(self._canary())
                return

    def _tell_all(self, given: Pass | Held) -> None:
        self._stop_timer()
        while self._waiting:
            word = self._waiting.popleft()
            if not word.done():
                word.set_result(given)

    def _stop_timer(self) -> None:
        self._impatient = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
