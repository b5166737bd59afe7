"""Secrets: how a configuration writes them, and a type that cannot print itself."""

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from gateway.settings.permissions import require_private
from gateway.settings.reading import Reading, reading_of

SAMPLE_SECRETS = frozenset(
    {
        "sample-admin-key-for-loopback-only",
        "sample-tenant-key-for-loopback-only",
        "sample-user-token-key-for-loopback-only",
        "sample-yeastar-secret-for-loopback-only",
        "whsec_c2FtcGxlLXNlY3JldC1mb3ItbG9vcGJhY2stb25seSE=",
    }
)
"""The secrets that `config/gateway.toml` holds in the open: refused as soon as the server is reachable from outside."""


class Secret:
    """A secret from the configuration. Prints as `**********`.

    Validates from a string, `{env = "NAME"}` or `{file = "PATH"}` (relative to the configuration file; one trailing
    newline is dropped). Empty is refused.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for a comparison or a signature, and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> "Secret":
        return cls.read(value, reading_of(info))

    @classmethod
    def read(cls, value: Any, reading: Reading) -> "Secret":
        """The secret that `value` writes down. Raises ValueError, never with the secret in it."""
        text = value.reveal() if isinstance(value, Secret) else _text(value, reading)
        if not text:
            raise ValueError("the secret is empty")
        if not reading.loopback and text in SAMPLE_SECRETS:
            raise ValueError("a sample secret is only good on loopback: set a secret of your own")
        return cls(text)


def _text(value: Any, reading: Reading) -> str:
    match value:
        case str():
            return value
        case {"env": str(name), **rest} if not rest:
            return _from_environment(name, reading.environ)
        case {"file": str(name), **rest} if not rest:
            return _from_file(reading.path(name), reading)
    raise ValueError('a secret is a string, { env = "NAME" } or { file = "PATH" }')


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ValueError(f"the environment variable {name} is not set")
    return environ[name]


def _from_file(path: Path, reading: Reading) -> str:
    try:
        if not reading.loopback:
            require_private(path, reading.environ)
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    return text.removesuffix("\n").removesuffix("\r")
