"""Agents are switched by the whole product: a gateway process, its store, and a PBX over HTTP."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.ingress.signatures import sign_yeastar
from tests.support.gateway import ADMIN_KEY, Gateway, eventually, open_gateway
from tests.support.yeastar_pbx import CLIENT_ID, CLIENT_SECRET, YeastarPbx, yeastar_pbx

BRANCH_SECRET = secrets.token_hex(16)
PRESENCE = "/v1/tenants/acme/extensions/1001/presence"
PROFILE = "/v1/tenants/acme/extensions/1001/profile"


def connected(pbx: YeastarPbx, more: str = "") -> str:
    """A source with a connector, as TOML."""
    return f"""
[[tenants.sources]]
name = "branch"
kind = "yeastar"
secret = "{BRANCH_SECRET}"
[tenants.sources.connector]
kind = "yeastar"
url = "{pbx.url}"
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
{more}
"""


@pytest.fixture
async def pbx() -> AsyncIterator[YeastarPbx]:
    async with yeastar_pbx() as running:
        yield running


@pytest.fixture
async def gateway(tmp_path: Path, pbx: YeastarPbx) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, extra=connected(pbx)) as running:
        await running.request("PATCH", PROFILE, {"queues": ["6400", "6401"]})
        for status, switch in {
            "lunch_break": {"action": "pause", "pause_reason": "Lunch"},
            "available": {"action": "log_in"},
        }.items():
            path = f"{PRESENCE}/settings/{status}"
            answer = await running.request("PATCH", path, {"agent_status_auto_switch": switch})
            assert answer.status == 200
        yield running


async def branch(gateway: Gateway, type_: int, msg: object) -> Any:
    """Post a webhook of that PBX."""
    body = json.dumps({"type": type_, "sn": "3631A2124000", "msg": json.dumps(msg)}).encode()
    headers = {"Content-Type": "application/json", "X-Signature": sign_yeastar(BRANCH_SECRET, body)}
    return await gateway.request("POST", "/hooks/branch", key=None, data=body, headers=headers)


async def states(gateway: Gateway) -> list[tuple[str, str, str]]:
    body = (await gateway.request("GET", PRESENCE)).body
    return [(one["queue"], one["action"], one["state"]) for one in body["agent_actions"]]


async def all_done(gateway: Gateway, count: int) -> bool:
    found = await states(gateway)
    return len(found) == count and {state for _, _, state in found} == {"done"}


async def test_lunch_pauses_the_agent_and_coming_back_logs_in(gateway: Gateway, pbx: YeastarPbx) -> None:
    answer = await gateway.request("PUT", PRESENCE, {"status": "lunch_break"})
    assert [(one["queue"], one["action"], one["reason"]) for one in answer.body["agent_actions"]] == [
        ("6400", "pause", "Lunch"),
        ("6401", "pause", "Lunch"),
    ]
    await eventually(lambda: all_done(gateway, 2))
    await gateway.request("PUT", PRESENCE, {"status": "lunch_break"})
    assert (await branch(gateway, 30009, {"extension": "1001", "status": "available"})).status == 200
    await eventually(lambda: all_done(gateway, 4))
    queues = [str(row["id"]) for row in pbx.queues]
    assert [query["queue_ids"] for query in pbx.of("agent/pause")] == queues
    assert [query["queue_ids"] for query in pbx.of("agent/login")] == queues
    assert (await gateway.stop(), len(pbx.tokens)) == (0, 0)


async def test_a_pbx_in_trouble_is_told_by_health_and_asked_again(gateway: Gateway, pbx: YeastarPbx) -> None:
    pbx.fail("http500", only="agent/pause", times=1)
    await gateway.request("PUT", PRESENCE, {"status": "lunch_break"})
    await eventually(lambda: all_done(gateway, 2))
    health = (await gateway.request("GET", "/health", key=ADMIN_KEY)).body["connectors"]["branch"]
    assert (health["kind"], health["last_error"]) == ("yeastar", "HTTP 500")
    assert health["last_success_at"] >= health["last_error_at"]
    assert CLIENT_SECRET not in gateway.log
    assert "access_token" not in gateway.log


async def test_settings_follow_the_pbx_at_once_and_the_pbx_follows_them(tmp_path: Path, pbx: YeastarPbx) -> None:
    row = pbx.extensions[0]["presence_list"][1]
    row["ring_timeout"] = 44
    path = f"{PRESENCE}/settings/away"

    async def timeout(gateway: Gateway) -> int:
        return int((await gateway.request("GET", path)).body["ring_timeout_seconds"])

    async with open_gateway(tmp_path, extra=connected(pbx, 'sync = "both"')) as gateway:

        async def is_now(seconds: int) -> bool:
            return await timeout(gateway) == seconds

        await eventually(lambda: is_now(44))
        row["ring_timeout"] = 45
        answer = await branch(gateway, 30022, {"ext_number": "1001", "option": "UPDATE"})
        assert (answer.status, answer.body) == (200, {"status": "ignored"})
        await eventually(lambda: is_now(45))
        await gateway.request("PATCH", path, {"ring_timeout_seconds": 46})
        await eventually(lambda: row["ring_timeout"] == 46)
        health = (await gateway.request("GET", "/health", key=ADMIN_KEY)).body["connectors"]["branch"]
        assert health["last_error"] is None
        assert health["next_sync_at"] > health["last_success_at"]


async def test_orders_outlive_the_process(gateway: Gateway, pbx: YeastarPbx) -> None:
    pbx.fail("http500", only="agent/pause", times=100)
    await gateway.request("PUT", PRESENCE, {"status": "lunch_break"})
    await eventually(lambda: pbx.of("queue/list"))
    await gateway.stop()
    pbx.faults.clear()
    await gateway.start()
    await eventually(lambda: all_done(gateway, 2))
