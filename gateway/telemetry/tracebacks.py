"""Tracebacks that say where something failed, and not with which values.

The message of an exception may repeat what was read: a pydantic error shows its input, a ValueError the text that is
no number, a KeyError the key. So a message is written only for kinds of errors whose messages are about our own code or
the system; for all others the kind and the lines of code have to do.
"""

import sys
import traceback
from types import TracebackType
from typing import TypeAlias

from pydantic import ValidationError

from gateway.domain.errors import GatewayError

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_TOLD: tuple[type[BaseException], ...] = (GatewayError, OSError, AttributeError, TypeError, NameError, ImportError)
"""Kinds whose messages hold no values of requests, documents or the configuration."""
_DEEPEST = 10
"""Exceptions of one chain that are written."""


def format_without_values(exc_info: ExcInfo) -> str:
    """The traceback of an exception with those that caused it, the first one first."""
    return "\n".join(_chain(exc_info[1], 0))


def print_without_values(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python does with an exception that nobody caught, `sys.excepthook`, so that it prints no values."""
    print(format_without_values((kind, error, trace)), file=sys.stderr)  # noqa: T201 - as Python's own hook does


def _chain(error: BaseException, depth: int) -> list[str]:
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _DEEPEST:
        lines += [*_chain(cause, depth + 1), "", "which led to:", ""]
    lines.append("Traceback (most recent call last):")
    lines.append("".join(traceback.format_tb(error.__traceback__)).rstrip("\n"))
    lines.append(f"{type(error).__qualname__}{_message(error)}")
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST:
        for inner in error.exceptions:
            lines += ["", "of which:", "", *_chain(inner, depth + 1)]
    return lines


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        places = ", ".join(f"{'.'.join(map(str, item['loc']))} ({item['type']})" for item in found)
        return f": {error.title}: {places}"
    return f": {error}" if isinstance(error, _TOLD) and str(error) else ""
