"""What the pipeline may ask of a PBX, and which PBX an extension belongs to."""

from dataclasses import dataclass
from typing import Protocol

from gateway.domain.agent_action import AgentOrder, AgentOutcome
from gateway.domain.event import Millis
from gateway.domain.presence import Profile
from gateway.settings import SourceSettings, TenantSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorHealth:
    """How a connector does. Reasons name no secret and no token."""

    kind: str
    last_success_at: Millis | None = None
    last_error: str | None = None
    last_error_at: Millis | None = None
    next_sync_at: Millis | None = None
    """When presence settings are read next; None: they are not synchronised."""


class Connector(Protocol):
    """A client of one source's PBX."""

    async def switch_agent(self, tenant: str, extension: str, order: AgentOrder) -> AgentOutcome:
        """Ask the PBX for one agent action. Never raises for the PBX's trouble; ends within 30 seconds."""

    def health(self) -> ConnectorHealth:
        """How it does."""


def connected_source(tenant: TenantSettings, profile: Profile) -> SourceSettings | None:
    """The source whose connector serves the extension: the profile's, else the tenant's only one with a connector."""
    connected = [source for source in tenant.sources if source.connector is not None]
    if profile.source is not None:
        connected = [source for source in connected if source.name == profile.source]
    return connected[0] if len(connected) == 1 else None
