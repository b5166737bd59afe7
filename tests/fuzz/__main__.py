"""`make fuzz`: the API by schemathesis, then each dialect by atheris, for as long as is asked for.

    python -m tests.fuzz [SECONDS]        seconds for the API, and again for each dialect (default 60)

Exit code 1 when something was found; what it was stands above, with how to see it again.
"""

import asyncio
import random
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.dialects import DIALECTS
from tests.support.api_fuzz import fuzz_api
from tests.support.gateway import open_gateway


async def _api(seconds: int) -> bool:
    seed = random.SystemRandom().randrange(2**32)
    with tempfile.TemporaryDirectory() as directory:
        async with open_gateway(Path(directory)) as gateway:
            found = await fuzz_api(gateway, "--max-time", str(seconds), "--max-examples", "1000", "--seed", str(seed))
            errors = [line for line in gateway.log.splitlines() if '"level":"error"' in line]
    print(found.report if not found.good or errors else found.report[-400:])
    for line in errors:
        print(line)
    return found.good and not errors


def _dialect(name: str, seconds: int) -> bool:
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as corpus:
        words = [
            sys.executable,
            "-m",
            "tests.fuzz.dialects",
            name,
            corpus,
            f"-max_total_time={seconds}",
            "-verbosity=0",
        ]
        return subprocess.run(words, check=False).returncode == 0


def main() -> int:
    """Everything in turn."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    good = [asyncio.run(_api(seconds))]
    if find_spec("atheris") is None:
        print("atheris is not installed (no wheel for this platform?): the dialects were left out", file=sys.stderr)
    else:
        good += [_dialect(name, seconds) for name in DIALECTS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
