"""Client of the simulator's control API (docs/simulator.md): script faults, look at phones, count pushes."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from pydantic import TypeAdapter

from gateway.domain.device import Environment, Provider
from gateway.simulator.faults import Answer, Fault, Match, ScriptedFault, What
from gateway.simulator.views import Phone, PhoneState, PushPage, Stats

_PHONE = TypeAdapter(Phone)
_PHONES = TypeAdapter(tuple[Phone, ...])
_PAGE = TypeAdapter(PushPage)
_FAULTS = TypeAdapter(tuple[ScriptedFault, ...])
_STATS = TypeAdapter(Stats)
_POLL_SECONDS = 0.02


class SimulatorControl:
    """`async with SimulatorControl(control_url) as control: ...`.

    Every method raises `aiohttp.ClientError` when the simulator is gone or refuses the request.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), raise_for_status=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def alive(self) -> bool:
        """Whether the simulator answers."""
        try:
            await self._ask("GET", "/livez")
        except aiohttp.ClientError:
            return False
        return True

    async def phones(self) -> tuple[Phone, ...]:
        """Every virtual phone, in the order of their first appearance."""
        return _PHONES.validate_json(await self._ask("GET", "/phones"))

    async def phone(self, token: str) -> Phone | None:
        """The phone of a device token or installation id; None: no push and no PUT has made it yet."""
        try:
            return _PHONE.validate_json(await self._ask("GET", f"/phones/{token}"))
        except aiohttp.ClientResponseError as error:
            if error.status == 404:
                return None
            raise

    async def set_phone(
        self,
        token: str,
        *,
        state: PhoneState | None = None,
        provider: Provider | None = None,
        environment: Environment | None = None,
        topic: str | None = None,
        since: int | None = None,
    ) -> Phone:
        """Create or change a phone; what is None stays. `since`: `timestamp` (ms) of a dead token, default now.

        A new phone's provider is APNs when the token is hexadecimal, else FCM, unless given.
        """
        given = {"state": state, "provider": provider, "environment": environment, "topic": topic, "since": since}
        document = {key: value for key, value in given.items() if value is not None}
        return _PHONE.validate_json(await self._ask("PUT", f"/phones/{token}", document))

    async def pushes(self, *, after: int = 0, limit: int = 1000) -> PushPage:
        """Recorded pushes with `seq` above `after`, oldest first."""
        return _PAGE.validate_json(await self._ask("GET", f"/pushes?after={after}&limit={limit}"))

    async def add_fault(self, fault: Fault) -> int:
        """Script a fault; answers its id (0 for a `now` fault, which is over when this returns)."""
        body = await self._ask("POST", "/faults", fault.model_dump(mode="json"))
        return TypeAdapter(dict[str, int]).validate_json(body)["id"]

    async def script(
        self,
        what: What,
        *,
        provider: str | None = None,
        token: str | None = None,
        count: int | None = 1,
        delay_ms: int = 0,
        deliver: bool = False,
    ) -> int:
        """Short form of `add_fault` for the usual case."""
        match = Match.model_validate({"provider": provider, "token": token})
        return await self.add_fault(Fault(what=what, match=match, count=count, delay_ms=delay_ms, deliver=deliver))

    async def answer_with(
        self,
        status: int,
        reason: str = "",
        *,
        provider: str | None = None,
        token: str | None = None,
        count: int | None = 1,
    ) -> int:
        """Shortest form: the next `count` matching requests are answered so."""
        return await self.script(Answer(status=status, reason=reason), provider=provider, token=token, count=count)

    async def faults(self) -> tuple[ScriptedFault, ...]:
        """Faults in force, those that are used up excepted."""
        return _FAULTS.validate_json(await self._ask("GET", "/faults"))

    async def clear_faults(self) -> None:
        """End every fault; connections that are half open or stalled stay so."""
        await self._ask("DELETE", "/faults")

    async def revoke_oauth_tokens(self) -> None:
        """Every access token handed out so far is answered 401 UNAUTHENTICATED from now on."""
        await self._ask("POST", "/oauth/revoke")

    async def reset(self) -> None:
        """Forget phones, pushes, faults and counts. Connections and access tokens stay."""
        await self._ask("POST", "/reset")

    async def stats(self) -> Stats:
        """Counts since the start or the last reset."""
        return _STATS.validate_json(await self._ask("GET", "/stats"))

    async def wait_for_phone(self, token: str, until: Callable[[Phone], bool], *, seconds: float = 5.0) -> Phone:
        """Poll until the phone exists and `until` holds; raises TimeoutError with what it looked like last."""
        deadline = time.monotonic() + seconds
        while True:
            phone = await self.phone(token)
            if phone is not None and until(phone):
                return phone
            if time.monotonic() > deadline:
                raise TimeoutError(f"the phone never got there: {phone}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _ask(self, method: str, path: str, document: Any = None) -> bytes:
        if self._session is None:
            raise RuntimeError("use SimulatorControl as an async context manager")
        async with self._session.request(method, self._url + path, json=document) as response:
            return await response.read()
