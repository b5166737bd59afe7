"""The connectors of a configuration, opened and closed with the process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from gateway.connectors.outgoing import Ways, Wire
from gateway.connectors.webhook import WebhookConnector
from gateway.connectors.yeastar import YeastarConnector
from gateway.connectors.yeastar_client import MOST_BYTES, YeastarClient
from gateway.domain.event import Clock
from gateway.pipeline.pbx import Connector
from gateway.settings import ConnectorSettings, Secret, Settings

MOST_WEBHOOK_BYTES = 65_536


@asynccontextmanager
async def open_connectors(settings: Settings, ways: Ways, *, clock: Clock) -> AsyncIterator[Mapping[str, Connector]]:
    """The connectors by source; nothing is asked before it is needed."""
    wanted = {
        source.name: source.connector for tenant in settings.tenants for source in tenant.sources if source.connector
    }
    async with AsyncExitStack() as stack:
        connectors: dict[str, Connector] = {}
        for name, one in wanted.items():
            session = await stack.enter_async_context(ways.session())
            match one.kind:
                case "yeastar":
                    yeastar = _yeastar(one, ways, session, clock)
                    stack.push_async_callback(yeastar.client.close)
                    connectors[name] = yeastar
                case "webhook":
                    wire = Wire(ways, session, MOST_WEBHOOK_BYTES)
                    connectors[name] = WebhookConnector(wire, one.url, _given(one.secret), clock=clock)
        yield connectors


def _yeastar(settings: ConnectorSettings, ways: Ways, session: aiohttp.ClientSession, clock: Clock) -> YeastarConnector:
    wire = Wire(ways, session, MOST_BYTES)
    client = YeastarClient(wire, settings.url, settings.client_id or "", _given(settings.client_secret), clock=clock)
    return YeastarConnector(client, clock=clock)


def _given(secret: Secret | None) -> Secret:
    """The settings' rules require it."""
    if secret is None:
        raise ValueError("a connector without its secret")
    return secret
