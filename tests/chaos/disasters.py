"""What is done to the processes, the providers and the phones, drawn from a seed. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.simulator.faults import Answer, Fault, Frames, GoAway, Match
from gateway.simulator.views import PhoneState
from tests.chaos.dice import dice


class Target(StrEnum):
    """A process that can be killed."""

    API = "api"
    WORKER_1 = "worker-1"
    WORKER_2 = "worker-2"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL or SIGTERM; the process is started again after a while."""

    target: Target
    graceful: bool
    down_ms: int

    def __str__(self) -> str:
        return f"{'SIGTERM' if self.graceful else 'SIGKILL'} {self.target}, down for {self.down_ms} ms"


@dataclass(frozen=True, slots=True)
class Freeze:
    """SIGSTOP of the store, and SIGCONT after a while."""

    milliseconds: int

    def __str__(self) -> str:
        return f"SIGSTOP store for {self.milliseconds} ms"


@dataclass(frozen=True, slots=True)
class Script:
    """The providers misbehave."""

    name: str
    fault: Fault
    milliseconds: int | None = None
    """A fault without a count ends after so long."""
    repeats: int = 0
    """How many pushes it may make come twice: they arrive, and their answers are lost."""

    def __str__(self) -> str:
        what = self.name if self.fault.count in (None, 1) else f"{self.name} x{self.fault.count}"
        return what if self.milliseconds is None else f"{what} for {self.milliseconds} ms"


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone of the flaky group goes off, or its token dies; after a while it is well, or registers anew."""

    index: int
    """Which of the group's phones, counted round."""
    state: PhoneState
    milliseconds: int

    def __str__(self) -> str:
        return f"flaky phone {self.index} is {self.state} for {self.milliseconds} ms"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The next push to a phone of the flaky group is refused for good."""

    index: int

    def __str__(self) -> str:
        return f"the next push to flaky phone {self.index} is refused for good"


@dataclass(frozen=True, slots=True)
class Revoke:
    """Google believes no access token any more."""

    def __str__(self) -> str:
        return "every access token is revoked"


@dataclass(frozen=True, slots=True)
class Move:
    """An Android phone of the nomads goes to the next extension of the group."""

    index: int

    def __str__(self) -> str:
        return f"nomad phone {self.index} changes hands"


Disaster: TypeAlias = Kill | Freeze | Script | Phone | Refuse | Revoke | Move

REFUSAL = Answer(status=413, reason="PayloadTooLarge")
"""A refusal for good that nothing but a script causes here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harshness:
    """How much is done, and how long it may take to pass."""

    pause_seconds: tuple[float, float] = (0.5, 1.0)
    """Between two disasters of the processes."""
    slow: bool = True
    """Also what takes ten seconds and more to pass: silence, half-open connections, refused credentials."""
    provider_share: float = 0.5
    """Probability that a provider or a phone misbehaves along with a kill."""


@dataclass(frozen=True, slots=True)
class Step:
    """A disaster, and how long to wait before it."""

    wait_seconds: float
    disaster: Disaster
    kills: int = field(default=0)
    """Kills up to and including this step."""


def steps(seed: str, *, kills: int, harshness: Harshness) -> Iterator[Step]:
    """Disasters in their order until so many processes were killed. The same seed gives the same steps."""
    rng = dice(seed, "disasters")
    for number in range(1, kills + 1):
        yield Step(rng.uniform(*harshness.pause_seconds), _kill(rng), number)
        if rng.random() < harshness.provider_share:
            yield Step(rng.uniform(0, 0.2), misbehaviour(rng, slow=harshness.slow), number)
        if rng.random() < 0.04:
            yield Step(rng.uniform(0, 0.2), Freeze(rng.choice((300, 1000, 3500, 5000))), number)


def misbehaviours(seed: str, *, slow: bool) -> Iterator[Disaster]:
    """Providers and phones only, without end: for the soak."""
    rng = dice(seed, "misbehaviour")
    while True:
        yield misbehaviour(rng, slow=slow)


_TARGETS = {Target.API: 30, Target.WORKER_1: 29, Target.WORKER_2: 29, Target.STORE: 12}


def _kill(rng: random.Random) -> Kill:
    target = rng.choices(tuple(_TARGETS), tuple(_TARGETS.values()))[0]
    return Kill(target, graceful=rng.random() < 0.3, down_ms=rng.choice((0, 0, 50, 300, 1000)))


def misbehaviour(rng: random.Random, *, slow: bool) -> Disaster:
    """One trouble of a provider or a phone."""
    index = rng.randrange(1000)
    match rng.random():
        case chance if chance < 0.12:
            states = (PhoneState.OFFLINE, PhoneState.THROTTLED, PhoneState.UNREGISTERED, PhoneState.EXPIRED)
            return Phone(index, rng.choice(states), rng.randrange(500, 5000))
        case chance if chance < 0.17:
            return Refuse(index)
        case chance if chance < 0.19:
            return Revoke()
        case chance if chance < 0.27:
            return Move(index)
        case _:
            return _script(rng, slow=slow)


def _script(rng: random.Random, *, slow: bool) -> Script:
    provider = rng.choice(("apns", "fcm"))
    menu = [*_ANSWERS[provider], *_CONNECTIONS]
    if slow:
        menu += [*_SLOW, *_SLOW_OF[provider]]
    name, document = rng.choice(menu)
    return _scripted(rng, provider, name, dict(document))


def _scripted(rng: random.Random, provider: str, name: str, document: dict[str, Any]) -> Script:
    seconds = document.pop("seconds", None)
    most = document.pop("most", 1)
    target = document.pop("provider", provider)
    if not document.get("now"):
        document["count"] = None if seconds else rng.randint(1, most)
    fault = Fault.model_validate({"match": Match(provider=target), **document})
    lost = fault.count or 0 if fault.deliver else 0
    return Script(f"{target}: {name}", fault, None if seconds is None else round(seconds * 1000), lost)


def _answer(status: int, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"what": Answer(status=status, reason=reason, **more)}


_Dish: TypeAlias = tuple[str, dict[str, Any]]

_ANSWERS: dict[str, list[_Dish]] = {
    "apns": [
        ("500", {**_answer(500, "InternalServerError"), "most": 30}),
        ("503 storm", {**_answer(503, "ServiceUnavailable"), "seconds": 1.5}),
        ("503 Shutdown", {**_answer(503, "Shutdown"), "most": 5}),
        ("429", {**_answer(429, "TooManyRequests"), "most": 10}),
        ("an error without a body", {**_answer(500, body=""), "most": 5}),
        ("an error that is no JSON", {**_answer(503, body="<html>busy</html>"), "most": 5}),
        ("500 to a push that arrived", {**_answer(500, "InternalServerError"), "most": 5, "deliver": True}),
        ("the provider token is called expired", {**_answer(403, "ExpiredProviderToken"), "most": 1}),
    ],
    "fcm": [
        ("500", {**_answer(500, "INTERNAL"), "most": 30}),
        ("503 storm", {**_answer(503, "UNAVAILABLE"), "seconds": 1.5}),
        ("503 with Retry-After", {**_answer(503, "UNAVAILABLE", retry_after=1), "most": 10}),
        ("429 with Retry-After", {**_answer(429, "QUOTA_EXCEEDED", retry_after=1), "most": 5}),
        ("an error without a body", {**_answer(500, body=""), "most": 5}),
        ("an error that is no JSON", {**_answer(502, body="<html>busy</html>"), "most": 5}),
        ("500 to a push that arrived", {**_answer(500, "INTERNAL"), "most": 5, "deliver": True}),
        ("401", {**_answer(401, "UNAUTHENTICATED"), "most": 1}),
        ("OAuth answers 503", {**_answer(503), "provider": "oauth", "most": 3}),
        ("OAuth answers garbage", {**_answer(200, body="<html>"), "provider": "oauth", "most": 2}),
        ("OAuth is slow", {"what": {"do": "answer"}, "delay_ms": 3000, "provider": "oauth", "most": 2}),
    ],
}
_CONNECTIONS: list[_Dish] = [
    *((f"RST_STREAM {code}", {"what": {"do": "rst_stream", "code": code}, "most": 8}) for code in (2, 7, 8, 11)),
    ("GOAWAY below", {"what": {"do": "goaway", "last_stream": "below"}}),
    ("GOAWAY above", {"what": GoAway(last_stream="above", debug={"reason": "Shutdown"})}),
    ("GOAWAY everywhere", {"what": {"do": "goaway", "last_stream": "above"}, "now": True}),
    ("connection reset", {"what": {"do": "reset"}, "most": 3}),
    ("all connections reset", {"what": {"do": "reset"}, "now": True}),
    ("connection closed", {"what": {"do": "close"}, "most": 3}),
    ("reset after a push arrived", {"what": {"do": "reset"}, "deliver": True}),
    ("RST_STREAM after a push arrived", {"what": {"do": "rst_stream", "code": 2}, "deliver": True, "most": 5}),
    # its arrival counts when the answer goes: the delay stays below the accountant's tolerance
    ("slow answers", {"what": {"do": "answer"}, "delay_ms": 400, "most": 30}),
    ("odd frames", {"what": Answer(frames=Frames(split=1, padding=7, continuation=True, empty_data=3)), "most": 20}),
    ("one stream at a time", {"what": {"do": "max_streams", "limit": 1}, "now": True}),
    ("ten streams", {"what": {"do": "max_streams", "limit": 10}, "now": True}),
    ("a thousand streams", {"what": {"do": "max_streams", "limit": 1000}, "now": True}),
]
_SLOW: list[_Dish] = [
    ("no answer", {"what": {"do": "no_answer"}, "most": 5}),
    ("no answer to a push that arrived", {"what": {"do": "no_answer"}, "deliver": True, "most": 3}),
    ("half-open connection", {"what": {"do": "half_open"}}),
    ("no more window", {"what": {"do": "stall_window"}}),
    ("long 503 storm", {"what": Answer(status=503), "seconds": 6}),
]
_SLOW_OF: dict[str, list[_Dish]] = {
    "apns": [
        ("429 without end of updates", {**_answer(429, "TooManyProviderTokenUpdates"), "most": 1}),
        ("the provider token is refused", {**_answer(403, "InvalidProviderToken"), "most": 1}),
    ],
    "fcm": [
        ("429 without Retry-After", {**_answer(429, "QUOTA_EXCEEDED"), "most": 4}),
        ("OAuth does not answer", {"what": {"do": "no_answer"}, "provider": "oauth", "most": 1}),
    ],
}
