"""The command line as users run it: real processes, exit codes, output."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.support.gateway import ROOT, cloud_event, open_gateway


async def run(*arguments: str, input_text: str = "") -> tuple[int, str, str]:
    """`push-gateway ARGUMENTS`: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(input_text.encode()), 90)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_demo_plays_every_step_as_expected() -> None:
    code, out, err = await run("demo", "--once", "--port", "0")
    assert code == 0, out + err
    assert "All 22 steps were decided and arrived as expected." in out
    assert err == ""


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("demo",),
        ("serve",),
        ("simulator",),
        ("check-config",),
        ("decide",),
        ("send-test",),
        ("dead-letters",),
        ("dead-letters", "list"),
        ("dead-letters", "show"),
        ("dead-letters", "replay"),
        ("dead-letters", "drop"),
        ("seal-tokens",),
        ("openapi",),
    ],
)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    """In this process: what starts a process is shown by the other tests."""
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


async def test_wrong_usage_exits_2() -> None:
    code, _, err = await run("serve")
    assert code == 2
    assert "--config" in err


async def test_a_bad_configuration_is_refused_with_every_problem_named(tmp_path: Path) -> None:
    bad_key = tmp_path / "AuthKey.p8"
    bad_key.write_text("this is no key")
    path = tmp_path / "gateway.toml"
    path.write_text(
        f"""
[server]
prot = 8080
[store]
url = "embedded:{tmp_path / "store"}"
[[apps]]
id = "ios"
[apps.apns]
team_id = "ABCDE12345"
key_id = "FGHIJ67890"
key_file = "missing.p8"
topic = "com.example"
[[tenants]]
id = "acme"
timezone = "Mars/Olympus"
apps = ["ios", "android"]
"""
    )
    for command in ("serve", "check-config"):
        code, out, err = await run(command, "--config", str(path))
        said = out + err
        assert code == 2, said
        for place in ("server.prot", "missing.p8", "timezone", "tenants.0.apps"):
            assert place in said, (place, said)
    path.write_text(
        f"""
[store]
url = "embedded:{tmp_path / "store"}"
[[apps]]
id = "ios"
[apps.apns]
team_id = "ABCDE12345"
key_id = "FGHIJ67890"
key_file = "AuthKey.p8"
topic = "com.example"
"""
    )
    for command in ("serve", "check-config"):
        code, out, err = await run(command, "--config", str(path))
        assert code == 2, out + err
        assert "key_file" in out + err
        assert "Traceback" not in out + err


async def test_a_missing_configuration_file_exits_2(tmp_path: Path) -> None:
    code, out, err = await run("check-config", "--config", str(tmp_path / "none.toml"))
    assert code == 2
    assert "none.toml" in out + err


async def test_openapi_prints_the_document() -> None:
    code, out, _ = await run("openapi")
    assert code == 0
    document = json.loads(out)
    assert document["openapi"].startswith("3.1")
    assert "/v1/tenants/{tenant}/events" in document["paths"]


async def test_check_decide_send_test_and_dead_letters_beside_a_running_gateway(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        config = ("--config", str(gateway.config))
        code, out, err = await run("check-config", *config)
        assert (code, "ready to serve" in out) == (0, True), out + err

        await gateway.register_iphone()
        settings = {"accept_push_notifications": False}
        path = "/v1/tenants/acme/extensions/1001/presence/settings/available"
        assert (await gateway.request("PUT", path, settings)).status == 200
        event = json.dumps(cloud_event("call.missed", "1001", {"call": {"id": "c1"}}))
        code, out, err = await run("decide", "-", *config, "--tenant", "acme", input_text=event)
        assert code == 0, err
        assert "suppress: push_disabled" in out
        code, out, err = await run("decide", "-", *config, "--tenant", "acme", "--json", input_text=event)
        decision = json.loads(out)
        assert (decision["action"], decision["reason"]) == ("suppress", "push_disabled")
        assert [step["rule"] for step in decision["trace"] if step["verdict"] == "decided"] == ["push_disabled"]
        code, out, err = await run("decide", "-", *config, "--tenant", "acme", input_text="{}")
        assert code == 2
        assert "specversion" in err

        code, out, err = await run("send-test", *config, "--tenant", "acme", "--extension", "1001")
        assert code == 0, out + err
        for stage in ("registered", "app", "credentials", "provider"):
            assert stage in out
        code, out, _ = await run("send-test", *config, "--tenant", "acme", "--extension", "9999")
        assert code == 1
        assert "no device is registered" in out

        code, out, _ = await run("dead-letters", "list", *config)
        assert (code, out.strip()) == (0, "No dead letters.")
        code, out, _ = await run("dead-letters", "show", "4f1c0d0e-0000-5000-8000-000000000000", *config)
        assert code == 1


async def test_dead_letters_are_listed_shown_replayed_and_dropped(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.control.answer_with(400, "BadTopic", token=token)
        answer = await gateway.call_ended("c1")
        push_id = answer.body["decision"]["pushes"][0]["push_id"]
        config = ("--config", str(gateway.config))
        for _ in range(100):
            code, out, _ = await run("dead-letters", "show", push_id, *config)
            if code == 0:
                break
        assert "BadTopic" in out
        code, out, _ = await run("dead-letters", "list", *config)
        assert push_id in out
        code, out, _ = await run("dead-letters", "replay", push_id, *config)
        assert code == 0, out
        phone = await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
        assert phone.shown[0].title == "Missed call"
        code, out, _ = await run("dead-letters", "drop", push_id, *config)
        assert code == 1
