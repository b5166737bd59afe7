"""A Yeastar P-Series PBX asked through its OpenAPI: agents are logged in, logged out and paused."""

import asyncio

from gateway.connectors.directory import Directory
from gateway.connectors.outgoing import NoAnswer
from gateway.connectors.record import Record
from gateway.connectors.yeastar_client import PbxRefuses, YeastarClient
from gateway.domain.agent_action import AgentOrder, AgentOutcome, Done, Refused, Trouble
from gateway.domain.event import Clock
from gateway.domain.presence import AgentAction
from gateway.pipeline.pbx import ConnectorHealth

ORDER_SECONDS = 30.0
"""For one order, with login and what has to be looked up for it."""


class YeastarConnector:
    """See `gateway.pipeline.pbx.Connector`."""

    def __init__(self, client: YeastarClient, *, clock: Clock) -> None:
        self.client = client
        self.extensions = Directory(client, "extension/list", clock=clock)
        self.queues = Directory(client, "queue/list", clock=clock)
        self.record = Record("yeastar", clock=clock)

    async def switch_agent(self, tenant: str, extension: str, order: AgentOrder) -> AgentOutcome:
        """`agent/login` or `agent/pause` for one queue (Yeastar P-Series developer guide, "Agent management")."""
        try:
            async with asyncio.timeout(ORDER_SECONDS):
                outcome = await self._switch(extension, order)
        except TimeoutError:
            outcome = Trouble("no answer in time")
        match outcome:
            case Done():
                self.record.succeeded()
            case Refused(reason=reason) | Trouble(reason=reason):
                self.record.failed(reason)
        return outcome

    def health(self) -> ConnectorHealth:
        """How it does."""
        return self.record.health()

    async def _switch(self, extension: str, order: AgentOrder) -> AgentOutcome:
        try:
            agent = await self.extensions.id_of(extension)
            queue = await self.queues.id_of(order.queue)
            if agent is None or queue is None:
                return Refused("the PBX has no such extension" if agent is None else "the PBX has no such queue")
            interface, query = _request(order)
            await self.client.get(interface, ext_id=agent, queue_ids=queue, **query)
        except PbxRefuses as error:
            # An id may have been given to another number since the lists were read.
            self.extensions.forget()
            self.queues.forget()
            return Trouble(str(error)) if error.about_token else Refused(str(error))
        except NoAnswer as error:
            return Trouble(str(error))
        return Done()


def _request(order: AgentOrder) -> tuple[str, dict[str, str | int]]:
    match order.action:
        case AgentAction.LOG_IN:
            # One request brings an agent back, also one that lunch had paused.
            return "agent/login", {"operation": "login", "is_paused": 0}
        case AgentAction.LOG_OUT:
            return "agent/login", {"operation": "logout"}
        case _:
            reason = {"reason": order.reason} if order.reason is not None else {}
            return "agent/pause", {"operation": "pause", **reason}
