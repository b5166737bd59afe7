"""Google's access token: fetched once for all who ask, in a thread, renewed ahead; the old one serves meanwhile."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.providers.access_token import AccessToken, Fetched, FetchFailed, TokenTimes, kept_fresh

FAILED = FetchFailed(reason="oauth_unavailable", configuration=False)


def clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Endpoint:
    """Stands for the exchange: what it does is set, how often it was asked is counted."""

    life: int = 3_600_000
    answer: Callable[["Endpoint"], Fetched | FetchFailed] | None = None
    calls: int = 0
    threads: set[str] = field(default_factory=set)

    def __call__(self) -> Fetched | FetchFailed:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        return self.answer(self) if self.answer else self.token()

    def token(self) -> Fetched:
        return Fetched(value=f"token-{self.calls}", expires_at=clock() + self.life)


def new_token(endpoint: Endpoint, **times: float) -> AccessToken:
    return AccessToken(endpoint, clock=clock, times=TokenTimes(**times))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


async def test_all_who_ask_at_once_share_one_fetch_off_the_loop() -> None:
    def slowly(endpoint: Endpoint) -> Fetched:
        time.sleep(0.05)
        return endpoint.token()

    endpoint = Endpoint(answer=slowly)
    token = new_token(endpoint)

    answers = await asyncio.gather(*(token.current() for _ in range(300)))

    assert {answer.header for answer in answers if isinstance(answer, Fetched)} == {"Bearer token-1"}
    assert (endpoint.calls, endpoint.threads) == (1, {"oauth"})


async def test_one_who_gives_up_waiting_does_not_take_the_fetch_from_the_others() -> None:
    released = threading.Event()

    def held(endpoint: Endpoint) -> Fetched:
        released.wait(5)
        return endpoint.token()

    token = new_token(Endpoint(answer=held))
    impatient, patient = asyncio.create_task(token.current()), asyncio.create_task(token.current())
    await asyncio.sleep(0.01)
    impatient.cancel()
    released.set()

    assert isinstance(await patient, Fetched)


async def test_it_is_renewed_before_it_ends() -> None:
    endpoint = Endpoint(life=300)
    async with kept_fresh(new_token(endpoint)) as token:
        await until(lambda: endpoint.calls >= 3)
        assert token.expires_at is not None
        assert token.expires_at > clock()


async def test_the_old_one_serves_while_renewal_fails_and_is_replaced_when_it_works_again() -> None:
    def fails_twice(endpoint: Endpoint) -> Fetched | FetchFailed:
        return FAILED if endpoint.calls in {2, 3} else endpoint.token()

    endpoint = Endpoint(life=1500, answer=fails_twice)
    async with kept_fresh(new_token(endpoint, first_retry=0.02)) as token:
        await until(lambda: endpoint.calls >= 2)
        present = await token.current()
        assert isinstance(present, Fetched)
        assert present.value in {"token-1", "token-4"}
        await until(lambda: endpoint.calls >= 4)


async def test_after_its_end_the_reason_is_said_instead() -> None:
    token = new_token(Endpoint(answer=lambda _: FAILED))

    assert await token.current() == FAILED
    assert token.expires_at is None


async def test_after_a_failure_the_endpoint_is_left_alone_for_a_moment() -> None:
    endpoint = Endpoint(answer=lambda _: FAILED)
    token = new_token(endpoint)
    for _ in range(20):
        await token.current()

    assert endpoint.calls == 1


async def test_one_that_google_does_not_believe_is_replaced_once_for_all_who_hold_it() -> None:
    endpoint = Endpoint()
    token = new_token(endpoint)
    stale = await token.current()
    assert isinstance(stale, Fetched)

    answers = await asyncio.gather(*(token.other_than(stale) for _ in range(50)))

    assert {answer.header for answer in answers if isinstance(answer, Fetched)} == {"Bearer token-2"}
    assert endpoint.calls == 2
    assert await token.other_than(stale) == await token.current()
    assert endpoint.calls == 2


async def test_an_exchange_that_hangs_is_given_up_and_does_not_hold_up_the_end() -> None:
    released = threading.Event()

    def hangs(endpoint: Endpoint) -> Fetched:
        released.wait(30)
        return endpoint.token()

    async with kept_fresh(new_token(Endpoint(answer=hangs), flight=0.05)) as token:
        assert await token.current() == FetchFailed(reason="oauth_timeout", configuration=False)
    released.set()


def test_a_token_does_not_print_itself() -> None:
    assert "hunter2" not in repr(Fetched(value="hunter2", expires_at=1))
