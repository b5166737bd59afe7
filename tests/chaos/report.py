"""What a run found, as a table for people and as JSON for machines."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.accountant import Breach, Judgement, Violation
from tests.chaos.history import history
from tests.chaos.ledger import Ledger
from tests.chaos.run import Result

MOST_SHOWN = 12
"""Violations of each kind; all are in the JSON result."""
MOST_HISTORIES = 8


def show(result: Result, console: Console) -> None:
    """Print the figures and the judgement."""
    options = result.options
    console.print(
        f"\n[bold]chaos[/bold] {options.kills} kills, seed {options.seed}, {options.store} store, fsync {options.fsync}"
        f", {options.events_per_second:g} events/s: {result.seconds:.0f} s, of these {result.quiet_seconds:.0f} s until"
        " quiet"
    )
    console.print(f"{result.machine['cores']} cores, {result.machine['store']}, Python {result.machine['python']}\n")
    console.print(_figures("what was done", result.done))
    console.print(_figures("what came of it", dict(result.judgement.figures)))
    console.print(_figures("answers to posts, by status", result.answers))
    show_judgement(result.judgement, result.ledger, console)


def show_judgement(judgement: Judgement, ledger: Ledger, console: Console) -> None:
    """Print what was found, a few of each kind, and the history of some."""
    promises = Table("promise", "found", title="the judgement", title_justify="left")
    for breach, count in judgement.counts.items():
        promises.add_row(breach.value, f"[green]{count}[/]" if count == 0 else f"[red]{count}[/]")
    console.print(promises)
    histories = MOST_HISTORIES
    for violation in _some(judgement):
        console.print(f"[red]{violation.breach}[/]: {violation.detail}", highlight=False)
        if violation.place is not None and histories > 0:
            histories -= 1
            for line in history(ledger, violation.place, violation.call_id, device_id=violation.device_id):
                console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _some(judgement: Judgement) -> list[Violation]:
    """A few of each kind."""
    return [
        violation
        for breach in Breach
        for violation in [one for one in judgement.violations if one.breach is breach][:MOST_SHOWN]
    ]


def _figures(title: str, figures: dict[str, int]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}")
    return table


def document(result: Result) -> dict[str, Any]:
    """Everything, but the ledger."""
    options = asdict(result.options)
    options["directory"] = str(result.options.directory)
    return {
        "kept": result.kept,
        "options": options,
        "machine": result.machine,
        "seconds": round(result.seconds, 1),
        "quiet_seconds": round(result.quiet_seconds, 1),
        "done": result.done,
        "starts": result.starts,
        "answers": result.answers,
        "figures": dict(result.judgement.figures),
        "promises": {breach.value: count for breach, count in result.judgement.counts.items()},
        "violations": [f"{one.breach}: {one.detail}" for one in result.judgement.violations[:1000]],
        "actions": list(result.actions),
    }


def write(result: Result, path: Path) -> None:
    """The JSON result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(result), indent=1), encoding="utf-8")
