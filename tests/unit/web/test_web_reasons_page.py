"""The page of reasons and the code agree."""

import re
from pathlib import Path

import pytest

from gateway.domain.decision import Action, Reason
from gateway.policy import rules

PAGE = (Path(__file__).parents[3] / "docs" / "reasons.md").read_text("utf-8")
CHAPTERS = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))


def test_every_reason_has_its_chapter_and_every_chapter_its_reason() -> None:
    assert set(CHAPTERS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_chapter_says_action_meaning_and_what_to_do(reason: Reason) -> None:
    lines = re.findall(r"^- (\w+):", CHAPTERS[reason], re.MULTILINE)

    assert lines == ["Action", "Means", "User", "Operator"]
    (action,) = re.findall(r"^- Action: `(\w+)`", CHAPTERS[reason], re.MULTILINE)
    assert action in set(Action)


def test_the_page_numbers_the_rules_as_the_code_does() -> None:
    numbers = dict(re.findall(r"^\| (\d+a?) \| (\w+) \|", rules.__doc__ or "", re.MULTILINE))
    written = {
        number[0]: reason
        for reason, chapter in CHAPTERS.items()
        if (number := re.findall(r"^- Action: .*Rule (\d+a?)\.", chapter, re.MULTILINE))
    }

    assert written == numbers
    assert list(numbers.values()) == [rule.reason for rule in rules.RULES]
