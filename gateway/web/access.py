"""Who may call a route: a closed set of rules, and the caller that a rule admits. What no rule admits is refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.errors import NotAllowed
from gateway.settings import Scope


class CallerKind(StrEnum):
    """How a caller proved itself."""

    ANONYMOUS = "anonymous"
    """Not at all: an open route, or one open to the caller's network."""
    ADMIN = "admin"
    """An admin key: everything, all tenants."""
    API_KEY = "api_key"
    """A key of a server of the tenant, limited by its scopes."""
    APP = "app"
    """A user token of the mobile app: its own extension only."""
    PBX = "pbx"
    """A signature over the body by a source's secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A proven caller."""

    kind: CallerKind
    name: str = ""
    """Name of the key or of the source; the extension of an app."""
    tenant: str | None = None
    """None: no tenant's (anonymous), or all tenants' (admin)."""
    extension: str | None = None
    """The only one that an app may touch."""
    scopes: frozenset[Scope] = frozenset()
    delivery_id: str | None = None
    """`webhook-id` that a PBX's signature covers: equal ids are one delivery."""

    @property
    def author(self) -> str:
        """How records name the caller: `api:<key>`, `admin:<key>`, `app`, or the source's name."""
        match self.kind:
            case CallerKind.API_KEY:
                return f"api:{self.name}"
            case CallerKind.ADMIN:
                return f"admin:{self.name}"
            case CallerKind.PBX:
                return self.name
            case CallerKind.APP | CallerKind.ANONYMOUS:
                return self.kind.value


ANONYMOUS = Caller(kind=CallerKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Open:
    """Everyone, without proof."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Peers within `server.open_to` without proof, everyone else with an admin key."""


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin key."""


@dataclass(frozen=True, slots=True)
class HookSender:
    """The signature of the source in the path, or a key of its tenant with the scope `events`."""


@dataclass(frozen=True, slots=True)
class EventSender:
    """The signature of any generic source of the tenant, or a key of it with the scope `events`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfTenant:
    """A key of the tenant with all of `scopes`, or, when `app`, a user token of the extension in the path."""

    scopes: frozenset[Scope]
    app: bool = False

    def admit(self, caller: Caller, tenant: str, extension: str | None) -> Caller:
        """The caller, when it may. Raises `NotAllowed` when it may not, whether or not tenant and extension exist."""
        match caller.kind:
            case CallerKind.ADMIN:
                return caller
            case CallerKind.API_KEY if caller.tenant == tenant and self.scopes <= caller.scopes:
                return caller
            case CallerKind.APP if self.app and caller.tenant == tenant and caller.extension == extension:
                return caller
        raise NotAllowed


Access: TypeAlias = Open | Operations | Admin | HookSender | EventSender | OfTenant

OPEN = Open()
OPERATIONS = Operations()
ADMIN = Admin()
HOOK_SENDER = HookSender()
EVENT_SENDER = EventSender()
MAY_POST_EVENTS = OfTenant(scopes=frozenset({Scope.EVENTS}))
READS_TENANT = OfTenant(scopes=frozenset({Scope.READ}))
READS_EXTENSION = OfTenant(scopes=frozenset({Scope.READ}), app=True)
WRITES_DEVICES = OfTenant(scopes=frozenset({Scope.DEVICES}), app=True)
WRITES_PRESENCE = OfTenant(scopes=frozenset({Scope.PRESENCE}), app=True)
ERASES = OfTenant(scopes=frozenset({Scope.DEVICES, Scope.PRESENCE}))
