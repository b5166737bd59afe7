"""The chaos suite in its short form: the same as `make chaos`, smaller and with what passes quickly."""

from pathlib import Path

from tests.chaos.cast import Cast
from tests.chaos.disasters import Harshness
from tests.chaos.options import Options
from tests.chaos.run import run

CAST = Cast(plain=8, presence=2, flaky=2, nomads=2, swift=2)
MILD = Harshness(pause_seconds=(0.6, 1.0), slow=False)


async def test_kills_of_every_process_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    options = Options(
        directory=tmp_path,
        kills=10,
        seed="short 4",
        cast=CAST,
        harshness=MILD,
        events_per_second=30.0,
        lease_seconds=2.0,
        quiet_seconds=60.0,
    )
    result = await run(options)
    assert [f"{one.breach}: {one.detail}" for one in result.judgement.violations] == []
    assert sum(count for name, count in result.done.items() if name.startswith(("SIGKILL", "SIGTERM"))) == 10
    assert result.judgement.figures["events acknowledged"] > 100
    assert result.judgement.figures["pushes delivered"] > 100
