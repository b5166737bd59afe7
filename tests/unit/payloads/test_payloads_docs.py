"""docs/app-developers.md shows what the code makes, field by field."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.domain.push import PushKind
from tests.support.payload_examples import EXAMPLES, Example, apns_body, apns_headers, fcm_message

PAGE = Path(__file__).parents[3] / "docs" / "app-developers.md"
BLOCK = re.compile(r"^```json(?: +(?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(found["name"] or "", found["text"]) for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


MADE = [(name, text) for name, text in blocks() if name.startswith(("payload=", "headers="))]


def made(name: str) -> dict[str, Any]:
    """What the code makes of the example called `payload=fcm.call.missed.quiet`."""
    what, _, rest = name.partition("=")
    platform, _, example = rest.partition(".")
    one: Example = EXAMPLES[example]
    if what == "headers":
        return dict(apns_headers(one.push, privacy=one.privacy))
    build = {"apns": apns_body, "fcm": fcm_message}[platform]
    return build(one.push, privacy=one.privacy, locale=one.locale)


@pytest.mark.parametrize(("name", "text"), MADE, ids=[name for name, _ in MADE])
def test_every_payload_in_the_page_is_what_the_code_makes(name: str, text: str) -> None:
    assert orjson.loads(text) == made(name)


@pytest.mark.parametrize("platform", ["apns", "fcm"])
@pytest.mark.parametrize("kind", PushKind)
def test_the_page_shows_every_kind_on_both_platforms(kind: PushKind, platform: str) -> None:
    assert f"payload={platform}.{kind}" in {name for name, _ in MADE}


@pytest.mark.parametrize("privacy", ["number_masked", "kind_only", "id_only"])
def test_the_page_shows_every_privacy_level(privacy: str) -> None:
    assert any(name.endswith(f".{privacy}") for name, _ in MADE)


def test_every_json_block_of_the_page_can_be_read() -> None:
    assert all(isinstance(orjson.loads(text), dict) for _, text in blocks())


def test_every_field_that_a_payload_may_have_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for one in EXAMPLES.values():
        for field in fcm_message(one.push)["data"]:
            assert f"`{field}`" in page


def test_every_channel_and_category_is_listed() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## 10.")[2]
    for one in EXAMPLES.values():
        shown = fcm_message(one.push, privacy=one.privacy)["android"].get("notification", {})
        aps = apns_body(one.push)["aps"]
        for word in (shown.get("channel_id"), aps.get("category"), aps.get("thread-id")):
            assert word is None or f"`{word}`" in page
