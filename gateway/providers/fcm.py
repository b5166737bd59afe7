"""Google: one push as one request to FCM's HTTP v1 API."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson

from gateway.domain.device import Device, Token
from gateway.domain.event import Millis
from gateway.domain.outcome import AppTrouble, Refused
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.fcm import build
from gateway.providers.access_token import AccessToken, Fetched, FetchFailed
from gateway.providers.fcm_answers import read
from gateway.providers.http2 import Answered, Exchange, Wire
from gateway.providers.readings import Reading, Sign, Step
from gateway.providers.sender import Delivered, reading_of_failure

KEEP_HEADERS = ("retry-after",)


class FcmChannel:
    """One app in its Firebase project."""

    def __init__(
        self, wire: Wire, *, url: str, project_id: str, token: AccessToken, clock: Callable[[], Millis]
    ) -> None:
        self._wire = wire
        self._url = f"{url}/v1/projects/{quote(project_id, safe='')}/messages:send"
        self._token = token
        self._clock = clock

    @property
    def capacity(self) -> int:
        """See Channel."""
        return self._wire.capacity

    @property
    def credential_expires_at(self) -> Millis | None:
        """See Channel."""
        return self._token.expires_at

    async def deliver(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Delivered:
        """See Channel. The message is made when there is a token to send it with: its `ttl` counts from then on."""
        address = device.token_for(push.kind)
        if address is None:
            return Delivered(reading=Reading(outcome=Refused(reason="no_token"), sign=Sign.NEUTRAL))
        token = await self._token.current()
        if isinstance(token, FetchFailed):
            return self._without_token(token)
        delivered = self._understood(await self._post(push, device, address, privacy, token))
        if delivered.reading.step is not Step.FRESH_CREDENTIAL:
            return delivered
        fresh = await self._token.other_than(token)
        if isinstance(fresh, FetchFailed):
            return self._without_token(fresh)
        return self._understood(await self._post(push, device, address, privacy, fresh))

    async def _post(self, push: Push, device: Device, address: Token, privacy: Privacy, token: Fetched) -> Exchange:
        message: dict[str, Any] = build(push, device, privacy=privacy, now=self._clock()).message
        body = orjson.dumps({"message": {**message, device.target.value: address.reveal()}})
        headers = {"authorization": token.header, "content-type": "application/json"}
        return await self._wire.post(self._url, headers, body, seconds_left=partial(self._seconds_left, push))

    def _seconds_left(self, push: Push) -> float:
        return (push.deadline - self._clock()) / 1000

    def _understood(self, exchange: Exchange) -> Delivered:
        if not isinstance(exchange, Answered):
            return Delivered(reading=reading_of_failure(exchange))
        retry_after = exchange.headers.get("retry-after")
        reading = read(exchange.status, exchange.body, retry_after=retry_after, now=self._clock())
        return Delivered(reading=reading, status=exchange.status)

    def _without_token(self, failed: FetchFailed) -> Delivered:
        outcome = AppTrouble(
            reason=failed.reason,
            after_seconds=None if failed.configuration else self._token.pause_seconds,
            configuration=failed.configuration,
        )
        return Delivered(reading=Reading(outcome=outcome, sign=Sign.TROUBLE))
