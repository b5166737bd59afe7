"""Everything that may happen to one call's events and pushes, in any order, over the real store: several gateways take
the events in, repeats among them, several workers send, die, and take over from each other, and providers answer, fail,
or say nothing. It ends in the same inbox, badge and notification."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from gateway.domain.device import Device
from gateway.domain.event import Disposition, EventKind, Millis, PbxEvent
from gateway.domain.outcome import Accepted, Answer, NotSent, Outcome, TryLater, Unknown
from gateway.domain.push import Push, PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.settings import Settings
from gateway.store import Lease, Store, open_store
from tests.support.facts import an_event
from tests.support.pipeline import IOS, Pipeline, a_pipeline, settings_in
from tests.support.scripted_sender import Phone, ScriptedSender
from tests.support.servers import Server
from tests.support.store import ALL_LANES, TestClock

MISSED, VOICEMAIL, ANSWERED = EventKind.CALL_MISSED, EventKind.VOICEMAIL_NEW, EventKind.CALL_ANSWERED
ENDED, MAILBOX = EventKind.CALL_ENDED, EventKind.VOICEMAIL_MAILBOX
AT = {MISSED: 0, ENDED: 1000, ANSWERED: 2000, VOICEMAIL: 3000, MAILBOX: 9000}
STORIES = (
    (MISSED, ANSWERED),
    (MISSED, ANSWERED, MAILBOX),
    (ENDED, ANSWERED, MISSED),
    (MISSED, VOICEMAIL),
    (MISSED, VOICEMAIL, ANSWERED),
    (MISSED, MAILBOX, ENDED),
    tuple(AT),
)
"""Which events a call has: each arrives at any time, or never, or many times."""
GATEWAYS = 3
HOUR = 3600
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "40"))
Value = TypeVar("Value")


@dataclass(frozen=True)
class Result:
    """How a provider answers, and whether the phone has the push then."""

    outcome: Outcome
    shown: bool = False


ACCEPTED = Result(Accepted(), shown=True)
RESULTS = (
    ACCEPTED,
    Result(TryLater(reason="ServiceUnavailable")),
    Result(NotSent(reason="goaway")),
    Result(Unknown(reason="lost")),
    Result(Unknown(reason="only its answer was lost"), shown=True),
)


@dataclass
class Flight:
    """A push that is with the provider."""

    push: Push
    answer: asyncio.Future[Result]


class Provider(ScriptedSender):
    """Answers when, and as, it is told to."""

    def __init__(self, like: ScriptedSender, clock: TestClock) -> None:
        super().__init__(like.app, clock)
        self.flights: list[Flight] = []
        self.news = asyncio.Event()
        """A push came to it, or the machine's attention is wanted for another reason."""

    async def send(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Answer:
        """Wait for the machine's word."""
        flight = Flight(push, asyncio.get_running_loop().create_future())
        self.flights.append(flight)
        self.news.set()
        result = await flight.answer
        if result.shown:
            self.phones.setdefault(device.device_id, Phone()).receive(push)
        return Answer(outcome=result.outcome, status=200 if result is ACCEPTED else None)


class OneCallMachine(RuleBasedStateMachine):
    """The model is small: a set of events that were told, in whatever order."""

    url: str
    directory: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = TestClock()
        self.told: list[EventKind] = []
        self.held: list[Lease] = []
        self.sending: set[asyncio.Task[Any]] = set()
        self.steps = 0
        self.story: tuple[EventKind, ...] = ()
        self.steady = True
        self.began = self.clock() - 2 * HOUR * 1000
        self.provider, self.gateways, self.store = self._run(self._open())

    def _run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.runner.run(work)

    async def _open(self) -> tuple[Provider, list[Pipeline], Store]:
        settings: Settings = settings_in(self.directory, self.url)
        self._opened = open_store(settings.store, clock=self.clock)
        store = await self._opened.__aenter__()
        gateways = [a_pipeline(settings, store, self.clock) for _ in range(GATEWAYS)]
        provider = Provider(gateways[0].ios, self.clock)
        for gateway in gateways:
            senders = gateway.services.delivery.senders
            assert isinstance(senders, dict)
            senders[IOS] = provider
        return provider, gateways, store

    @initialize(story=st.sampled_from(STORIES), steady=st.sampled_from([True, True, True, False]))
    def a_call(self, story: tuple[EventKind, ...], steady: bool) -> None:
        self.story, self.steady = story, steady
        self._run(self.gateways[0].register("phone"))

    # -- what may happen --

    @rule(which=st.integers(0, 9), gateway=st.integers(0, GATEWAYS - 1))
    def an_event_arrives(self, which: int, gateway: int) -> None:
        """For the first time, or again."""
        kind = self.story[which % len(self.story)]
        self.told.append(kind)
        self._run(self.gateways[gateway].accept(self._event(kind)))

    @precondition(lambda self: len(self.story) > 2)
    @rule(first=st.integers(0, 9))
    def events_arrive_at_one_moment_at_several_gateways(self, first: int) -> None:
        kinds = [self.story[(first + number) % len(self.story)] for number in range(2)]
        self.told += kinds

        async def at_once() -> None:
            accepting = [
                self.gateways[number % GATEWAYS].accept(self._event(kind)) for number, kind in enumerate(kinds)
            ]
            await asyncio.gather(*accepting)

        self._run(at_once())

    @rule(count=st.integers(1, 3))
    def a_worker_takes(self, count: int) -> None:
        self._run(self._take(count))

    @rule(gateway=st.integers(0, GATEWAYS - 1))
    def a_worker_takes_and_sends(self, gateway: int) -> None:
        self._run(self._take(1))
        if self.held:
            self._run(self._send(self.held.pop(), gateway))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 9), gateway=st.integers(0, GATEWAYS - 1))
    def a_worker_sends(self, which: int, gateway: int) -> None:
        lease = self.held.pop(which % len(self.held))
        self._run(self._send(lease, gateway))

    @precondition(lambda self: self.provider.flights)
    @rule(which=st.integers(0, 9), result=st.sampled_from([ACCEPTED, *RESULTS]))
    def the_provider_answers(self, which: int, result: Result) -> None:
        self._run(self._answer(which, result))

    @precondition(lambda self: self.held)
    @rule()
    def a_worker_dies_with_what_it_took(self) -> None:
        self.held.clear()

    @rule()
    def what_nobody_renewed_is_taken_over(self) -> None:
        """Also what is being sent just now: a worker may be slow and not dead."""
        self.held += self._run(self.store.queue.reclaim("another", min_idle_ms=0, count=50))

    @rule(seconds=st.sampled_from([0.5, 3, 30]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_seconds(seconds)
        self._run(self.store.queue.move_due(self.clock()))

    @precondition(lambda self: self.steps < 1 and not self.steady)
    @rule(hours=st.sampled_from([-1, 1]))
    def the_clock_is_put_right_by_an_hour(self, hours: int) -> None:
        self.steps += 1
        self.clock.pass_seconds(hours * HOUR)

    # -- and how it ends --

    def teardown(self) -> None:
        try:
            self._run(self._rest())
            self._run(self._check())
        finally:
            self._run(self._opened.__aexit__(None, None, None))
            self.runner.close()

    async def _rest(self) -> None:
        """Until nothing comes back for longer than the longest pause between two attempts."""
        quiet = 0
        while quiet < 11:
            self.held += await self.store.queue.reclaim("last", min_idle_ms=0, count=500)
            await self._take(500)
            while self.held:
                await self._send(self.held.pop(), 0)
            while self.provider.flights:
                await self._answer(0, ACCEPTED)
            self.clock.pass_seconds(60)
            quiet = 0 if await self.store.queue.move_due(self.clock()) else quiet + 1

    async def _check(self) -> None:
        gateway, told = self.gateways[0], set(self.told)
        missed = bool({MISSED, ENDED} & told) and not {ANSWERED, VOICEMAIL} & told
        kinds = ["call.missed"] * missed + ["voicemail.new"] * (VOICEMAIL in told)
        badge = missed + (1 if told & {VOICEMAIL, MAILBOX} else 0)
        phone = self.provider.phones.get("phone", Phone())
        shown = [kind for kind in phone.kinds if kind is not PushKind.CALL_WITHDRAWN]
        assert await gateway.inbox_kinds() == kinds
        assert await gateway.badge() == badge
        assert shown == [PushKind(kind) for kind in kinds]
        if not self.steps:  # an hour is the life of a push that holds the number alone
            assert phone.badge == badge
        assert await gateway.waiting() == 0

    async def _take(self, count: int) -> None:
        self.held += await self.store.queue.take("worker", lanes=ALL_LANES, count=count, block_ms=0)

    async def _send(self, lease: Lease, gateway: int) -> None:
        """Until it is with the provider, or was settled without that."""
        news = self.provider.news
        news.clear()
        task = asyncio.create_task(self.gateways[gateway].services.delivery.deliver(lease))
        self.sending.add(task)
        task.add_done_callback(self._ended)
        await news.wait()

    async def _answer(self, which: int, result: Result) -> None:
        flight = self.provider.flights.pop(which % len(self.provider.flights))
        self.provider.news.clear()
        flight.answer.set_result(result)
        await self.provider.news.wait()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.sending.discard(task)
        task.result()
        self.provider.news.set()

    def _event(self, kind: EventKind) -> PbxEvent:
        return an_event(
            kind,
            occurred_at=self.began + AT[kind],
            call_id="the call",
            message_id="the message",
            disposition=Disposition.NO_ANSWER if kind is ENDED else None,
            answered_by="1999" if kind is ANSWERED else None,
            mailbox_new=1,
        )


def test_whatever_happens_in_whatever_order_it_ends_in_the_same(server: Server, tmp_path: Path) -> None:
    class Machine(OneCallMachine):
        url, directory = server.url, tmp_path

        def __init__(self) -> None:
            with server.client() as client:
                client.flushall()
            super().__init__()

    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
