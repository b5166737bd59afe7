"""Extension Information Updated (Yeastar P-Series, event 30022): which extension has to be read again."""

import json

import pytest

from gateway.domain.errors import InvalidInput
from gateway.ingress.yeastar import extension_changed


@pytest.mark.parametrize(
    ("body", "extension"),
    [
        ({"type": 30022, "msg": json.dumps({"ext_number": "1001", "option": "UPDATE"})}, "1001"),
        ({"type": 30022, "msg": {"ext_number": "1002", "option": "CREATE"}}, "1002"),
        ({"type": 30009, "msg": {"extension": "1001", "status": "away"}}, None),
        ([], None),
    ],
)
def test_the_changed_extension(body: object, extension: str | None) -> None:
    assert extension_changed(json.dumps(body).encode()) == extension


def test_a_change_of_nobody_names_the_place() -> None:
    with pytest.raises(InvalidInput) as raised:
        extension_changed(json.dumps({"type": 30022, "msg": {"option": "UPDATE"}}).encode())
    assert [problem.loc for problem in raised.value.problems] == ["msg.ext_number"]
