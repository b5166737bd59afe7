"""Proof by signature: whose secret signed these bytes. Nothing of the body is parsed before."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.domain.errors import BadProof
from gateway.domain.event import Millis
from gateway.ingress import signatures
from gateway.settings import SourceKind, SourceSettings, TenantSettings
from gateway.web.access import Caller, CallerKind

_DECOY = secrets.token_hex(32)
"""Checked when there is no such source, so that the answer takes as long as for a wrong signature."""


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
    """The source, when one of its secrets signed the bytes. Raises `BadProof`; None is an unknown source."""
    if found is None:
        _standard_webhook([_DECOY], signed)
        raise BadProof
    tenant, source = found
    delivery_id = _SCHEMES[source.kind]([secret.reveal() for secret in source.secrets], signed)
    return Caller(kind=CallerKind.PBX, name=source.name, tenant=tenant.id, delivery_id=delivery_id)


def by_any_generic_source(tenant: TenantSettings | None, signed: Signed) -> Caller:
    """The generic source of the tenant whose secret signed the bytes. Raises `BadProof`; None is an unknown tenant."""
    sources = () if tenant is None else tenant.sources
    for source in sources:
        if tenant is not None and source.kind is SourceKind.GENERIC:
            try:
                return by_source((tenant, source), signed)
            except BadProof:
                continue
    _standard_webhook([_DECOY], signed)
    raise BadProof
