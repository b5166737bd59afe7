"""The tables of docs/providers.md, made from the code: `python -m tests.support.provider_tables` writes them anew."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.providers import apns_answers, fcm_answers, wire_errors
from gateway.providers.readings import Row, Sign, Step, Verdict

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "providers.md"

_VERDICTS: Final = {
    Verdict.TOKEN_GONE: "device retired",
    Verdict.TOKEN_REFUSED: "other environment once, then device retired",
    Verdict.TRY_LATER: "repeated later",
    Verdict.CONFIGURATION: "app's pushes kept, until mended",
    Verdict.PASSING: "push kept, not counted as an attempt",
    Verdict.REFUSED: "dead letter",
}
_SIGNS: Final = {Sign.SUSPECT: "; many in a row open the circuit", Sign.SICK: "; counts towards a storm"}
_STEPS: Final = {
    Step.NONE: "",
    Step.RECONNECT: "; new connection",
    Step.RECONNECT_AND_REPEAT: "first once more on a new connection; then ",
    Step.FRESH_CREDENTIAL: "first once more with a new token; then ",
}


def tables() -> dict[str, str]:
    """Each table by the name of its place in the page."""
    return {"apns": _answers(apns_answers.ROWS), "fcm": _answers(fcm_answers.ROWS), "wire": _troubles()}


def page(text: str) -> str:
    """The page with its tables as the code has them now."""
    for name, table in tables().items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}{start}\n{table}\n{end}{after}"
    return text


def _answers(rows: Iterable[Row]) -> str:
    lines = ["| status | reason | what we do | why |", "|---|---|---|---|"]
    lines += [f"| {row.status} | {_reason(row)} | {_done(row)} | {row.why} |" for row in rows]
    return "\n".join(lines) + "\n"


def _reason(row: Row) -> str:
    return f"`{row.reason}`" if row.reason else "any other, or none"


def _done(row: Row) -> str:
    step, verdict = _STEPS[row.step], _VERDICTS[row.verdict] + _SIGNS.get(row.effective_sign, "")
    return verdict + step if step.startswith(";") else step + verdict


def _troubles() -> str:
    source = Path(wire_errors.__file__).read_text(encoding="utf-8")
    meanings = re.findall(r'^    [A-Z_]+ = "([a-z_]+)"\n    """(.*?)"""', source, re.MULTILINE | re.DOTALL)
    lines = ["| reason | meaning |", "|---|---|"]
    lines += [f"| `{reason}` | {' '.join(meaning.split())} |" for reason, meaning in meanings]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
