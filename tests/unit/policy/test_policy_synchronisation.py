"""Who changed it last (POLICY 2: synchronised settings; the last change wins)."""

import pytest

from gateway.policy.synchronisation import Agreement, Dates, Step, step

KNOWN = Agreement(theirs="a", ours="a")
THEY = Agreement(theirs="b", ours="a")
WE = Agreement(theirs="a", ours="b")
BOTH = Agreement(theirs="b", ours="c")


@pytest.mark.parametrize(
    ("now", "known", "dates", "expected"),
    [
        (BOTH, None, Dates(), (Step.TAKE, False)),
        (KNOWN, KNOWN, Dates(), (Step.NOTHING, False)),
        (THEY, KNOWN, Dates(), (Step.TAKE, False)),
        (WE, KNOWN, Dates(), (Step.WRITE, False)),
        (BOTH, KNOWN, Dates(), (Step.TAKE, True)),
        (BOTH, KNOWN, Dates(ours=1), (Step.WRITE, True)),
        (BOTH, KNOWN, Dates(theirs=1), (Step.TAKE, True)),
        (BOTH, KNOWN, Dates(theirs=1, ours=2), (Step.WRITE, True)),
        (BOTH, KNOWN, Dates(theirs=2, ours=1), (Step.TAKE, True)),
        (THEY, KNOWN, Dates(ours=2), (Step.TAKE, False)),
    ],
)
def test_the_last_change_wins(
    now: Agreement, known: Agreement | None, dates: Dates, expected: tuple[Step, bool]
) -> None:
    assert step(now, known, dates, writes=True) == expected
    kept = Step.KEEP if expected[0] is Step.WRITE else expected[0]
    assert step(now, known, dates, writes=False) == (kept, expected[1])
