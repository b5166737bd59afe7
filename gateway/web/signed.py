"""Proof by signature: whose secret signed these bytes. Nothing of the body is parsed before."""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.errors import BadProof
from gateway.domain.event import Millis
from gateway.ingress import signatures
from gateway.settings import Settings, SourceKind, SourceSettings, TenantSettings
from gateway.web.access import Caller, CallerKind

_MOST_SECRETS = 2
"""That a source has: one, or two while one replaces the other."""
_DECOYS = tuple("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode() for _ in range(_MOST_SECRETS))
"""Tried where a secret is missing, so that a refusal takes as long for an unknown source as for one of any kind, and
for one secret as for two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The raw parts that a signature covers."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    now: Millis


Verify: TypeAlias = Callable[[Sequence[str], Signed], str | None]


def _standard_webhook(keys: Sequence[str], signed: Signed) -> str | None:
    return signatures.verify_standard_webhook(keys, signed.headers, signed.body, signed.now)


def _yeastar(keys: Sequence[str], signed: Signed) -> str | None:
    signatures.verify_yeastar(keys, signed.headers, signed.body)
    return None


_SCHEMES: Mapping[SourceKind, Verify] = {
    SourceKind.GENERIC: _standard_webhook,
    SourceKind.YEASTAR: _yeastar,
}
"""What each kind of PBX can prove itself by; the result is the delivery id, where the scheme has one."""


def by_source(found: tuple[TenantSettings, SourceSettings] | None, signed: Signed) -> Caller:
    """The source, when one of its secrets signed the bytes. Raises `BadProof`; None is an unknown source.

    Every scheme is worked through, whatever the kind of the source, and whether or not there is one.
    """
    proven: Caller | None = None
    for kind, verify in _SCHEMES.items():
        source = found[1] if found is not None and found[1].kind is kind else None
        try:
            delivery_id = verify(_padded(source), signed)
        except BadProof:
            continue
        if found is not None and source is not None:
            proven = Caller(kind=CallerKind.PBX, name=source.name, tenant=found[0].id, delivery_id=delivery_id)
    if proven is None:
        raise BadProof
    return proven


class GenericSources:
    """The generic sources of each tenant, for events that do not name their source."""

    def __init__(self, settings: Settings) -> None:
        self._by_tenant = {
            tenant.id: [(tenant, source) for source in tenant.sources if source.kind is SourceKind.GENERIC]
            for tenant in settings.tenants
        }
        self._most = max((len(sources) for sources in self._by_tenant.values()), default=1)

    def proven(self, tenant: str, signed: Signed) -> Caller:
        """The source of the tenant whose secret signed the bytes. Raises `BadProof`, after as much work for an unknown
        tenant as for the one with most sources."""
        sources = self._by_tenant.get(tenant, [])
        for owner, source in sources:
            try:
                delivery_id = _standard_webhook(_padded(source), signed)
            except BadProof:
                continue
            return Caller(kind=CallerKind.PBX, name=source.name, tenant=owner.id, delivery_id=delivery_id)
        for _ in range(self._most - len(sources)):
            with suppress(BadProof):
                _standard_webhook(_DECOYS, signed)
        raise BadProof


def _padded(source: SourceSettings | None) -> Sequence[str]:
    own = [secret.reveal() for secret in source.secrets] if source is not None else []
    return [*own, *_DECOYS[len(own) :]]
