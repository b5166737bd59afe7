"""From the times that PBXs write to milliseconds since 1970."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.event import Millis

LATEST: Final[Millis] = 253_402_300_799_999
"""The end of the year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_LOCAL = re.compile(
    r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})[T ]+([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?: ?([AaPp])[Mm])?"
)


def rfc3339_millis(text: str) -> Millis:
    """The instant of an RFC 3339 date-time, cut to milliseconds; a leap second is the second after :59.

    Raises `ValueError` for anything else, a time without an offset included: nobody could say when that was.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 date-time with an offset, such as 2026-11-22T10:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    offset_hours, offset_minutes = int(found[9] or 0), int(found[10] or 0)
    if second > 60 or offset_hours > 23 or offset_minutes > 59:
        raise ValueError("no such time of day")
    since = datetime(year, month, day, hour, minute, tzinfo=UTC) - _EPOCH
    since += timedelta(seconds=second, milliseconds=int((found[7] or "")[:3].ljust(3, "0")))
    offset = timedelta(hours=offset_hours, minutes=offset_minutes)
    return _within_range((since + offset if found[8] == "-" else since - offset) // _MILLISECOND)


def local_time(text: str) -> datetime | None:
    """The wall-clock time that a PBX printed, without a zone; None for a blank.

    `YYYY-MM-DD HH:MM:SS` or with slashes, with `T` for the blank, with AM or PM: a PBX prints its display format.
    Raises `ValueError` for anything else.
    """
    if not text.strip():
        return None
    found = _LOCAL.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a time such as 2026-11-22 10:00:00 or 2026/11/22 10:00:00")
    year, month, day, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6, 7))
    if found[8]:
        if not 1 <= hour <= 12:
            raise ValueError("no such time of day")
        hour = hour % 12 + (12 if found[8] in "Pp" else 0)
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - a wall clock has no zone


def local_millis(local: datetime, zone: ZoneInfo) -> Millis:
    """The instant at which a clock in `zone` shows `local`.

    An hour that the clock shows twice is the first of the two; one that it skips is counted on from before the gap.
    """
    return _within_range((local.replace(tzinfo=zone, fold=0) - _EPOCH) // _MILLISECOND)


def _within_range(instant: Millis) -> Millis:
    """`instant` between 1970 and `LATEST`: a clock that is further off means no more by it than by the limits."""
    return min(max(instant, 0), LATEST)
