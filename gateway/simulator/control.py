"""The control API (docs/simulator.md): plain HTTP on loopback, without proof of identity."""

import re
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gateway.domain.device import Environment, Provider
from gateway.simulator.faults import Fault, ScriptedFault
from gateway.simulator.http2_server import Surroundings
from gateway.simulator.listeners import Listener
from gateway.simulator.oauth import AccessTokens
from gateway.simulator.phones import VirtualPhone
from gateway.simulator.views import Phone, PhoneState, PushPage, Stats
from gateway.simulator.world import World

_PHONE = TypeAdapter(Phone)
_PHONES = TypeAdapter(tuple[Phone, ...])
_PAGE = TypeAdapter(PushPage)
_FAULTS = TypeAdapter(tuple[ScriptedFault, ...])
_STATS = TypeAdapter(Stats)
_FAULT_ID = TypeAdapter(dict[str, int])
_MOST_PUSHES = 10_000
_APNS_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}")


class PhoneChange(BaseModel):
    """Body of `PUT /phones/{token}`; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: PhoneState | None = None
    provider: Provider | None = None
    environment: Environment | None = None
    topic: str | None = None
    since: int | None = None


class Control:
    """Handlers of the control API."""

    def __init__(
        self, *, world: World, around: Surroundings, access: AccessTokens, listeners: Iterable[Listener]
    ) -> None:
        self._world = world
        self._faults = around.faults
        self._counts = around.counts
        self._access = access
        self._listeners = tuple(listeners)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_refuse_bad_input])
        app.router.add_get("/livez", self.livez)
        app.router.add_get("/phones", self.phones)
        app.router.add_get("/phones/{token}", self.phone)
        app.router.add_put("/phones/{token}", self.set_phone)
        app.router.add_get("/pushes", self.pushes)
        app.router.add_get("/faults", self.faults)
        app.router.add_post("/faults", self.add_fault)
        app.router.add_delete("/faults", self.clear_faults)
        app.router.add_delete("/faults/{id}", self.remove_fault)
        app.router.add_post("/oauth/revoke", self.revoke)
        app.router.add_post("/reset", self.reset)
        app.router.add_get("/stats", self.stats)
        return app

    async def livez(self, request: web.Request) -> web.Response:
        """Answers while the simulator lives."""
        del request
        return web.json_response({"status": "ok"})

    async def phones(self, request: web.Request) -> web.Response:
        """Every phone."""
        del request
        return _json(_PHONES.dump_json(self._world.views()))

    async def phone(self, request: web.Request) -> web.Response:
        """One phone, or 404."""
        phone = self._world.find(_token(request))
        if phone is None:
            return web.json_response({"detail": "no phone has this token"}, status=404)
        return _json(_PHONE.dump_json(self._world.view(phone)))

    async def set_phone(self, request: web.Request) -> web.Response:
        """Create or change a phone."""
        token = _token(request)
        change = PhoneChange.model_validate_json(await request.read())
        phone = self._world.find(token) or self._new_phone(token, change)
        self._apply(phone, change)
        return _json(_PHONE.dump_json(self._world.view(phone)))

    async def pushes(self, request: web.Request) -> web.Response:
        """Recorded pushes, by cursor."""
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "1000"))
        page = self._world.pushes(max(0, after), max(1, min(limit, _MOST_PUSHES)))
        return _json(_PAGE.dump_json(page))

    async def faults(self, request: web.Request) -> web.Response:
        """Faults in force."""
        del request
        return _json(_FAULTS.dump_json(self._faults.list()))

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault in force, or play it now."""
        fault = Fault.model_validate_json(await request.read())
        if not fault.now:
            return _json(_FAULT_ID.dump_json({"id": self._faults.add(fault)}), status=201)
        for listener in self._listeners:
            if fault.match.provider in {None, listener.provider} and (
                fault.match.environment in {None, listener.environment}
            ):
                listener.act(fault.what)
        return _json(_FAULT_ID.dump_json({"id": 0}), status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """End every fault."""
        del request
        self._faults.clear()
        return web.Response(status=204)

    async def remove_fault(self, request: web.Request) -> web.Response:
        """End one fault, or 404."""
        found = self._faults.remove(int(request.match_info["id"]))
        return web.Response(status=204 if found else 404)

    async def revoke(self, request: web.Request) -> web.Response:
        """Void every access token."""
        del request
        self._access.revoke()
        return web.Response(status=204)

    async def reset(self, request: web.Request) -> web.Response:
        """Forget phones, pushes, faults and counts."""
        del request
        self._faults.clear()
        self._world.forget()
        return web.Response(status=204)

    async def stats(self, request: web.Request) -> web.Response:
        """Counts."""
        del request
        return _json(_STATS.dump_json(self._counts.view()))

    def _new_phone(self, token: str, change: PhoneChange) -> VirtualPhone:
        provider = change.provider or (Provider.APNS if _APNS_TOKEN.fullmatch(token) else Provider.FCM)
        return self._world.add_phone(token, provider, change.environment or Environment.PRODUCTION)

    def _apply(self, phone: VirtualPhone, change: PhoneChange) -> None:
        if change.provider is not None:
            phone.provider = change.provider
        if change.environment is not None:
            phone.environment = change.environment
        if change.topic is not None:
            phone.topic = change.topic
        if change.since is not None:
            phone.since = change.since
        if change.state is not None:
            phone.change_state(change.state, self._world.clock(), change.since)


def _token(request: web.Request) -> str:
    token = request.match_info["token"]
    return token.lower() if _APNS_TOKEN.fullmatch(token) else token


def _json(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")


@web.middleware
async def _refuse_bad_input(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        problems = [{"loc": list(found["loc"]), "msg": found["msg"]} for found in error.errors()]
        return web.json_response({"detail": "not a valid document", "errors": problems}, status=422)
    except ValueError as error:
        return web.json_response({"detail": str(error)}, status=422)
