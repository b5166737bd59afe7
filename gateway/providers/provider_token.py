"""Apple's provider token: the JWT by which a team proves itself.

Apple wants a token not older than an hour and not renewed more often than every 20 minutes on a connection
("Establishing a token-based connection to APNs"). Its `iat` is put on a fixed grid, so that every connection, process
and replica with the same key has the same token at the same time, and a restart brings no new one.
"""

from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from gateway.domain.event import Millis

GRID_SECONDS: Final = 2400
"""40 minutes: with the lag, a token is between half a minute and 40.5 minutes old when it is used."""
LAG_SECONDS: Final = 30
"""A new token is used half a minute after its `iat`, so that a clock of ours that is ahead sends none too early."""
YOUNGEST_TO_RENEW_SECONDS: Final = 1200
"""20 minutes: renewing a younger one earns TooManyProviderTokenUpdates."""


def grid_iat(now: Millis) -> int:
    """The `iat` (seconds) of the token that everybody with this key uses at `now`."""
    seconds = now // 1000 - LAG_SECONDS
    return seconds - seconds % GRID_SECONDS


class ProviderToken:
    """The token of one (team, key), for all of its connections."""

    def __init__(self, *, team_id: str, key_id: str, key: EllipticCurvePrivateKey) -> None:
        self._team_id = team_id
        self._key_id = key_id
        self._key = key
        self._forced_iat: int | None = None
        self._iat = -1
        self._header = ""

    def header(self, now: Millis) -> str:
        """Value of `authorization`. Signs (0.1 ms) only when the token changes."""
        iat = self._iat_at(now)
        if iat != self._iat:
            claims = {"iss": self._team_id, "iat": iat}
            self._header = "bearer " + jwt.encode(claims, self._key, "ES256", headers={"kid": self._key_id})
            self._iat = iat
        return self._header

    def renew(self, stale: str, now: Millis) -> bool:
        """Leave the grid for a token made now, because Apple called the one in `stale` (a header) expired.

        True when `header` now gives another one, be it because another push renewed it already. False when `stale` is
        younger than 20 minutes: then the clock is wrong, not the token.
        """
        if self.header(now) != stale:
            return True
        seconds = now // 1000
        if seconds - self._iat_at(now) < YOUNGEST_TO_RENEW_SECONDS:
            return False
        self._forced_iat = seconds
        return True

    def _iat_at(self, now: Millis) -> int:
        """The grid's, or a forced one for at least 20 minutes and until the grid has passed it."""
        on_grid = grid_iat(now)
        forced = self._forced_iat
        if forced is None:
            return on_grid
        if on_grid > forced and now // 1000 - forced >= YOUNGEST_TO_RENEW_SECONDS:
            self._forced_iat = None
            return on_grid
        return forced
