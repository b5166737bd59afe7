"""From a pydantic error to problems that name the place."""

from collections.abc import Iterable

from pydantic import ValidationError

from gateway.domain.errors import Problem


def problems_of(error: ValidationError, *, prefix: str = "") -> tuple[Problem, ...]:
    """One problem per error, with a dotted place below `prefix`. Never repeats the input's value."""
    return tuple(
        Problem(loc=dotted(item["loc"], prefix=prefix), msg=_sentence(item["type"], item["msg"]))
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    )


def dotted(loc: Iterable[int | str], *, prefix: str = "") -> str:
    """`("data", "call", 0)` below `body` is `body.data.call.0`."""
    return ".".join(part for part in (prefix, *map(str, loc)) if part)


def _sentence(kind: str, msg: str) -> str:
    # pydantic's own words for a missing object name the class, which is nobody's business outside.
    return "Input should be an object" if kind == "model_type" else msg.removeprefix("Value error, ")
