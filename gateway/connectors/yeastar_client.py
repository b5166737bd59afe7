"""Yeastar P-Series OpenAPI: one login for all requests, and what its answers mean.

"API interfaces and events", "Request structure" and "Get access token" of the Yeastar P-Series developer guide: the
User-Agent is mandatory, the token is a query parameter (so that no URL may be logged), at most eight tokens are valid
at once, the result is in `errcode` of a 200.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

from gateway.connectors.outgoing import NoAnswer, Wire
from gateway.domain.errors import MalformedInput
from gateway.domain.event import Clock, Millis
from gateway.ingress import strict_json
from gateway.settings import Secret

JsonObject: TypeAlias = dict[str, JsonValue]

USER_AGENT = "OpenAPI"
"""As the developer guide writes it; a request without one is refused."""
MOST_BYTES = 8 * 1024 * 1024
RENEW_BEFORE: Millis = 60_000
"""A token is renewed so long before it ends."""
LOGIN_PAUSES: tuple[Millis, ...] = (5_000, 30_000, 120_000, 600_000)
"""After refused logins: a PBX blocks addresses that keep trying."""
PAGE_SIZE = 100
MOST_PAGES = 200

_TOKEN_CODES = frozenset({10003, 10004, 20004, 20005, 20006})
"""Codes that mean a token is missing, wrong or over. The guide's table was not to be had: a message that names a token,
and HTTP 401, mean the same."""


class PbxRefuses(Exception):
    """The PBX answered with an errcode."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"errcode {code}")
        self.code = code
        self.about_token = code in _TOKEN_CODES or "token" in message.lower()


class LoginRefused(NoAnswer):
    """The PBX does not take the client id and secret, or has no token left."""


@dataclass(frozen=True, slots=True)
class _Login:
    token: str = field(repr=False)
    until: Millis
    refresh: str = field(repr=False)
    refresh_until: Millis


class YeastarClient:
    """Asks one PBX. Raises `PbxRefuses` for an errcode and `NoAnswer` for everything else that goes wrong."""

    def __init__(self, wire: Wire, url: str, client_id: str, client_secret: Secret, *, clock: Clock) -> None:
        self._wire = wire
        self._base = f"{url}/openapi/v1.0"
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._turn = asyncio.Lock()
        self._login: _Login | None = None
        self._refused = 0
        self._not_before: Millis = 0

    async def get(self, interface: str, **query: str | int) -> JsonObject:
        """`GET interface`, logged in."""
        return await self._asked("GET", interface, query, None)

    async def post(self, interface: str, body: JsonObject) -> JsonObject:
        """`POST interface`, logged in."""
        return await self._asked("POST", interface, {}, body)

    async def pages(self, interface: str, **query: str | int) -> AsyncIterator[JsonObject]:
        """Every row of a list interface."""
        for page in range(1, MOST_PAGES + 1):
            found = rows(await self.get(interface, page=page, page_size=PAGE_SIZE, **query))
            for row in found:
                yield row
            if len(found) < PAGE_SIZE:
                return

    async def close(self) -> None:
        """Give the token back: only eight may be valid at once."""
        login, self._login = self._login, None
        if login is not None:
            with suppress(NoAnswer, PbxRefuses):
                await self._ask("GET", "del_token", {"access_token": login.token}, None)

    async def _asked(
        self, method: str, interface: str, query: dict[str, str | int], body: JsonObject | None
    ) -> JsonObject:
        token = await self._token()
        try:
            return await self._ask(method, interface, {**query, "access_token": token}, body)
        except PbxRefuses as error:
            if not error.about_token:
                raise
        again = await self._token(instead_of=token)
        return await self._ask(method, interface, {**query, "access_token": again}, body)

    async def _token(self, *, instead_of: str | None = None) -> str:
        """The one token; got, or renewed, by one caller while the others wait."""
        async with self._turn:
            now, login = self._clock(), self._login
            if login is not None and login.token == instead_of:
                login = self._login = None
            if login is None or login.until - RENEW_BEFORE <= now:
                login = self._login = await self._renewed(login, now)
            return login.token

    async def _renewed(self, login: _Login | None, now: Millis) -> _Login:
        if login is not None and login.refresh and login.refresh_until > now:
            with suppress(PbxRefuses):
                return _login_of(await self._ask("POST", "refresh_token", {}, {"refresh_token": login.refresh}), now)
        if now < self._not_before:
            raise LoginRefused("the PBX refused the login")
        secret = self._client_secret.reveal()
        try:
            answer = await self._ask("POST", "get_token", {}, {"username": self._client_id, "password": secret})
        except PbxRefuses as error:
            self._not_before = now + LOGIN_PAUSES[min(self._refused, len(LOGIN_PAUSES) - 1)]
            self._refused += 1
            raise LoginRefused(f"the PBX refuses the login (errcode {error.code})") from None
        self._refused = 0
        return _login_of(answer, now)

    async def _ask(
        self, method: str, interface: str, query: dict[str, str | int], body: JsonObject | None
    ) -> JsonObject:
        answer = await self._wire.ask(
            method,
            f"{self._base}/{interface}",
            params=query,
            json=body,
            headers={"User-Agent": USER_AGENT},
        )
        if answer.status == 401:
            raise PbxRefuses(401, "token")
        if answer.status != 200:
            raise NoAnswer(f"HTTP {answer.status}")
        try:
            document = strict_json.loads(answer.body)
        except MalformedInput:
            raise NoAnswer("the answer is not JSON") from None
        if not isinstance(document, dict) or not isinstance(code := document.get("errcode"), int):
            raise NoAnswer("the answer has no errcode")
        if code != 0:
            raise PbxRefuses(code, str(document.get("errmsg", "")))
        return document


def rows(answer: JsonObject) -> list[JsonObject]:
    """The objects in `data`, which is a list, or one of them alone. Raises `NoAnswer` when it is neither."""
    data = answer.get("data")
    found = data if isinstance(data, list) else [data]
    objects = [row for row in found if isinstance(row, dict)]
    if len(objects) != len(found):
        raise NoAnswer("the answer has no data")
    return objects


def _login_of(answer: JsonObject, now: Millis) -> _Login:
    token, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(token, str) or not token:
        raise NoAnswer("the answer has no token")
    return _Login(
        token=token,
        until=now + _seconds(answer.get("access_token_expire_time"), 1800) * 1000,
        refresh=refresh if isinstance(refresh, str) else "",
        refresh_until=now + _seconds(answer.get("refresh_token_expire_time"), 86_400) * 1000,
    )


def _seconds(value: JsonValue, otherwise: int) -> int:
    return value if isinstance(value, int) and 0 < value <= 31_536_000 else otherwise
