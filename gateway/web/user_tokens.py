"""User tokens: the JWTs with which a mobile app proves whose extension it is."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import jwt
from jwt.exceptions import PyJWTError

from gateway.domain.errors import BadProof
from gateway.domain.event import Clock
from gateway.settings import Secret, Settings, UserTokenSettings
from gateway.web.access import Caller, CallerKind
from gateway.web.jwt_keys import JwksKeys
from gateway.web.outgoing import Outgoing

LEEWAY_SECONDS = 30
"""How far the clocks of the token's issuer and the gateway may differ."""

Keys: TypeAlias = JwksKeys | str

_DECOY_KEY = secrets.token_urlsafe(32)
_DECOY: tuple[UserTokenSettings, Keys] = (UserTokenSettings(algorithm="HS256", key=Secret(_DECOY_KEY)), _DECOY_KEY)
"""What a token for an unknown tenant, or one without user tokens, is checked with: the refusal takes its time."""


class UserTokens:
    """Checks user tokens of every tenant that has `user_tokens`."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._outgoing = Outgoing(settings.server)
        self._rules: Mapping[str, tuple[UserTokenSettings, Keys]] = {
            tenant.id: (tenant.user_tokens, _keys(tenant.user_tokens, self._outgoing, clock))
            for tenant in settings.tenants
            if tenant.user_tokens is not None
        }

    async def caller(self, tenant: str, token: str) -> Caller:
        """The app that the token belongs to. Raises `BadProof`, for an unknown tenant as for a wrong token."""
        rules, keys = self._rules.get(tenant, _DECOY)
        for key in await _candidates(keys, token):
            extension = _subject(token, key, rules)
            if extension is not None:
                return Caller(kind=CallerKind.APP, name=extension, tenant=tenant, extension=extension)
        raise BadProof

    def without_keys(self) -> tuple[str, ...]:
        """Tenants whose JWKS URL never gave a key: none of their apps can prove itself."""
        return tuple(
            tenant for tenant, (_, keys) in self._rules.items() if isinstance(keys, JwksKeys) and not keys.known
        )

    @asynccontextmanager
    async def keeping_keys(self) -> AsyncIterator[None]:
        """While inside, the keys of every JWKS URL are kept fresh in the background."""
        sets = [keys for _, keys in self._rules.values() if isinstance(keys, JwksKeys)]
        async with self._outgoing.session() as session:
            tasks = [asyncio.create_task(keys.keep_fresh(session)) for keys in sets]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def _keys(rules: UserTokenSettings, outgoing: Outgoing, clock: Clock) -> Keys:
    if rules.jwks_url is not None:
        return JwksKeys(rules.jwks_url, rules.algorithm, outgoing=outgoing, clock=clock)
    return rules.key.reveal() if rules.key is not None else ""


async def _candidates(keys: Keys, token: str) -> tuple[Any, ...]:
    if isinstance(keys, str):
        return (keys,)
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except PyJWTError as error:
        raise BadProof from error
    return await keys.find(kid)


def _subject(token: str, key: Any, rules: UserTokenSettings) -> str | None:
    """`sub` of a good token. The algorithm is the configured one, whatever the token says of itself."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[rules.algorithm],
            audience=rules.audience,
            issuer=rules.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub"], "verify_aud": rules.audience is not None},
        )
    except (PyJWTError, ValueError, TypeError):
        return None
    subject = claims["sub"]
    return subject if isinstance(subject, str) and subject else None
