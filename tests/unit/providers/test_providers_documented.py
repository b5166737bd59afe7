"""docs/providers.md says what the code does."""

import ast
from pathlib import Path

import gateway.providers
from gateway.providers import apns_answers, fcm_answers
from gateway.providers.readings import Row
from tests.support.provider_tables import PAGE, page, tables


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert page(text) == text, "python -m tests.support.provider_tables"
    assert all(table in text for table in tables().values())


def test_every_reason_that_the_code_can_give_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    reasons: set[str] = set()
    for file in Path(gateway.providers.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "reason":
                reasons |= {str(leaf.value) for leaf in ast.walk(node.value) if isinstance(leaf, ast.Constant)}

    assert {"no_voip_token", "oauth_timeout"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in text} == set()


def test_every_row_says_why() -> None:
    rows: tuple[Row, ...] = (*apns_answers.ROWS, *fcm_answers.ROWS)

    assert [row for row in rows if not row.why.endswith(".")] == []
