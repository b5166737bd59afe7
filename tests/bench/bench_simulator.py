"""How many pushes a second the simulator takes and what one costs: `python -m tests.bench.bench_simulator [PUSHES]`.

One simulator process, one client process (pyreqwest, a few connections, 600 pushes in flight), loopback TLS.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from pyreqwest.client import Client, ClientBuilder

from gateway.simulator.credentials import open_credentials
from gateway.simulator.process import SimulatorProcess, start_simulator
from tests.support.h2client import open_h2
from tests.support.simulated import SEND_PATH, access_token, apns_headers, encoded, provider_token

_IN_FLIGHT = 600
_PHONES = 2000
_CALLER = {"number": "+4915112345678", "name": "Alice"}
_PBX = {"v": 1, "kind": "call.missed", "event_id": "01JD", "tenant": "acme", "extension": "1001", "call_id": "17.32"}
_APS = {"alert": {"title": "Missed call", "body": "Alice (+4915112345678)"}, "sound": "default", "badge": 3}


def _client(process: SimulatorProcess) -> Client:
    return (
        ClientBuilder()
        .http2_prior_knowledge()
        .no_proxy()
        .connect_timeout(timedelta(seconds=5))
        .timeout(timedelta(seconds=10))
        .add_root_certificate_pem(process.ca_file.read_bytes())
        .build()
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measure(
    name: str, process: SimulatorProcess, pushes: int, send: Callable[[int], Awaitable[int]]
) -> dict[str, Any]:
    numbers: Iterator[int] = iter(range(pushes))
    bad = 0

    async def work() -> None:
        nonlocal bad
        for number in numbers:
            bad += await send(number) != 200

    cpu, started = _cpu_seconds(process.pid), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
    seconds = time.perf_counter() - started
    spent = _cpu_seconds(process.pid) - cpu
    return {
        "what": name,
        "pushes": pushes,
        "per_second": round(pushes / seconds),
        "simulator_us_per_push": round(spent / pushes * 1e6, 1),
        "simulator_ceiling_per_second": round(pushes / spent),
        "simulator_core_share": round(spent / seconds, 2),
        "not_200": bad,
    }


async def _bench(pushes: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with start_simulator(Path(directory)) as process, process.control() as control:
            credentials = open_credentials(Path(directory), "127.0.0.1")
            bearer = provider_token(credentials)
            clients = [_client(process) for _ in range(2)]

            async def apns(number: int) -> int:
                push_id = str(uuid.uuid4())
                headers = apns_headers(bearer, apns_id=push_id, apns_collapse_id="c" * 32, apns_priority="10")
                body = encoded({"aps": _APS, "pbx": {**_PBX, "push_id": push_id, "caller": _CALLER}})
                url = f"{process.apns_url}/3/device/{number % _PHONES:064x}"
                post = clients[number % 2].post(url).headers(headers).body_bytes(body)
                return (await post.build().send()).status

            for number in range(2):  # one awaited push on each connection opens its thousand streams
                await apns(number)
            print(json.dumps(await _measure("apns", process, pushes, apns)))
            async with open_h2(process.fcm_url, process.ca_file) as h2:
                access = await access_token(h2, credentials)

            async def fcm(number: int) -> int:
                message = {
                    "token": f"android-{number % _PHONES}",
                    "notification": _APS["alert"],
                    "android": {"priority": "HIGH", "ttl": "43200s", "notification": {"tag": "c" * 32}},
                    "data": {"push_id": str(number), "kind": "call.missed", "extension": "1001"},
                }
                post = clients[number % 2].post(process.fcm_url + SEND_PATH)
                post = post.headers({"authorization": f"Bearer {access}"}).body_bytes(encoded({"message": message}))
                return (await post.build().send()).status

            print(json.dumps(await _measure("fcm", process, pushes // 2, fcm)))
            print(json.dumps((await control.stats()).violations))
            for client in clients:
                await client.close()


if __name__ == "__main__":
    uvloop.run(_bench(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000))
