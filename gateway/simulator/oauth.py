"""Google's OAuth 2.0 token endpoint for service accounts (RFC 7523)."""

import secrets
from collections.abc import Callable
from urllib.parse import parse_qs

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.simulator.frames import Response

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = frozenset(
    {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
)
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
"""Google's own libraries name this audience whatever the account's token_uri says."""
_LONGEST_ASSERTION_SECONDS = 3600
_CLOCK_SKEW_SECONDS = 60


class AccessTokens:
    """Hands out and checks access tokens. `clock` answers milliseconds; `audiences` fills when the port is known."""

    def __init__(
        self, *, clock: Callable[[], int], account_key: rsa.RSAPublicKey, client_email: str, lifetime_seconds: int
    ) -> None:
        self.audiences: set[str] = {GOOGLE_AUDIENCE}
        self._clock = clock
        self._account_key = account_key
        self._client_email = client_email
        self._lifetime_seconds = lifetime_seconds
        self._valid_until: dict[str, int] = {}

    def exchange(self, body: bytes) -> Response:
        """Answer a token request: an access token, or 400 with an OAuth error."""
        form = parse_qs(body.decode("utf-8", "replace"))
        if form.get("grant_type") != [GRANT_TYPE]:
            return oauth_error("unsupported_grant_type", "Invalid grant_type")
        try:
            claims = self._verified(form.get("assertion", [""])[0])
        except jwt.PyJWTError as error:
            return oauth_error("invalid_grant", f"Invalid JWT: {error}")
        if not SCOPES.intersection(str(claims.get("scope", "")).split()):
            return oauth_error("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return self._hand_out()

    def accepts(self, authorization: str | None) -> bool:
        """Whether the request carries an access token that is still good."""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self._clock() < self._valid_until.get(token, 0)

    def revoke(self) -> None:
        """No token handed out so far is good any more."""
        self._valid_until.clear()

    def _verified(self, assertion: str) -> dict[str, object]:
        claims: dict[str, object] = jwt.decode(
            assertion,
            self._account_key,
            algorithms=["RS256"],
            audience=sorted(self.audiences),
            issuer=self._client_email,
            leeway=_CLOCK_SKEW_SECONDS,
            options={"require": ["iss", "aud", "iat", "exp", "scope"]},
        )
        issued, expires = claims["iat"], claims["exp"]
        if not isinstance(issued, int) or not isinstance(expires, int) or expires - issued > _LONGEST_ASSERTION_SECONDS:
            raise jwt.InvalidTokenError("Token must be a short-lived token (60 minutes)")
        return claims

    def _hand_out(self) -> Response:
        now = self._clock()
        self._valid_until = {token: until for token, until in self._valid_until.items() if until > now}
        token = "ya29.sim." + secrets.token_urlsafe(32)
        self._valid_until[token] = now + self._lifetime_seconds * 1000
        document = {"access_token": token, "expires_in": self._lifetime_seconds, "token_type": "Bearer"}
        return _json(200, document)


def oauth_error(error: str, description: str, status: int = 400) -> Response:
    """An OAuth error document (RFC 6749, 5.2)."""
    return _json(status, {"error": error, "error_description": description})


def _json(status: int, document: dict[str, object]) -> Response:
    return Response(status, ((b"content-type", b"application/json; charset=UTF-8"),), orjson.dumps(document))
