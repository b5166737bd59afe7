"""Files of secrets that others may read: neither command goes on."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.gateway import ROOT

CONFIG = """
[server]
host = "0.0.0.0"
port = 0
[store]
url = "embedded:./store"
[admin]
api_keys = [{ name = "ops", key = { file = "ops.key" } }]
"""


@pytest.mark.parametrize("command", ["check-config", "serve"])
async def test_a_secret_that_others_may_read_stops_the_command_with_what_to_do(tmp_path: Path, command: str) -> None:
    (tmp_path / "ops.key").write_text("a-key-that-is-long-enough")
    (tmp_path / "ops.key").chmod(0o644)
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG)

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        command,
        "--config",
        str(config),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)

    said = " ".join(out.decode().split())
    assert process.returncode == 2, said
    assert "admin.api_keys.0.key" in said
    assert "holds a secret and may be read or written by others (mode 0644): make it 0600" in said
    assert "a-key-that-is-long-enough" not in said
    assert not (tmp_path / "store").exists()
