"""JSON as RFC 8259 and I-JSON (RFC 7493) mean it, for bytes from outside: one meaning or none.

What parsers disagree about (duplicate keys, NaN, lone surrogates, bottomless nesting) is refused, so that what was
signed, what is decided and what is recorded cannot be three different things.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import JsonValue

from gateway.domain.errors import MalformedInput, Problem

MAX_DEPTH = 64
"""Objects and arrays may be nested this deep; no dialect needs more than eight."""


def loads(body: bytes, *, place: str = "body") -> JsonValue:
    """The value that `body` holds, integers of any size up to 4,300 digits.

    Raises `MalformedInput` naming the place (`body, line 1 column 17`, or the dotted key below `place`) for invalid
    UTF-8, a syntax error, a duplicate key, NaN or Infinity, a number beyond a double, more than `MAX_DEPTH` levels, and
    strings with half a surrogate pair. Takes time linear in the length of `body`, whatever it holds.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"{place}, byte {error.start + 1}", "not valid UTF-8") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _refuse_deep_nesting(text, place)
    try:
        value: JsonValue = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _malformed(_position(text, error.pos, place), f"not valid JSON: {error.msg}") from error
    except _RepeatedKey as error:
        raise _repetition(text, place) from error
    except ValueError as error:  # of a number, or of NaN and its like
        raise _malformed(_place_of_bad_number(text, place), "not a number that JSON can carry") from error
    if _HALF_PAIR.search(body) is not None:
        _refuse_lone_surrogates(value, place)
    return value


class _RepeatedKey(Exception):
    """A key stands twice in one object."""


class _Repeating(dict[str, Any]):
    """An object with a repeated key, kept to find out where it stands."""

    key: str = ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKey
    return found


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _Repeating(pairs)
    if len(found) == len(pairs):
        return dict(found)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            found.key = key
        seen.add(key)
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
_MARKING_DECODER = json.JSONDecoder(object_pairs_hook=_marked, parse_constant=str, parse_int=str, parse_float=str)

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])|([^\s\[\]{}:,"]++)', re.DOTALL)
"""A string (also an unfinished one, so that the scan stays linear), an opening, a closing, or a bare word."""


def _refuse_deep_nesting(text: str, place: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[1]:
            depth += 1
            if depth > MAX_DEPTH:
                raise _malformed(_position(text, token.start(), place), f"nested deeper than {MAX_DEPTH} levels")
        elif token[2]:
            depth -= 1


def _place_of_bad_number(text: str, place: str) -> str:
    words = (token for token in _TOKEN.finditer(text) if token[3])
    return next((_position(text, word.start(), place) for word in words if not _is_plain_word(word[3])), place)


def _is_plain_word(word: str) -> bool:
    if word in {"true", "false", "null"}:
        return True
    try:
        _finite(word) if set(word) & set(".eE") else int(word)
    except ValueError:
        return False
    return True


def _repetition(text: str, place: str) -> MalformedInput:
    """What is wrong with a text in which a key is repeated: that, unless the text breaks off later on."""

    def repeated(value: JsonValue) -> str | None:
        return value.key if isinstance(value, _Repeating) else None

    try:
        value: JsonValue = _MARKING_DECODER.decode(text)
    except json.JSONDecodeError as error:
        return _malformed(_position(text, error.pos, place), f"not valid JSON: {error.msg}")
    return _malformed(_find(value, place, repeated) or place, "the key stands there twice")


def _refuse_lone_surrogates(value: JsonValue, place: str) -> None:
    def lone(value: JsonValue) -> str | None:
        if isinstance(value, str):
            return None if _is_text(value) else ""
        return next((key for key in value if not _is_text(key)), None) if isinstance(value, dict) else None

    found = _find(value, place, lone)
    if found is not None:
        raise _malformed(found, "half a surrogate pair")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find(value: JsonValue, place: str, asks: Callable[[JsonValue], str | None]) -> str | None:
    """Dotted place of the first part for which `asks` names a key (or "": the part itself)."""
    key = asks(value)
    if key is not None:
        return f"{place}.{_shown(key)}" if key else place
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        found = _find(child, f"{place}.{_shown(str(name))}", asks)
        if found is not None:
            return found
    return None


def _shown(key: str) -> str:
    """The key as a person may read it in an answer: whole when short and printable."""
    return key if key.isprintable() and len(key) <= 64 else ascii(key)[1:-1][:64]


def _position(text: str, index: int, place: str) -> str:
    line = text.count("\n", 0, index) + 1
    column = index - text.rfind("\n", 0, index)
    return f"{place}, line {line} column {column}"


def _malformed(place: str, msg: str) -> MalformedInput:
    return MalformedInput(Problem(loc=place, msg=msg))
