"""Canaries: values that must not turn up, and where to look for them."""

import base64
import json
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from redis import Redis


@dataclass(slots=True)
class Canaries:
    """What was seeded, by name."""

    secrets: dict[str, str] = field(default_factory=dict)
    """Keys, secrets and proofs: nowhere."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Device tokens: in device hashes alone."""
    callers: dict[str, str] = field(default_factory=dict)
    """Numbers and names of callers: in the store's values, and in a few answers."""

    def found_in(self, text: str | bytes, *kinds: dict[str, str]) -> set[str]:
        """Names of those that `text` holds, in any of the forms in which they might have slipped through."""
        haystack = text.decode(errors="replace") if isinstance(text, bytes) else text
        lower = haystack.lower()
        return {
            name
            for kind in kinds
            for name, value in kind.items()
            if any(form.lower() in lower for form in forms_of(value))
        }


def forms_of(value: str) -> Iterator[str]:
    """A value as it is, as a URL or JSON or base64 would hold it, and a telling part of it."""
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).decode()
        yield encoded[4 : len(encoded) - 4]
    if value.startswith("+"):
        yield value[1:]
    if len(value) >= 24:
        yield value[:16]
        yield value[8:24]


def fcm_token() -> str:
    """A registration token as Google makes them."""
    return secrets.token_urlsafe(16) + ":" + secrets.token_urlsafe(100)


@dataclass(frozen=True, slots=True)
class Stored:
    """One value in the store."""

    key: str
    field: str
    value: bytes


def stored_values(client: Redis) -> Iterable[Stored]:
    """Every value of every key, unpacked."""
    reader: Any = client
    for raw in reader.keys("*"):
        key = raw.decode()
        match reader.type(raw).decode():
            case "hash":
                for name, value in reader.hgetall(raw).items():
                    yield Stored(key, name.decode(), value)
                    with suppress(zlib.error):
                        yield Stored(key, name.decode(), zlib.decompress(value))
            case "string":
                yield Stored(key, "", reader.get(raw))
            case "list":
                yield from (Stored(key, "", value) for value in reader.lrange(raw, 0, -1))
            case "set":
                yield from (Stored(key, "", value) for value in reader.smembers(raw))
            case "zset":
                yield from (Stored(key, "", value) for value in reader.zrange(raw, 0, -1))
            case "stream":
                yield from (
                    Stored(key, name.decode(), value)
                    for _, entry in reader.xrange(raw)
                    for name, value in entry.items()
                )


def stream_entries(client: Redis) -> bytes:
    """All entries of all streams, whole."""
    reader: Any = client
    streams = [key for key in reader.keys("*") if reader.type(key) == b"stream"]
    return repr([(key, reader.xrange(key)) for key in streams]).encode()
