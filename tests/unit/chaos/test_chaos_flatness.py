"""A leak is told from noise."""

import random

import pytest

from tests.chaos.flatness import Bound, judge, slope, verdicts

MEGABYTE = 1024 * 1024
MEMORY = Bound(share=0.10, amount=8 * MEGABYTE)


def memory(megabytes: list[float]) -> bool:
    return judge("api memory", [one * MEGABYTE for one in megabytes], MEMORY).flat


def test_a_level_is_flat() -> None:
    assert memory([100.0] * 30)


def test_a_leak_of_a_megabyte_a_minute_is_none() -> None:
    assert not memory([100.0 + minute for minute in range(30)])


def test_noise_is_flat() -> None:
    dice = random.Random(1)  # noqa: S311 - noise
    assert memory([100 + dice.uniform(-6, 6) for _ in range(30)])


def test_filling_up_at_first_is_flat() -> None:
    assert memory([60.0, 80.0, 95.0, 100.0, 100.0, 100.0] + [101.0] * 24)


def test_falling_is_flat() -> None:
    assert memory([200.0 - minute * 3 for minute in range(30)])


def test_one_peak_is_no_leak() -> None:
    assert memory([100.0] * 20 + [130.0] + [100.0] * 9)


def test_too_few_readings_prove_nothing() -> None:
    assert memory([100.0, 200.0])
    assert memory([])


@pytest.mark.parametrize(
    ("readings", "expected"), [([], 0.0), ([5.0], 0.0), ([1.0, 2.0, 3.0], 1.0), ([4.0, 4.0], 0.0), ([9.0, 7.0], -2.0)]
)
def test_the_line_of_least_squares(readings: list[float], expected: float) -> None:
    assert slope(readings) == pytest.approx(expected)


def test_figures_are_bound_by_the_last_word_of_their_name() -> None:
    found = verdicts({"api memory": [1.0] * 9, "worker-1 descriptors": [1.0] * 9, "store megabytes": [1.0] * 9})
    assert [one.name for one in found] == ["api memory", "worker-1 descriptors"]
    assert all(one.flat for one in found)
