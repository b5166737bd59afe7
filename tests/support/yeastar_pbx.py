"""A stand-in for a Yeastar P-Series PBX: its OpenAPI as the developer guide describes it, strict about what it says.

What the guide leaves open and this decides: the codes of errors; the names inside `queue/list` rows (`id`, `number`).
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CLIENT_ID = "client-of-the-gateway"
CLIENT_SECRET = "secret-of-the-client-at-the-pbx"
MOST_TOKENS = 8
TOKEN_OVER, LIMIT_REACHED, BAD_LOGIN, BAD_PARAMETER, NOT_FOUND = 10004, 70004, 70001, 40002, 40004


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that came with a good token."""

    interface: str
    query: dict[str, str]
    body: Any = None


def presence_list(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The portal's own default for the six statuses; `changes` by Yeastar's word for a status."""
    words = ("available", "away", "business_trip", "do_not_disturb", "launch", "off_work")
    return [{**_default_presence(word), **changes.get(word, {})} for word in words]


def _default_presence(word: str) -> dict[str, Any]:
    row: dict[str, Any] = {"status": word, "information": "", "ring_timeout": 30, "enb_ring_mobile": 0}
    for way in ("in", "ex"):
        for when in ("always", "no_answer", "busy"):
            on = when != "always"
            row |= {f"enb_{way}_{when}_forward": int(on), f"{way}_{when}_forward_dest": "ext_vm" if on else ""}
            row |= {f"{way}_{when}_forward_{part}": "" for part in ("value", "prefix", "num")}
    for stage in (1, 2):
        for end in ("endpoints", "mobile_client", "desktop_client", "web_client"):
            row[f"enb_ring{stage}_{end}"] = int(stage == 1)
    return row | {"mobile_prefix": "", "mobile_number": "", "dynamic_agent_action": "no_action", "vm_greeting": ""}


class Fault:
    """What goes wrong instead of an answer. `only` names the interface; '': any."""

    def __init__(self, kind: str, *, only: str = "", code: int = 50000, times: int = 1) -> None:
        self.kind, self.only, self.code, self.times = kind, only, code, times


@dataclass(slots=True)
class YeastarPbx:
    """The PBX's state, and what was asked of it."""

    url: str = ""
    extensions: list[dict[str, Any]] = field(default_factory=list)
    queues: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    """Valid access tokens, each with its refresh token."""
    logins: int = 0
    refreshes: int = 0
    refused_logins: int = 0
    without_user_agent: int = 0
    token_seconds: int = 1800
    most_at_once: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _now: int = 0
    _ids: Any = field(default_factory=lambda: itertools.count(10))

    def add_extension(self, number: str, **fields: Any) -> dict[str, Any]:
        """An extension; `fields` add to its row."""
        row = {
            "id": next(self._ids),
            "number": number,
            "presence_status": "available",
            "mobile_number": "",
            "presence_list": presence_list(),
            **fields,
        }
        self.extensions.append(row)
        return row

    def add_queue(self, number: str) -> int:
        """A queue; its id."""
        row = {"id": next(self._ids), "number": number, "name": f"Queue {number}"}
        self.queues.append(row)
        return int(row["id"])

    def forget_tokens(self) -> None:
        """As after a restart."""
        self.tokens.clear()

    def of(self, interface: str) -> list[dict[str, str]]:
        """The queries that came to an interface, without the token."""
        return [one.query for one in self.asked if one.interface == interface]

    def fail(self, kind: str, *, only: str = "", code: int = 50000, times: int = 1) -> None:
        """The next `times` requests meet `kind`: errcode, http500, garbage, not_an_object, huge, hang, hang_up or
        redirect."""
        self.faults.append(Fault(kind, only=only, code=code, times=times))

    # --- the HTTP side

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._gate()])
        base = "/openapi/v1.0/"
        app.router.add_post(base + "get_token", self._get_token)
        app.router.add_post(base + "refresh_token", self._refresh_token)
        app.router.add_get(base + "del_token", self._del_token)
        app.router.add_get(base + "extension/list", self._extension_list)
        app.router.add_get(base + "extension/get", self._extension_get)
        app.router.add_get(base + "extension/query", self._extension_query)
        app.router.add_post(base + "extension/update", self._extension_update)
        app.router.add_get(base + "queue/list", self._queue_list)
        app.router.add_get(base + "agent/login", self._agent_login)
        app.router.add_get(base + "agent/pause", self._agent_pause)
        return app

    def _gate(self) -> Any:
        @web.middleware
        async def gate(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            interface = request.path.removeprefix("/openapi/v1.0/")
            if not request.headers.get("User-Agent"):
                self.without_user_agent += 1
                return web.Response(status=403)
            for fault in self.faults:
                if fault.times > 0 and fault.only in ("", interface):
                    fault.times -= 1
                    return await self._faulty(request, fault)
            if interface not in ("get_token", "refresh_token"):
                if request.query.get("access_token") not in self.tokens:
                    return refused(TOKEN_OVER, "ACCESS TOKEN EXPIRED")
                query = {name: value for name, value in request.query.items() if name != "access_token"}
                self.asked.append(Asked(interface, query, await request.json() if request.can_read_body else None))
            return await handler(request)

        return gate

    async def _faulty(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.kind:
            case "errcode":
                return refused(fault.code, "FAILURE")
            case "http500":
                return web.Response(status=500)
            case "garbage":
                return web.Response(body=b"<html>Not what you think", content_type="application/json")
            case "not_an_object":
                return web.json_response([1, 2])
            case "huge":
                return web.Response(body=b" " * (9 * 1024 * 1024))
            case "redirect":
                raise web.HTTPFound("http://127.0.0.1:1/elsewhere")
            case "hang":
                await self.released.wait()
                return web.Response(status=500)
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=500)

    async def _get_token(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body != {"username": CLIENT_ID, "password": CLIENT_SECRET}:
            self.refused_logins += 1
            return refused(BAD_LOGIN, "USERNAME OR PASSWORD ERROR")
        if len(self.tokens) >= MOST_TOKENS:
            return refused(LIMIT_REACHED, "MAX LIMITATION EXCEEDED")
        self.logins += 1
        return self._new_token()

    async def _refresh_token(self, request: web.Request) -> web.Response:
        given = (await request.json()).get("refresh_token")
        found = next((token for token, refresh in self.tokens.items() if refresh == given), None)
        if found is None:
            return refused(10005, "REFRESH TOKEN EXPIRED")
        del self.tokens[found]
        self.refreshes += 1
        return self._new_token()

    def _new_token(self) -> web.Response:
        token, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self.tokens[token] = refresh
        self.most_at_once = max(self.most_at_once, len(self.tokens))
        return succeeded(
            access_token=token,
            access_token_expire_time=self.token_seconds,
            refresh_token=refresh,
            refresh_token_expire_time=86_400,
        )

    async def _del_token(self, request: web.Request) -> web.Response:
        del self.tokens[request.query["access_token"]]
        return succeeded()

    async def _extension_list(self, request: web.Request) -> web.Response:
        return self._list(request, self.extensions)

    async def _queue_list(self, request: web.Request) -> web.Response:
        return self._list(request, self.queues)

    async def _extension_get(self, request: web.Request) -> web.Response:
        found = [row for row in self.extensions if str(row["id"]) == request.query.get("id")]
        return succeeded(data=found[0]) if found else refused(NOT_FOUND, "DATA NOT FOUND")

    async def _extension_query(self, request: web.Request) -> web.Response:
        ids = request.query.get("ids", "").split(",")
        if not all(one.isdecimal() for one in ids):
            return refused(BAD_PARAMETER, "PARAMETER ERROR")
        return succeeded(data=[row for row in self.extensions if str(row["id"]) in ids])

    async def _extension_update(self, request: web.Request) -> web.Response:
        """Only what is sent changes; of a `presence_list` entry too. An unknown field is an error of the sender."""
        body = await request.json()
        row = next((one for one in self.extensions if one["id"] == body.get("id")), None)
        if row is None:
            return refused(NOT_FOUND, "DATA NOT FOUND")
        entries = {entry["status"]: entry for entry in row.get("presence_list", ())}
        sent = body.get("presence_list", [])
        known = all(set(entry) <= set(entries.get(entry.get("status"), ())) for entry in sent)
        if not known or set(body) - set(row):
            return refused(BAD_PARAMETER, "PARAMETER ERROR")
        for entry in sent:
            entries[entry["status"]].update(entry)
        row.update({name: value for name, value in body.items() if name != "presence_list"})
        return succeeded(id=row["id"])

    def _list(self, request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
        page, size = int(request.query.get("page", "1")), int(request.query.get("page_size", "10"))
        shown = [
            {name: value for name, value in row.items() if name != "presence_list"}
            for row in rows[(page - 1) * size : page * size]
        ]
        return succeeded(total_number=len(rows), data=shown)

    async def _agent_login(self, request: web.Request) -> web.Response:
        allowed = {"ext_id", "queue_ids", "operation", "is_paused", "reason", "is_login_last", "access_token"}
        return self._agent(request, allowed, {"login", "logout"})

    async def _agent_pause(self, request: web.Request) -> web.Response:
        allowed = {"ext_id", "queue_ids", "operation", "max_threshold_for_pause_time", "reason", "access_token"}
        return self._agent(request, allowed, {"pause", "unpause"})

    def _agent(self, request: web.Request, allowed: set[str], operations: set[str]) -> web.Response:
        query = request.query
        if set(query) - allowed or query.get("operation") not in operations:
            return refused(BAD_PARAMETER, "PARAMETER ERROR")
        known = {str(row["id"]) for row in self.extensions}, {str(row["id"]) for row in self.queues}
        if query.get("ext_id") not in known[0] or not set(query.get("queue_ids", "").split(",")) <= known[1]:
            return refused(NOT_FOUND, "DATA NOT FOUND")
        return succeeded()


def succeeded(**fields: Any) -> web.Response:
    return web.json_response({"errcode": 0, "errmsg": "SUCCESS", **fields})


def refused(code: int, message: str) -> web.Response:
    return web.json_response({"errcode": code, "errmsg": message})


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[str]:
    """The application on a free port of loopback; its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def yeastar_pbx() -> AsyncIterator[YeastarPbx]:
    """A PBX with extensions 1001 and 1002 and queues 6400 and 6401."""
    pbx = YeastarPbx()
    for number in ("1001", "1002"):
        pbx.add_extension(number)
    for number in ("6400", "6401"):
        pbx.add_queue(number)
    async with running(pbx.application()) as url:
        pbx.url = url
        try:
            yield pbx
        finally:
            pbx.released.set()
