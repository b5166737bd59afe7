"""How commands print: tables on a terminal, plain and wide in a pipe."""

import sys

from rich.console import Console

from gateway.domain.decision import Decision
from gateway.domain.errors import ConfigurationError, Problem

PIPE_WIDTH = 160


def console() -> Console:
    """Standard output; does not wrap to 80 columns where nobody has a screen."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def print_problems(error: ConfigurationError) -> None:
    """Every problem of a configuration, one a line, on standard error."""
    for problem in error.problems:
        print(line(problem), file=sys.stderr)


def line(problem: Problem) -> str:
    """`place: what is wrong`."""
    return f"{problem.loc}: {problem.msg}" if problem.loc else problem.msg


def headline(decision: Decision) -> str:
    """`suppress: push_disabled`."""
    return f"{decision.action}: {decision.reason}"
