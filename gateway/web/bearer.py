"""`Authorization: Bearer`: the token, and the API keys that it may be."""

import hmac
import secrets
from collections import defaultdict
from collections.abc import Mapping

from aiohttp import web

from gateway.domain.errors import BadProof
from gateway.settings import Settings
from gateway.web.access import Caller, CallerKind


def bearer_token(request: web.Request) -> str:
    """The token of the request. Raises `BadProof` when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise BadProof
    return token


class KeyRing:
    """All API keys, found by a keyed digest.

    The digest is HMAC-SHA256 under a key that lives as long as the process: how long a look-up takes tells nothing of
    how much of a key was guessed, and costs the same for one key as for ten thousand.
    """

    def __init__(self, settings: Settings) -> None:
        self._pepper = secrets.token_bytes(32)
        holders: defaultdict[bytes, list[Caller]] = defaultdict(list)
        for key in settings.admin.api_keys:
            holders[self._digest(key.key.reveal())].append(Caller(kind=CallerKind.ADMIN, name=key.name))
        for tenant in settings.tenants:
            for grant in tenant.api_keys:
                holder = Caller(kind=CallerKind.API_KEY, name=grant.name, tenant=tenant.id, scopes=grant.scopes)
                holders[self._digest(grant.key.reveal())].append(holder)
        self._holders: Mapping[bytes, tuple[Caller, ...]] = {digest: tuple(them) for digest, them in holders.items()}

    def holder(self, token: str, tenant: str | None) -> Caller | None:
        """Whose key `token` is; when several share it: an admin, else the one of `tenant`, else any. None: nobody's."""
        holders = self._holders.get(self._digest(token), ())
        fitting = (caller for caller in holders if caller.kind is CallerKind.ADMIN or caller.tenant == tenant)
        return next(fitting, holders[0] if holders else None)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._pepper, token.encode("utf-8", "surrogateescape"), "sha256")
