"""The gate: every request is proven and allowed here, or refused. A route without a rule is refused too."""

from collections.abc import Mapping

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.domain.errors import BadProof, NotAllowed
from gateway.domain.event import Clock
from gateway.settings import Scope, Settings
from gateway.web.access import (
    ANONYMOUS,
    MAY_POST_EVENTS,
    Access,
    Admin,
    Caller,
    CallerKind,
    EventSender,
    HookSender,
    OfTenant,
    Open,
    Operations,
)
from gateway.web.bearer import KeyRing, bearer_token
from gateway.web.keys import CALLER
from gateway.web.network import Address, client_address, within
from gateway.web.problems import Handler
from gateway.web.rates import Rates
from gateway.web.requests import header_map, raw_body
from gateway.web.signed import GenericSources, Signed, by_source
from gateway.web.user_tokens import UserTokens

SIGNATURE = "webhook-signature"
SIGNATURES = (SIGNATURE, "x-signature")
"""Who sends one of them is judged by it: a key beside a wrong signature mends nothing."""


class Gate:
    """Proves and admits callers by the rules of `access`."""

    def __init__(self, settings: Settings, user_tokens: UserTokens, *, clock: Clock) -> None:
        self._settings = settings
        self._user_tokens = user_tokens
        self._keys = KeyRing(settings)
        self._generic_sources = GenericSources(settings)
        self._clock = clock

    async def admit(self, request: web.Request, access: Access) -> Caller:
        """The caller, proven and allowed. Raises `BadProof` (401) or `NotAllowed` (403).

        Neither tells whether a tenant, a source or an extension exists: a key is judged before the path is, a user
        token of another tenant is as wrong as one for no tenant at all.
        """
        match access:
            case Open():
                return ANONYMOUS
            case Operations():
                return ANONYMOUS if self._is_near(request) else self._admin(request)
            case Admin():
                return self._admin(request)
            case HookSender():
                return await self._hook_sender(request)
            case EventSender():
                return await self._event_sender(request)
            case OfTenant():
                return await self._of_tenant(request, access)

    def address(self, request: web.Request) -> Address | None:
        """Where the request comes from, as far as the proxies that are trusted say."""
        return client_address(request, self._settings.server.trusted_proxies)

    def _is_near(self, request: web.Request) -> bool:
        return within(self.address(request), self._settings.server.open_to)

    def _admin(self, request: web.Request) -> Caller:
        caller = self._keys.holder(bearer_token(request), None)
        if caller is None:
            raise BadProof
        if caller.kind is not CallerKind.ADMIN:
            raise NotAllowed
        return caller

    async def _of_tenant(self, request: web.Request, access: OfTenant) -> Caller:
        tenant, token = request.match_info["tenant"], bearer_token(request)
        caller = self._keys.holder(token, tenant) or await self._user_tokens.caller(tenant, token)
        return access.admit(caller, tenant, request.match_info.get("extension"))

    async def _event_sender(self, request: web.Request) -> Caller:
        if SIGNATURE not in request.headers:
            return await self._of_tenant(request, MAY_POST_EVENTS)
        return self._generic_sources.proven(request.match_info["tenant"], await self._signed(request))

    async def _hook_sender(self, request: web.Request) -> Caller:
        found = self._settings.source(request.match_info["source"])
        if any(name in request.headers for name in SIGNATURES) or "Authorization" not in request.headers:
            return by_source(found, await self._signed(request))
        caller = self._keys.holder(bearer_token(request), found[0].id if found else None)
        if found is None or caller is None or caller.tenant not in (found[0].id, None):
            raise BadProof
        if caller.kind is not CallerKind.ADMIN and Scope.EVENTS not in caller.scopes:
            raise NotAllowed
        return caller

    async def _signed(self, request: web.Request) -> Signed:
        return Signed(headers=header_map(request), body=await raw_body(request), now=self._clock())


def gatekeeper(gate: Gate, rates: Rates, rules: Mapping[web.AbstractRoute, Access]) -> Middleware:
    """The middleware that lets nothing pass but by a rule, and nobody too often; the router's own 404 and 405 answer
    for themselves."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None:
            rule = rules.get(request.match_info.route)
            if rule is None:
                raise NotAllowed
            caller = await _proven(gate, rates, request, rule)
            request[CALLER] = caller
            structlog.contextvars.bind_contextvars(caller=caller.author)
        return await handler(request)

    return admit


async def _proven(gate: Gate, rates: Rates, request: web.Request, rule: Access) -> Caller:
    if isinstance(rule, Open):
        return ANONYMOUS
    address = gate.address(request)
    rates.require_patience(address)
    try:
        caller = await gate.admit(request, rule)
    except BadProof:
        rates.note_failure(address)
        raise
    rates.count(caller)
    return caller
