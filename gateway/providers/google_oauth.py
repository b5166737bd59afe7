"""The exchange with Google's token endpoint, by `google-auth`. Blocking."""

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any, Final

import requests
from google.auth import exceptions, transport
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials
from requests.adapters import HTTPAdapter

from gateway.domain.event import Millis
from gateway.providers.access_token import Fetched, FetchFailed

_TROUBLE: Final[Callable[[str], exceptions.TransportError]] = exceptions.TransportError
SECONDS: Final = 10.0
"""To connect, and to wait for each part of the answer."""
_SHORTEST_LIFE: Final = 300_000
"""Milliseconds that a token is trusted for when Google does not say."""


class ServiceAccountExchange:
    """Fetches access tokens for one service account. `token_uri` of the account says where."""

    def __init__(
        self, credential: Credentials, *, ca_pem: bytes | None, clock: Callable[[], Millis], seconds: float = SECONDS
    ) -> None:
        self._credential: Any = credential
        self._ca_pem = ca_pem
        self._clock = clock
        self._seconds = seconds

    def __call__(self) -> Fetched | FetchFailed:
        """One exchange, not repeated. Never raises for what the endpoint does."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no authorities but ours
            session.mount("https://", _TrustingAdapter(self._ca_pem))
            once = _Once(Request(session), self._seconds)
            try:
                self._credential.refresh(once)
                return self._understood()
            except exceptions.RefreshError as error:
                return _refused(once.status, error)
            except exceptions.TransportError:
                return FetchFailed(
                    reason="oauth_unavailable" if once.status else "oauth_unreachable", configuration=False
                )
            except (exceptions.GoogleAuthError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
                return FetchFailed(reason="oauth_garbage", configuration=False)

    def _understood(self) -> Fetched | FetchFailed:
        value, expiry = self._credential.token, self._credential.expiry
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
            return FetchFailed(reason="oauth_garbage", configuration=False)
        now = self._clock()
        expires_at = now + _SHORTEST_LIFE if expiry is None else int(expiry.replace(tzinfo=UTC).timestamp() * 1000)
        if expires_at <= now:
            return FetchFailed(reason="oauth_garbage", configuration=False)
        return Fetched(value=value, expires_at=expires_at)


class _Once(transport.Request):
    """A request that notes its status and turns a server's trouble into an error at once: google-auth would sleep and
    repeat, which is the business of `AccessToken`."""

    def __init__(self, request: Request, seconds: float) -> None:
        self._request = request
        self._seconds = seconds
        self.status = 0

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> Any:
        response = self._request(url, method=method, body=body, headers=headers, timeout=self._seconds, **options)
        self.status = response.status
        if self.status >= 500 or self.status in (408, 429):
            raise _TROUBLE(f"status {self.status}")
        return response


class _TrustingAdapter(HTTPAdapter):
    """Trusts the system's authorities and those of `ca_file`, as the wire does."""

    def __init__(self, ca_pem: bytes | None) -> None:
        self._context = ssl.create_default_context()
        if ca_pem is not None:
            self._context.load_verify_locations(cadata=ca_pem.decode("ascii", "ignore"))
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block=block, ssl_context=self._context, **options)


def _refused(status: int, error: exceptions.RefreshError) -> FetchFailed:
    if status == 200:
        return FetchFailed(reason="oauth_garbage", configuration=False)
    said = error.args[1] if len(error.args) > 1 else None
    invalid = isinstance(said, dict) and said.get("error") == "invalid_grant"
    return FetchFailed(reason="oauth_invalid_grant" if invalid else "oauth_refused", configuration=True)
