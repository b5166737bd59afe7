"""Event ids tell when an event was received, and sort by it."""

import os

import pytest

from gateway.pipeline.ids import time_of, ulid


@pytest.mark.parametrize("at", [0, 1, 1_795_407_403_155, 2**48 - 1])
def test_an_id_tells_its_time(at: int) -> None:
    event_id = ulid(at, os.urandom)
    assert (len(event_id), time_of(event_id)) == (26, at)


def test_ids_sort_by_time() -> None:
    ids = [ulid(at, os.urandom) for at in range(1_795_407_403_155, 1_795_407_403_255)]
    assert ids == sorted(ids)
