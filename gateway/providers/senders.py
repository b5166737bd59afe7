"""Opens the senders of a configuration: credentials read, wires built, tokens kept fresh, all closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.domain.device import Environment
from gateway.domain.errors import ConfigurationError
from gateway.domain.event import Millis
from gateway.providers import apns, fcm
from gateway.providers.access_token import AccessToken, TokenTimes, kept_fresh
from gateway.providers.circuit import CircuitLimits
from gateway.providers.credentials import (
    ApnsCertificate,
    ApnsKey,
    apns_credentials,
    authorities,
    check_credentials,
    fcm_credentials,
)
from gateway.providers.google_oauth import ServiceAccountExchange
from gateway.providers.http2 import GRACE_SECONDS, open_wire
from gateway.providers.provider_token import ProviderToken
from gateway.providers.sender import AppSender, Channel, Sender
from gateway.providers.wire_client import WireSettings
from gateway.settings import ApnsSettings, AppSettings, FcmSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """What tests make smaller; the defaults are the product's."""

    apns_wire: WireSettings = field(
        default_factory=lambda: WireSettings(connections=2, streams=400, keep_headers=apns.KEEP_HEADERS)
    )
    """Per app and environment. Apple announces about 1000 streams."""
    fcm_wire: WireSettings = field(
        default_factory=lambda: WireSettings(
            connections=4, streams=90, keep_headers=fcm.KEEP_HEADERS, opens=lambda status: True
        )
    )
    """Per app. Google announces about 100 streams, whoever asks."""
    circuit: CircuitLimits = field(default_factory=CircuitLimits)
    token_times: TokenTimes = field(default_factory=TokenTimes)


@asynccontextmanager
async def open_senders(
    settings: Settings, *, clock: Callable[[], Millis], options: ProviderOptions | None = None
) -> AsyncIterator[Mapping[str, Sender]]:
    """A sender per app, by app id. Opens no connection before the first push, but fetches Google's access tokens.

    Call it after forking. Raises ConfigurationError with every problem of every app's files.
    """
    problems = [problem for app in settings.apps for problem in check_credentials(app, now=clock())]
    if problems:
        raise ConfigurationError(*problems)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, GRACE_SECONDS)
        opening = _Opening(stack, clock, options or ProviderOptions())
        yield {app.id: await opening.sender(app) for app in settings.apps}


class _Opening:
    """One run of `open_senders`: what apps share is made once."""

    def __init__(self, stack: AsyncExitStack, clock: Callable[[], Millis], options: ProviderOptions) -> None:
        self._stack = stack
        self._clock = clock
        self._options = options
        self._provider_tokens: dict[tuple[str, str], ProviderToken] = {}

    async def sender(self, app: AppSettings) -> Sender:
        channels: Mapping[Environment, Channel] = {}
        if app.apns is not None:
            channels = await self._apns(app, app.apns)
        elif app.fcm is not None:
            channels = await self._fcm(app, app.fcm)
        return AppSender(app, channels, clock=self._clock, limits=self._options.circuit)

    async def _apns(self, app: AppSettings, settings: ApnsSettings) -> dict[Environment, apns.ApnsChannel]:
        found = apns_credentials(app, self._clock())
        certificate = found if isinstance(found, ApnsCertificate) else None
        proof = self._provider_token(found) if isinstance(found, ApnsKey) else None
        wire = replace(
            self._options.apns_wire,
            ca_pem=authorities(app, self._clock()),
            identity_pem=certificate.pem if certificate else None,
        )
        urls = {Environment.PRODUCTION: settings.url, Environment.SANDBOX: settings.sandbox_url}
        return {
            environment: apns.ApnsChannel(
                await self._stack.enter_async_context(open_wire(_for(wire, url))),
                url=url,
                topic=settings.topic,
                proof=proof,
                clock=self._clock,
                credential_expires_at=certificate.expires_at if certificate else None,
            )
            for environment, url in urls.items()
        }

    async def _fcm(self, app: AppSettings, settings: FcmSettings) -> dict[Environment, fcm.FcmChannel]:
        account = fcm_credentials(app, self._clock())
        ca_pem = authorities(app, self._clock())
        wire = _for(replace(self._options.fcm_wire, ca_pem=ca_pem), settings.url)
        exchange = ServiceAccountExchange(account.credential, ca_pem=ca_pem, clock=self._clock)
        token = AccessToken(exchange, clock=self._clock, times=self._options.token_times)
        channel = fcm.FcmChannel(
            await self._stack.enter_async_context(open_wire(wire)),
            url=settings.url,
            project_id=account.project_id,
            token=await self._stack.enter_async_context(kept_fresh(token)),
            clock=self._clock,
        )
        return {Environment.PRODUCTION: channel}

    def _provider_token(self, found: ApnsKey) -> ProviderToken:
        """One per (team, key): Apple counts how often it changes."""
        known = self._provider_tokens
        name = (found.team_id, found.key_id)
        if name not in known:
            known[name] = ProviderToken(team_id=found.team_id, key_id=found.key_id, key=found.key)
        return known[name]


def _for(wire: WireSettings, url: str) -> WireSettings:
    return replace(wire, plain_text=url.startswith("http://"))
