"""Event ids: ULIDs, so that their order is the order of receipt."""

from collections.abc import Callable

from gateway.domain.event import Millis

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE_32 = str.maketrans(_CROCKFORD, "0123456789ABCDEFGHIJKLMNOPQRSTUV")
"""To the digits that `int` reads."""


def ulid(at: Millis, random_bytes: Callable[[int], bytes]) -> str:
    """A ULID of 26 characters: 48 bits of `at`, 80 bits of randomness (Crockford's base 32)."""
    number = (at & (2**48 - 1)) << 80 | int.from_bytes(random_bytes(10), "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def time_of(event_id: str) -> Millis:
    """When the event of this id was received."""
    return int(event_id[:10].translate(_BASE_32), 32)
