"""From a file and the environment to `Settings`, or to every problem they have."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.domain.errors import ConfigurationError, Problem
from gateway.domain.validation import dotted
from gateway.settings.fields import is_loopback
from gateway.settings.permissions import holds_secrets, require_private
from gateway.settings.reading import Reading, part
from gateway.settings.root import Settings

PREFIX = "PUSH_GATEWAY__"
"""Of environment variables that override single values: `PUSH_GATEWAY__SERVER__PORT=9090`."""

OVERRIDABLE = ("server", "store", "worker", "log", "admin")


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The configuration in the TOML file at `path`, single values overridden by `environ`.

    Relative paths in it are relative to the file. Raises `ConfigurationError` with every problem that can be told
    without connecting anywhere; `loc` is the dotted key, or the environment variable that overrides it.
    """
    given = _read(path)
    open_secrets = holds_secrets(given)
    origins, problems = _override(given, environ)
    server = given.get("server", {})
    host = part(server, "host")
    reading = Reading(
        directory=path.absolute().parent,
        environ=environ,
        loopback=(host is None or is_loopback(host)) and not part(server, "trusted_proxies"),
        check_files=True,
    )
    problems += _exposed(path, reading) if open_secrets else ()
    try:
        settings = Settings.model_validate(given, context=reading)
    except ValidationError as error:
        raise ConfigurationError(*problems, *_problems(error, origins)) from None  # its inputs hold secrets
    if problems:
        raise ConfigurationError(*problems)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(Problem(loc=str(path), msg=f"cannot be read: {error.strerror}")) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(Problem(loc=str(path), msg=f"not UTF-8 at byte {error.start}")) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(Problem(loc=str(path), msg=f"not TOML: {error}")) from None


def _exposed(path: Path, reading: Reading) -> Iterator[Problem]:
    if not reading.loopback:
        try:
            require_private(path, reading.environ)
        except ValueError as error:
            yield Problem(loc=str(path), msg=str(error))


def _override(given: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Puts the values of the environment into `given`; answers which variable stands where, and what has no place."""
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        fields = Settings.model_fields[section].annotation.model_fields if section in OVERRIDABLE else {}  # type: ignore[union-attr]
        if key not in fields:
            problems.append(Problem(loc=name, msg="overrides no key of the configuration"))
            continue
        table = given.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _value(environ[name], written_as_text=fields[key].annotation is str)
            origins[f"{section}.{key}"] = name
    return origins, problems


def _value(text: str, *, written_as_text: bool) -> Any:
    """A number, a switch or a list is written as in TOML; everything else is text as it stands."""
    if written_as_text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _problems(error: ValidationError, origins: Mapping[str, str]) -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        loc = dotted(item["loc"])
        key = next((key for key in origins if loc == key or loc.startswith(f"{key}.")), None)
        yield Problem(loc=loc if key is None else origins[key] + loc.removeprefix(key), msg=item["msg"])
