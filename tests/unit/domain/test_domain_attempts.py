"""What an attempt leaves open."""

import pytest

from gateway.domain.push import Attempt


@pytest.mark.parametrize(
    ("outcome", "status", "open_"),
    [
        ("unknown", None, True),
        ("try_later", 500, True),
        ("try_later", 502, True),
        ("try_later", 504, True),
        ("try_later", 503, False),
        ("try_later", 429, False),
        ("not_sent", None, False),
        ("accepted", 200, False),
        ("refused", 400, False),
    ],
)
def test_a_phone_may_have_what_a_failing_server_took(outcome: str, status: int | None, *, open_: bool) -> None:
    assert Attempt(at=1, outcome=outcome, status=status).leaves_open is open_
