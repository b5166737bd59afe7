"""Apple: one push as one request to APNs."""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from gateway.domain.device import Device
from gateway.domain.event import Millis
from gateway.domain.outcome import Refused
from gateway.domain.push import Push
from gateway.domain.tenant_policy import Privacy
from gateway.payloads.apns import ApnsMessage, build
from gateway.providers.apns_answers import heard, read
from gateway.providers.http2 import Answered, Exchange, Wire
from gateway.providers.provider_token import ProviderToken
from gateway.providers.readings import Reading, Sign, Step
from gateway.providers.sender import Delivered, reading_of_failure

KEEP_HEADERS = ("apns-id", "retry-after")
_UNINDEXED = frozenset({"apns-id", "apns-expiration", "apns-collapse-id"})
"""Apple: they differ each time, and its HPACK table is small."""


class ApnsChannel:
    """One app in one of Apple's environments."""

    def __init__(
        self,
        wire: Wire,
        *,
        url: str,
        topic: str,
        proof: ProviderToken | None,
        clock: Callable[[], Millis],
        credential_expires_at: Millis | None = None,
    ) -> None:
        """`proof`: None when the wire's client certificate is the proof."""
        self._wire = wire
        self._url = f"{url}/3/device/"
        self._topic = topic
        self._proof = proof
        self._clock = clock
        self.credential_expires_at = credential_expires_at

    @property
    def capacity(self) -> int:
        """See Channel."""
        return self._wire.capacity

    async def deliver(self, push: Push, device: Device, *, privacy: Privacy, now: Millis) -> Delivered:
        """See Channel. Ringing goes to the VoIP token."""
        address = device.token_for(push.kind)
        if address is None:
            return Delivered(reading=Reading(outcome=Refused(reason="no_voip_token"), sign=Sign.NEUTRAL))
        message = build(push, device, topic=self._topic, privacy=privacy)
        url = self._url + quote(address.reveal(), safe="")
        seconds_left = partial(self._seconds_left, push)
        proof = self._header()
        exchange = await self._post(url, message, proof, seconds_left)
        delivered = self._understood(exchange)
        if isinstance(exchange, Answered) and self._may_repeat(delivered.reading.step, exchange, proof):
            delivered = self._understood(await self._post(url, message, self._header(), seconds_left))
        return delivered

    def _seconds_left(self, push: Push) -> float:
        return (push.deadline - self._clock()) / 1000

    async def _post(self, url: str, message: ApnsMessage, proof: str, seconds_left: Callable[[], float]) -> Exchange:
        headers = {name: value for name, value in message.headers.items() if name not in _UNINDEXED}
        if proof:
            headers["authorization"] = proof
        unindexed = {name: value for name, value in message.headers.items() if name in _UNINDEXED}
        return await self._wire.post(url, headers, message.body, unindexed=unindexed, seconds_left=seconds_left)

    def _understood(self, exchange: Exchange) -> Delivered:
        if not isinstance(exchange, Answered):
            return Delivered(reading=reading_of_failure(exchange))
        result = heard(exchange.status, exchange.body, apns_id=exchange.headers.get("apns-id", ""))
        reading = read(result, retry_after=exchange.headers.get("retry-after"), now=self._clock())
        return Delivered(reading=reading, status=exchange.status)

    def _may_repeat(self, step: Step, answered: Answered, proof: str) -> bool:
        match step:
            case Step.NONE:
                return False
            case Step.RECONNECT:
                self._wire.renew(answered)
                return False
            case Step.RECONNECT_AND_REPEAT:
                self._wire.renew(answered)
                return True
            case Step.FRESH_CREDENTIAL:
                return self._proof is not None and self._proof.renew(proof, self._clock())

    def _header(self) -> str:
        return self._proof.header(self._clock()) if self._proof else ""
