"""How the gateway logs: one event a line, with the request, event and push it belongs to.

Code logs through `structlog.get_logger()` and binds `request_id`, `event_id` and `push_id` with
`structlog.contextvars`; every line written below that binding carries them.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from gateway.settings import LogSettings
from gateway.telemetry.tracebacks import format_without_values

REDACTED = "[redacted]"
_PRIVATE = frozenset({"token", "secret", "authorization", "password", "signature", "key", "number"})
"""Last words of names whose values are never logged: the second line of defence. The first is not to log them."""
_DEEPEST = 6
"""Levels of nesting that are written; nothing of ours is deeper."""


def configure_logs(settings: LogSettings) -> None:
    """Sends our log, and warnings of libraries, to standard error: JSON lines, or readable ones on a terminal.

    Libraries are heard from `warning` on whatever our level is: some write credentials at `debug`.
    """
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(format_without_values),
        redact,
    ]
    renderer = _console() if console else structlog.processors.JSONRenderer(serializer=_json)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=_stderr_logger,
        cache_logger_on_first_use=False,
    )
    _listen_to_libraries(shared, renderer)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every name that ends in a private word (`token`, `caller_number`, `api-key`), at any
    depth."""
    for name, value in event.items():
        event[name] = _without_private(name, value, 0)
    return event


def first_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cuts what asyncio says of a task that failed after its first line: the rest shows the exception's values."""
    if event.get("logger") == "asyncio":
        event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _without_private(name: str, value: Any, depth: int) -> Any:
    if value is not None and _is_private(name):
        return REDACTED
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): _without_private(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without_private("", inner, depth + 1) for inner in value]
    return value


def _is_private(name: str) -> bool:
    last = name.lower().replace("-", "_").rsplit("_", 1)[-1]
    return last in _PRIVATE or last.removesuffix("s") in _PRIVATE


def _json(event: Any, **options: Any) -> str:
    try:
        return orjson.dumps(event, default=repr).decode()
    except TypeError:  # an integer beyond 64 bits, a lone surrogate: a log line is never lost
        return json.dumps(event, default=repr)


def _console() -> structlog.typing.Processor:
    # Never rich's traceback: it prints local variables.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _stderr_logger(*args: Any) -> structlog.WriteLogger:
    return structlog.WriteLogger(sys.stderr)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _listen_to_libraries(shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor) -> None:
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, first_line, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _StderrHandler)] + [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
