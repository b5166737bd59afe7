"""Any PBX behind a signed webhook of ours (Standard Webhooks 1.0.0): its own side does what the message says."""

import json

from gateway.connectors.outgoing import HttpAnswer, NoAnswer, Wire
from gateway.connectors.record import Record
from gateway.domain.agent_action import AgentOrder, AgentOutcome, Done, Refused, Trouble
from gateway.domain.event import Clock
from gateway.ingress.signatures import sign_standard_webhook
from gateway.pipeline.pbx import ConnectorHealth
from gateway.settings import Secret

TYPE = "agent.switch"
_PASSES = frozenset({408, 425, 429})
"""4xx that another time may be better for."""


class WebhookConnector:
    """See `gateway.pipeline.pbx.Connector`."""

    def __init__(self, wire: Wire, url: str, secret: Secret, *, clock: Clock) -> None:
        self._wire = wire
        self._url = url
        self._secret = secret
        self._clock = clock
        self.record = Record("webhook", clock=clock)

    async def switch_agent(self, tenant: str, extension: str, order: AgentOrder) -> AgentOutcome:
        """POST the order; its id is the `webhook-id` of every attempt."""
        body = json.dumps(_message(tenant, extension, order)).encode()
        seconds = self._clock() // 1000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "pbx-push-gateway",
            "webhook-id": order.order_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign_standard_webhook(self._secret.reveal(), order.order_id, seconds, body),
        }
        try:
            outcome = _outcome(await self._wire.ask("POST", self._url, data=body, headers=headers))
        except NoAnswer as error:
            outcome = Trouble(str(error))
        match outcome:
            case Done():
                self.record.succeeded()
            case Refused(reason=reason) | Trouble(reason=reason):
                self.record.failed(reason)
        return outcome

    def health(self) -> ConnectorHealth:
        """How it does."""
        return self.record.health()


def _message(tenant: str, extension: str, order: AgentOrder) -> dict[str, object]:
    return {
        "type": TYPE,
        "timestamp": order.asked_at // 1000,
        "data": {
            "tenant": tenant,
            "extension": extension,
            "status": order.status,
            "queue": order.queue,
            "action": order.action.value,
            "reason": order.reason,
        },
    }


def _outcome(answer: HttpAnswer) -> AgentOutcome:
    if 200 <= answer.status < 300:
        return Done()
    if 400 <= answer.status < 500 and answer.status not in _PASSES:
        return Refused(f"HTTP {answer.status}")
    after = answer.headers.get("Retry-After", "")
    return Trouble(f"HTTP {answer.status}", float(after) if after.isascii() and after.isdecimal() else None)
