"""Apple's provider tokens (JWT, ES256): verified once each, then remembered."""

from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

_LIFETIME_MS = 3_600_000
_CLOCK_SKEW_MS = 60_000
_UPDATE_WINDOW_MS = 20 * 60_000
_MOST_UPDATES = 2
"""So many different tokens may be seen on one connection within twenty minutes."""
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class ProviderToken:
    """A token whose signature, key and team are right."""

    key_id: str
    issued_at: int
    """Milliseconds."""


class TokenVerifier:
    """Signature checks cost 100 microseconds, so each token is checked once."""

    def __init__(self, keys: Mapping[str, ec.EllipticCurvePublicKey], team_id: str) -> None:
        self._keys = keys
        self._team_id = team_id
        self._known: dict[str, ProviderToken | None] = {}

    def verify(self, token: str) -> ProviderToken | None:
        """None: not a token of ours."""
        if token not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[token] = self._check(token)
        return self._known[token]

    def _check(self, token: str) -> ProviderToken | None:
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
            claims = jwt.decode(
                token,
                self._keys[key_id],
                algorithms=["ES256"],
                options={"verify_iat": False, "verify_exp": False, "verify_aud": False, "require": ["iss", "iat"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError):
            return None
        issued_at = claims["iat"]
        if claims["iss"] != self._team_id or not isinstance(issued_at, int) or isinstance(issued_at, bool):
            return None
        return ProviderToken(key_id, issued_at * 1000)


def claimed_key_id(token: str) -> str:
    """The `kid` that a token names, true or not; empty: unreadable."""
    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except jwt.PyJWTError:
        return ""


class ConnectionTokens:
    """The rules of one connection: one key, and no more than two tokens in twenty minutes."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._bound_key = ""
        self._current = ""
        self._accepted: ProviderToken | None = None
        self._updates: list[int] = []

    def check(self, authorization: str | None, now: int) -> str:
        """The reason to refuse, or empty."""
        scheme, _, token = (authorization or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            return "MissingProviderToken"
        if token == self._current and self._accepted is not None:
            return self._check_age(self._accepted, now)
        accepted = self._verifier.verify(token)
        if self._bound_key and claimed_key_id(token) not in {"", self._bound_key}:
            return "UnrelatedKeyIdInToken"
        if accepted is None:
            return "InvalidProviderToken"
        return self._check_age(accepted, now) or self._check_update(token, accepted, now)

    def _check_age(self, token: ProviderToken, now: int) -> str:
        if now - token.issued_at > _LIFETIME_MS:
            return "ExpiredProviderToken"
        return "InvalidProviderToken" if token.issued_at - now > _CLOCK_SKEW_MS else ""

    def _check_update(self, token: str, accepted: ProviderToken, now: int) -> str:
        self._updates = [at for at in self._updates if now - at < _UPDATE_WINDOW_MS]
        if len(self._updates) >= _MOST_UPDATES:
            return "TooManyProviderTokenUpdates"
        self._updates.append(now)
        self._bound_key, self._current, self._accepted = accepted.key_id, token, accepted
        return ""
