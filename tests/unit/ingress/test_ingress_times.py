"""Times that PBXs write."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.ingress.times import LATEST, local_millis, local_time, rfc3339_millis


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T10:00:00Z", 1_795_341_600_000),
        ("2026-11-22t10:00:00z", 1_795_341_600_000),
        ("2026-11-22 10:00:00Z", 1_795_341_600_000),
        ("2026-11-22T11:00:00+01:00", 1_795_341_600_000),
        ("2026-11-22T04:30:00-05:30", 1_795_341_600_000),
        ("2026-11-22T10:00:00.5Z", 1_795_341_600_500),
        ("2026-11-22T10:00:00.123999999Z", 1_795_341_600_123),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("1969-12-31T23:59:59Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("9999-12-31T23:59:59.999Z", LATEST),
        ("9999-12-31T23:59:59-23:59", LATEST),
    ],
)
def test_an_rfc_3339_time_is_an_instant(text: str, millis: int) -> None:
    assert rfc3339_millis(text) == millis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00+0100",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+01:60",
        "2026-11-22T10:00:61Z",
        "2026-11-22T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-22T10:00:00Z\n",
        "٢٠٢٦-11-22T10:00:00Z",
        "1795341600",
    ],
)
def test_what_is_no_rfc_3339_time_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rfc3339_millis(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-03-07 09:15:02", "2025-03-07T09:15:02"),
        ("2025/03/07 09:15:02", "2025-03-07T09:15:02"),
        ("2025-03-07T09:15:02", "2025-03-07T09:15:02"),
        ("2025/3/7 9:15:02", "2025-03-07T09:15:02"),
        (" 2025-03-07 09:15:02 AM ", "2025-03-07T09:15:02"),
        ("2025/03/07 09:15:02pm", "2025-03-07T21:15:02"),
        ("2025/03/07 12:15:02 AM", "2025-03-07T00:15:02"),
        ("2025/03/07 12:15:02 PM", "2025-03-07T12:15:02"),
    ],
)
def test_a_display_format_of_the_pbx_is_a_wall_clock_time(text: str, time: str) -> None:
    assert local_time(text) == datetime.fromisoformat(time)


@pytest.mark.parametrize("text", ["", " "])
def test_a_blank_is_no_time(text: str) -> None:
    assert local_time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "07.03.2025 09:15:02",
        "2025-03/07 09:15:02",
        "2025-03-07",
        "2025-03-07 13:15:02 PM",
        "2025-03-07 00:15:02 AM",
        "2025-02-29 09:15:02",
        "2025-03-07 24:15:02",
    ],
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        local_time(text)


@pytest.mark.parametrize(
    ("text", "zone", "millis"),
    [
        ("2025-01-07 12:00:00", "Europe/Berlin", 1_736_247_600_000),
        ("2025-07-07 12:00:00", "Europe/Berlin", 1_751_882_400_000),
        ("2025-07-07 12:00:00", "Asia/Kolkata", 1_751_869_800_000),
        ("2025-10-26 02:30:00", "Europe/Berlin", 1_761_438_600_000),  # shown twice: still summer time
        ("2025-03-30 02:30:00", "Europe/Berlin", 1_743_298_200_000),  # never shown: 03:30 summer time
        ("0001-01-01 00:00:00", "Asia/Kolkata", 0),
        ("9999-12-31 23:59:59", "America/New_York", LATEST),
    ],
)
def test_a_wall_clock_time_is_an_instant_in_its_zone(text: str, zone: str, millis: int) -> None:
    local = local_time(text)
    assert local is not None
    assert local_millis(local, ZoneInfo(zone)) == millis
