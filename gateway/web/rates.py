"""How often: token buckets in the memory of this process, per credential and per address that proves nothing.

They bound what one caller takes from the others, and how many proofs can be tried. Each process counts for itself, and
a restart forgets: it is no accounting.
"""

from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import IPv6Address, ip_network
from math import ceil

from gateway.domain.errors import TooManyRequests
from gateway.domain.event import Clock, Millis
from gateway.settings import ServerSettings
from gateway.web.access import Caller, CallerKind
from gateway.web.network import Address

MOST_BUCKETS = 10_000
"""Callers that are remembered at once; the one not seen for longest is forgotten."""


class Buckets:
    """A bucket per name: holds `burst` requests, and is refilled by `per_second`."""

    def __init__(self, per_second: float, burst: int, *, clock: Clock, most: int = MOST_BUCKETS) -> None:
        self._per_milli = per_second / 1000
        self._burst = float(burst)
        self._clock = clock
        self._most = most
        self._levels: OrderedDict[Hashable, tuple[float, Millis]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def wait(self, name: Hashable) -> float:
        """Seconds until `name` has a request left; 0: it has one now."""
        level = self._level(name, self._clock())
        return 0.0 if level >= 1 or not self._per_milli else (1 - level) / self._per_milli / 1000

    def take(self, name: Hashable) -> float:
        """Take one, if there is one; the seconds to wait otherwise."""
        seconds = self.wait(name)
        if self._per_milli and not seconds:
            now = self._clock()
            self._levels[name] = (self._level(name, now) - 1, now)
            self._levels.move_to_end(name)
            if len(self._levels) > self._most:
                self._levels.popitem(last=False)
        return seconds

    def _level(self, name: Hashable, now: Millis) -> float:
        level, at = self._levels.get(name, (self._burst, now))
        return min(self._burst, level + max(0, now - at) * self._per_milli)


class Rates:
    """The limits of `[server]`."""

    def __init__(self, settings: ServerSettings, *, clock: Clock) -> None:
        self._keys = Buckets(settings.rate_limit_per_second, settings.rate_limit_burst, clock=clock)
        self._users = Buckets(settings.user_rate_limit_per_second, settings.user_rate_limit_burst, clock=clock)
        self._failures = Buckets(settings.failed_proof_limit_per_second, settings.failed_proof_limit_burst, clock=clock)

    def count(self, caller: Caller) -> None:
        """One request of a proven caller. Raises `TooManyRequests`."""
        match caller.kind:
            case CallerKind.ANONYMOUS:
                return
            case CallerKind.APP:
                _require(self._users.take((caller.tenant, caller.extension)))
            case CallerKind.ADMIN | CallerKind.API_KEY | CallerKind.PBX:
                _require(self._keys.take((caller.kind, caller.tenant, caller.name)))

    def require_patience(self, address: Address | None) -> None:
        """Raises `TooManyRequests` when too many wrong proofs came from there: no proof is looked at then."""
        if (group := _group(address)) is not None:
            _require(self._failures.wait(group))

    def note_failure(self, address: Address | None) -> None:
        """A wrong proof came from there."""
        if (group := _group(address)) is not None:
            self._failures.take(group)


def _group(address: Address | None) -> str | None:
    """What is counted together: an IPv4 address, an IPv6 /64. None: not counted.

    Private addresses are not: behind one may stand a proxy that `server.trusted_proxies` does not name, and one caller
    would lock out all the others.
    """
    if address is None or not address.is_global:
        return None
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def _require(seconds: float) -> None:
    if seconds > 0:
        raise TooManyRequests(retry_after_seconds=max(1, ceil(seconds)))
