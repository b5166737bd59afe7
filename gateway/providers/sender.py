"""A sender: one app's way to its provider, with the circuit that guards it. The same for Apple and Google."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.domain.device import Device, Environment
from gateway.domain.event import Millis
from gateway.domain.outcome import Accepted, Answer, AppTrouble, NotSent, Refused, Unknown
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.providers.circuit import Circuit, CircuitLimits, CircuitState
from gateway.providers.readings import Reading, Sign
from gateway.providers.wire_errors import OF_OUR_OWN, Trouble
from gateway.settings import AppSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderHealth:
    """How an app's provider does. Reasons only: no token, no URL, no text of an exception."""

    up: bool
    """Whether pushes go."""
    last_accepted_at: Millis | None
    last_error: str | None
    """Reason of the last push that was not accepted."""
    last_error_at: Millis | None
    circuit: str
    """`closed`, `open` or `half_open`."""
    retry_at: Millis | None
    """When the next push may go; None: at once."""
    credential_expires_at: Millis | None
    """End of the certificate, or of the present access token; None: a signing key does not expire."""


class Admission(Protocol):
    """Whether an app's pushes go, without sending one."""

    def admits(self, now: Millis) -> bool:
        """Whether a push may go now."""
        ...

    def retry_at(self, now: Millis) -> Millis:
        """When to ask again; `now` while pushes go."""
        ...


class Sender(Protocol):
    """Sends one app's pushes."""

    @property
    def app(self) -> AppSettings:
        """Whose pushes."""
        ...

    @property
    def circuit(self) -> Admission:
        """Ask it before taking pushes off the queue; `send` asks it too."""
        ...

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """Send it and wait for the answer, for a bounded time. Never raises for provider trouble. While the circuit is
        open, nothing is sent and the answer is AppTrouble. Cancelling does not call a push back."""
        ...

    def capacity(self) -> int:
        """How many may be in flight now: 0 while the circuit is open, 1 when a probe is due."""
        ...

    def health(self) -> SenderHealth:
        """How it does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of handing a push to a provider."""

    reading: Reading
    status: int | None = None


class Channel(Protocol):
    """A provider's own part of sending: credentials, addressing, tables."""

    @property
    def capacity(self) -> int:
        """How many may be in flight."""
        ...

    @property
    def credential_expires_at(self) -> Millis | None:
        """As in SenderHealth."""
        ...

    async def deliver(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Delivered:
        """Send it, with what repeats the answer asks for on the spot."""
        ...


@dataclass(frozen=True, slots=True)
class _Way:
    channel: Channel
    circuit: Circuit


class AppSender:
    """A Sender over one channel per environment (Google: one). Each environment has its circuit: a developer's sandbox
    phones do not stop the others."""

    def __init__(
        self,
        app: AppSettings,
        channels: Mapping[Environment, Channel],
        *,
        clock: Callable[[], Millis],
        limits: CircuitLimits | None = None,
    ) -> None:
        self.app = app
        self._clock = clock
        self._ways = {environment: _Way(channel, Circuit(limits)) for environment, channel in channels.items()}
        self._last_accepted_at: Millis | None = None
        self._last_error: tuple[str, Millis] | None = None
        self.circuit = _Circuits(tuple(way.circuit for way in self._ways.values()))

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """See Sender."""
        way = self._ways.get(device.environment_for(push.kind)) or self._ways[Environment.PRODUCTION]
        entered = self._clock()
        if not way.circuit.enter(entered):
            return Answer(outcome=_kept(way.circuit, entered))
        started = time.perf_counter()
        noted = Reading(outcome=Unknown(reason="cancelled"), sign=Sign.NEUTRAL)
        try:
            delivered = await way.channel.deliver(push, device, privacy=privacy, now=now)
            noted = delivered.reading
        finally:
            self._note(way.circuit, noted, entered)
        milliseconds = round((time.perf_counter() - started) * 1000)
        if isinstance(noted.outcome, NotSent) and way.circuit.state is not CircuitState.CLOSED:
            # surely not sent while the whole app has trouble: the app's trouble, which costs the push nothing
            return Answer(outcome=_kept(way.circuit, self._clock()), milliseconds=milliseconds)
        answer = Answer(outcome=noted.outcome, status=delivered.status, milliseconds=milliseconds)
        self._log(push, noted, answer)
        return answer

    def capacity(self) -> int:
        """See Sender."""
        now = self._clock()
        return sum(_capacity(way, now) for way in self._ways.values())

    def health(self) -> SenderHealth:
        """See Sender."""
        now = self._clock()
        reason, at = self._last_error or (None, None)
        state = self.circuit.state
        expiries = [way.channel.credential_expires_at for way in self._ways.values()]
        return SenderHealth(
            up=state is CircuitState.CLOSED,
            last_accepted_at=self._last_accepted_at,
            last_error=reason,
            last_error_at=at,
            circuit=state.value,
            retry_at=None if state is CircuitState.CLOSED else self.circuit.next_at(now),
            credential_expires_at=min((expiry for expiry in expiries if expiry is not None), default=None),
        )

    def _note(self, circuit: Circuit, reading: Reading, entered: Millis) -> None:
        now, before = self._clock(), circuit.state
        circuit.note(reading.outcome, now, sign=reading.sign, sent_at=entered)
        if isinstance(reading.outcome, Accepted):
            self._last_accepted_at = now
        else:
            self._last_error = (reading.outcome.reason, now)
        if circuit.state is CircuitState.OPEN and before is not CircuitState.OPEN:
            pause = circuit.retry_at(now) - now
            _log.warning("circuit_open", app=self.app.id, reason=circuit.reason, retry_in_ms=pause)
        elif circuit.state is CircuitState.CLOSED and before is not CircuitState.CLOSED:
            _log.info("circuit_closed", app=self.app.id)

    def _log(self, push: Push, reading: Reading, answer: Answer) -> None:
        outcome = answer.outcome
        if isinstance(outcome, Accepted):
            return
        _log.info(
            "push_not_accepted",
            push_id=push.push_id,
            app=self.app.id,
            outcome=type(outcome).__name__,
            reason=outcome.reason,
            unlisted=reading.unlisted or None,
            status=answer.status,
            milliseconds=answer.milliseconds,
        )


class _Circuits:
    """The circuits of an app as one: pushes go while any environment takes them, health shows the worst."""

    def __init__(self, circuits: tuple[Circuit, ...]) -> None:
        self._circuits = circuits

    @property
    def state(self) -> CircuitState:
        return max((circuit.state for circuit in self._circuits), key=_BADNESS.__getitem__)

    def admits(self, now: Millis) -> bool:
        return any(circuit.admits(now) for circuit in self._circuits)

    def retry_at(self, now: Millis) -> Millis:
        return min(circuit.retry_at(now) for circuit in self._circuits)

    def next_at(self, now: Millis) -> Millis:
        """When the first of those that are not closed is probed."""
        return min(circuit.retry_at(now) for circuit in self._circuits if circuit.state is not CircuitState.CLOSED)


_BADNESS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}


def reading_of_failure(failure: NotSent | Unknown) -> Reading:
    """What no answer means: our own limits say nothing of the provider, and what cannot be sent never can."""
    if failure.reason == Trouble.UNSENDABLE:
        return Reading(outcome=Refused(reason=failure.reason), sign=Sign.NEUTRAL)
    return Reading(outcome=failure, sign=Sign.NEUTRAL if failure.reason in OF_OUR_OWN else Sign.SICK)


def _capacity(way: _Way, now: Millis) -> int:
    if way.circuit.state is CircuitState.CLOSED:
        return way.channel.capacity
    return 1 if way.circuit.admits(now) else 0


def _kept(circuit: Circuit, now: Millis) -> AppTrouble:
    return AppTrouble(
        reason=circuit.reason,
        after_seconds=max(circuit.retry_at(now) - now, 0) / 1000,
        configuration=circuit.needs_person,
    )
