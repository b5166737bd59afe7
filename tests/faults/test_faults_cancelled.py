"""Sends that are given up leak nothing: not a place in the circuit, not one in the gate, no stream, no memory."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.support.gateway import ROOT

CANCELLED = int(os.environ.get("CANCELLED_SENDS", "10000"))
GROWTH_BYTES = 24 * 1024 * 1024
"""A kilobyte lost with each would be seen in a longer run (`CANCELLED_SENDS=100000`); here the wire's own buffers
breathe."""


async def test_ten_thousand_cancelled_sends_leak_nothing(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.cancelled_sends",
        str(tmp_path),
        str(CANCELLED),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60 + CANCELLED / 100)
    left = json.loads(out)
    assert left["growth_bytes"] < GROWTH_BYTES
    assert left["tasks_left"] == 0
    assert left["accepted_afterwards"] == 300
    assert left["circuit"] == "closed"
    assert left["violations"] == {}
    assert left["pushes"] > CANCELLED // 10
    assert left["connections"] <= 2
