"""Provider limits: the first document that fits is taken."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import orjson

JsonObject: TypeAlias = dict[str, Any]


def first_that_fits(documents: Iterable[JsonObject], *, max_bytes: int) -> tuple[JsonObject, bytes]:
    """The first of `documents` whose compact JSON (UTF-8, nothing escaped that need not be) has at most `max_bytes`,
    with that JSON; the last one when none fits.

    `documents` must not be empty. It is read only as far as needed, so that later, shorter ones cost nothing.
    """
    document: JsonObject = {}
    body = b""
    for document in documents:
        body = orjson.dumps(document)
        if len(body) <= max_bytes:
            break
    return document, body
