"""The targets of `make fuzz` themselves: their seeds are read, and a little of everything is survived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.dialects import DIALECTS, seeds, take


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in ("json", "signatures")])
def test_every_sample_is_a_seed_and_is_survived(name: str) -> None:
    found = seeds(name)
    assert len(found) > 40
    for raw in found:
        take(name, raw)


@pytest.mark.parametrize("name", DIALECTS)
@given(raw=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_survived(name: str, raw: bytes) -> None:
    take(name, raw)
