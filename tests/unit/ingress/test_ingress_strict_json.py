"""JSON from outside has one meaning, or is refused with its place."""

import json

import pytest

from gateway.domain.errors import MalformedInput
from gateway.ingress import strict_json


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b' {"a": [1, -2.5, true, "x"]}\n', {"a": [1, -2.5, True, "x"]}),
        (b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        ('{"name": "Zoë 😀"}'.encode(), {"name": "Zoë 😀"}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\ud800"', "\\ud800"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"9" * 4300, 10**4300 - 1),
        (b"1e308", 1e308),
        (b"0." + b"1" * 262_000, 0.1111111111111111),
        (b'"' + b"[{" * 200 + b'"', "[{" * 200),
        (b'["\\"[[[[", {}' + b", []" * 100 + b"]", ['"[[[[', {}] + [[]] * 100),
    ],
)
def test_what_is_json_is_read(body: bytes, value: object) -> None:
    assert strict_json.loads(body) == value


def test_nesting_is_read_down_to_its_limit() -> None:
    assert json.dumps(strict_json.loads(nested(strict_json.MAX_DEPTH))).encode() == nested(strict_json.MAX_DEPTH)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body, line 1 column 1"),
        (b"{", "body, line 1 column 2"),
        (b'{"a": 1,}', "body, line 1 column 9"),
        (b'{\n  "a": tru\n}', "body, line 2 column 8"),
        (b"[1] [2]", "body, line 1 column 5"),
        (b"{'a': 1}", "body, line 1 column 2"),
        (b'"a\nb"', "body, line 1 column 3"),
        (b"\xef\xbb\xbf{}", "body, line 1 column 1"),
        (b'{"a": "\xff"}', "body, byte 8"),
        (b'"\xed\xa0\x80"', "body, byte 2"),
        ('{"a": 1}'.encode("utf-16"), "body, byte 1"),
        (b'{"a": 1, "a": 1}', "body.a"),
        (b'{"a": [{}, {"b": 1, "c": 2, "\\u0062": 3}]}', "body.a.1.b"),
        (b'{"": 1, "": 2}', "body"),
        (b'{"a": {"x": 1, "x": 2}, "a": 1}', "body.a"),
        (b'{"a": 1, "a": 2', "body, line 1 column 16"),
        (b'{"a": {"b": 1, "b": 2}, oops', "body, line 1 column 25"),
        (b'{"a": NaN}', "body, line 1 column 7"),
        (b'["NaN", {"a":true,"b":null,"c":1,"d":1.5},\n -Infinity]', "body, line 2 column 2"),
        (b"[Infinity]", "body, line 1 column 2"),
        (b"[1e5, 1e400]", "body, line 1 column 7"),
        (b"[-" + b"9" * 4301 + b"]", "body, line 1 column 2"),
        (nested(65), "body, line 1 column 65"),
        (b'{"a":' * 65, "body, line 1 column 321"),
        (b'"\\ud800"', "body"),
        (b'{"a": ["", "x\\uDFFFx"]}', "body.a.1"),
        (b'{"a": {"\\udead": 1}}', "body.a.\\udead"),
        (b'{"' + b"k" * 65 + b'": 1, "' + b"k" * 65 + b'": 2}', "body." + "k" * 64),
    ],
)
def test_what_is_not_is_refused_with_its_place(body: bytes, place: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        strict_json.loads(body)
    assert [problem.loc for problem in caught.value.problems] == [place]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 262_144,
        b'{"a":' * 100_000,
        b"[]" * 131_072,
        b"9" * 262_144,
        b"1e" + b"9" * 262_142,
        b'"' + b'\\"' * 131_071,
        b'[[[["' * 52_000,
        b"\\" * 262_144,
        b'{"a":"' + b"\\ud800" * 40_000,
        b"[" + b"NaN," * 65_000,
    ],
    ids=lambda body: repr(body[:8]),
)
def test_no_body_within_the_limit_is_too_much(body: bytes) -> None:
    with pytest.raises(MalformedInput):
        strict_json.loads(body)


def test_the_place_can_be_that_of_an_inner_text() -> None:
    with pytest.raises(MalformedInput, match=r"^msg, line 1 column 2: not valid JSON"):
        strict_json.loads(b"{", place="msg")


def test_an_error_never_repeats_a_value() -> None:
    with pytest.raises(MalformedInput) as caught:
        strict_json.loads(b'{"number": "+4915112345678", "number": "+4915112345678"}')
    assert "4915112345678" not in str(caught.value)
