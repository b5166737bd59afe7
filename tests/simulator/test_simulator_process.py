"""The simulator as a process, and the files it leaves for a configuration to point at."""

import asyncio
import json
import os
import signal
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.simulator import certificates
from gateway.simulator.__main__ import read_options
from gateway.simulator.credentials import KEY_ID, Credentials, open_credentials
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.process import SimulatorFailed, start_simulator
from gateway.simulator.server import Simulator
from tests.support.h2client import open_h2
from tests.support.simulated import TOKEN, access_token, provider_token, push, send_message


async def test_it_serves_in_its_own_process_until_the_block_ends(credential_directory: Path) -> None:
    async with start_simulator(credential_directory, strict_tokens=True, topics=("com.example.softphone",)) as process:
        credentials = open_credentials(credential_directory, "127.0.0.1")
        async with process.control() as control:
            assert await control.alive()
            await control.set_phone(TOKEN)
            async with open_h2(process.apns_url, process.ca_file) as client:
                assert (await push(client, provider_token(credentials))).status == 200
            async with open_h2(process.fcm_url, process.ca_file) as client:
                access = await access_token(client, credentials)
                assert (await send_message(client, access, {"token": "unknown-token"})).status == 404
            assert (await control.stats()).accepted == 1
        assert process.key_file.name == f"AuthKey_{process.key_id}.p8"
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert not (credential_directory / "simulator.json").exists()


async def test_a_port_that_is_taken_fails_with_what_it_printed(credential_directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SimulatorFailed, match=r"ended with 1: simulator: .*in use"):
            async with start_simulator(credential_directory, control_port=port):
                pass


async def test_one_that_does_not_get_ready_in_time_is_stopped(credential_directory: Path) -> None:
    with pytest.raises(SimulatorFailed, match="not ready after 0 s"):
        async with start_simulator(credential_directory, ready_seconds=0):
            pass


async def test_one_that_ignores_sigterm_is_killed(credential_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.simulator.process._STOP_SECONDS", 0.2)
    async with start_simulator(credential_directory) as process:
        os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(0)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_every_file_is_readable_by_its_owner_only(simulator: Simulator) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in simulator.credentials.directory.glob("*.p*")}
    modes["account"] = stat.S_IMODE(simulator.credentials.service_account_file.stat().st_mode)
    assert set(modes.values()) == {0o600}
    assert {"ca.pem", "server.pem", "apns-client.pem", f"AuthKey_{KEY_ID}.p8"} <= modes.keys()


def test_the_account_points_to_the_port_that_was_bound(simulator: Simulator) -> None:
    account = json.loads(simulator.credentials.service_account_file.read_bytes())
    assert account["token_uri"] == f"https://127.0.0.1:{simulator.fcm.port}/token"


def contents(credentials: Credentials) -> dict[str, bytes]:
    """Every credential file."""
    return {file.name: file.read_bytes() for file in credentials.directory.iterdir()}


def test_credentials_are_reused(tmp_path: Path) -> None:
    first = contents(open_credentials(tmp_path, "127.0.0.1"))
    assert contents(open_credentials(tmp_path, "127.0.0.1")) == first


def test_a_spoilt_file_is_made_anew_and_the_others_stay(tmp_path: Path) -> None:
    first = contents(open_credentials(tmp_path, "127.0.0.1"))
    spoilt = {
        "server.pem": b"rubbish",
        "service-account.json": b"{}",
        "AuthKey_SIMKEY0001.p8": certificates.make_authority().pem()[:40],
        "apns-client.pem": certificates.make_client(certificates.make_authority(), "other").pem(),
    }
    for name, content in spoilt.items():
        (tmp_path / name).write_bytes(content)
    second = contents(open_credentials(tmp_path, "127.0.0.1"))
    assert {name for name in first if first[name] != second[name]} == spoilt.keys()


def test_another_host_gets_a_server_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first = contents(open_credentials(tmp_path, "127.0.0.1"))
    second = contents(open_credentials(tmp_path, "gateway.example"))
    assert {name for name in first if first[name] != second[name]} == {"server.pem"}
    certificate = certificates.read_certified(second["server.pem"]).certificate
    assert certificate.not_valid_after_utc > datetime.now(UTC)


def test_options_are_read_from_the_command_line() -> None:
    assert read_options(["--dir", "x"]) == SimulatorOptions(directory=Path("x"))
    assert read_options(["--dir", "x"]).sandbox_port == 2207
    given = read_options(["--dir", "x", "--apns-port", "0", "--topic", "a", "--topic", "b", "--over-limit", "goaway"])
    assert (given.sandbox_port, given.topics, given.over_limit) == (0, ("a", "b"), "goaway")
    assert read_options(["--dir", "x", "--apns-sandbox-port", "7"]).sandbox_port == 7
