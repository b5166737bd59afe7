"""Google's access token: fetched off the event loop, shared by all who ask, renewed before it ends.

`google-auth` does the exchange (a signed assertion for a token, RFC 7523) with blocking calls, so it runs in a thread
of its own, and never more than once at a time. While a renewal fails, the old token serves until it ends.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from gateway.domain.event import Millis

RENEW_AT_SHARE: Final = 0.8
"""Of a token's life, after which it is renewed."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A token."""

    value: str = field(repr=False)
    expires_at: Millis

    @property
    def header(self) -> str:
        """Value of `authorization`."""
        return f"Bearer {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """No token."""

    reason: str
    """`oauth_unreachable`, `oauth_unavailable`, `oauth_timeout`, `oauth_garbage`, `oauth_refused` or
    `oauth_invalid_grant`."""
    configuration: bool
    """Whether a person has to mend it."""


Fetch: TypeAlias = Callable[[], Fetched | FetchFailed]
"""Blocks; runs in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTimes:
    """In seconds."""

    flight: float = 20.0
    """A fetch that takes longer is given up; its thread ends when it will."""
    first_retry: float = 5.0
    """Pause after a failed renewal; doubles up to `longest_retry`."""
    longest_retry: float = 60.0
    pause: float = 5.0
    """How long pushes wait when the token endpoint has trouble."""
    repeat_failure: float = 1.0
    """Who asks so soon after a failure hears of that one."""


class AccessToken:
    """The token of one service account."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], Millis], times: TokenTimes | None = None) -> None:
        self._fetch = fetch
        self._clock = clock
        self._times = times or TokenTimes()
        self._token: Fetched | None = None
        self._fetched_at: Millis = 0
        self._failure: tuple[FetchFailed, Millis] | None = None
        self._flight: asyncio.Task[Fetched | FetchFailed] | None = None

    @property
    def expires_at(self) -> Millis | None:
        """When the present token ends; None: there is none."""
        return self._token.expires_at if self._token else None

    @property
    def pause_seconds(self) -> float:
        """How long pushes wait when there was none to be had."""
        return self._times.pause

    async def current(self) -> Fetched | FetchFailed:
        """The present token, or the one that is fetched now because there is none that still holds."""
        token, now = self._token, self._clock()
        if token is not None and now < token.expires_at:
            return token
        if self._failure is not None and 0 <= now - self._failure[1] < self._times.repeat_failure * 1000:
            return self._failure[0]
        return await self._fetched()

    async def other_than(self, stale: Fetched) -> Fetched | FetchFailed:
        """A token in place of one that Google did not believe, fetched once for all who hold that one."""
        if self._token is not None and self._token != stale:
            return await self.current()
        return await self._fetched()

    async def keep_fresh(self) -> None:
        """Fetch the first token and renew it ahead of time, until cancelled."""
        pause = self._times.first_retry
        while True:
            if isinstance(await self._fetched(), Fetched):
                pause = self._times.first_retry
                await self._until_renewal()
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._times.longest_retry)

    async def _until_renewal(self) -> None:
        """Looks at the clock now and then, for a machine may have slept."""
        while (token := self._token) is not None:
            due = self._fetched_at + RENEW_AT_SHARE * (token.expires_at - self._fetched_at)
            left = (due - self._clock()) / 1000
            if left <= 0:
                return
            await asyncio.sleep(min(max(left, 0.05), 30.0))

    async def _fetched(self) -> Fetched | FetchFailed:
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly())
        return await asyncio.shield(self._flight)

    async def _fly(self) -> Fetched | FetchFailed:
        try:
            async with asyncio.timeout(self._times.flight):
                result = await _in_a_thread(self._fetch)
        except TimeoutError:
            result = FetchFailed(reason="oauth_timeout", configuration=False)
        now = self._clock()
        if isinstance(result, Fetched):
            self._token, self._fetched_at, self._failure = result, now, None
        else:
            self._failure = (result, now)
            _log.warning("access_not_renewed", reason=result.reason, old_one_holds=bool(self._holds(now)))
        return result

    def _holds(self, now: Millis) -> bool:
        return self._token is not None and now < self._token.expires_at


@asynccontextmanager
async def kept_fresh(token: AccessToken) -> AsyncIterator[AccessToken]:
    """The token, renewed in the background as long as the block lasts."""
    task = asyncio.create_task(token.keep_fresh())
    try:
        yield token
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _in_a_thread(fetch: Fetch) -> Fetched | FetchFailed:
    """A daemon thread, unlike an executor's: a fetch that hangs must not hold up the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Fetched | FetchFailed] = loop.create_future()

    def tell(result: Fetched | FetchFailed) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = fetch()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=run, name="oauth", daemon=True).start()
    return await done
