"""Tokens, secrets and callers are seeded, everything is driven, and nothing of them turns up where it must not."""

import asyncio
import base64
import json
import re
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
import pytest_asyncio
from redis import Redis

from gateway.simulator.faults import Answer as ScriptedAnswer
from gateway.simulator.faults import Fault, Match
from gateway.web.routes import ROUTES
from tests.support import gateway as houses
from tests.support.canaries import Canaries, fcm_token, forms_of, stored_values, stream_entries
from tests.support.gateway import ANDROID, IOS, Answer, Gateway, cdr, cloud_event, eventually, open_gateway
from tests.support.servers import Server, free_port, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENANT = "/v1/tenants/acme"
ALICE = f"{TENANT}/extensions/1001"
PRESENCE_ROUTES = ("presence", "profile")
STORE_PASSWORD = secrets.token_urlsafe(24)
CLIENT_SECRET = secrets.token_urlsafe(24)
FILE_KEY = secrets.token_urlsafe(24)
ENV_KEY = secrets.token_urlsafe(24)
OLD_CRM_SECRET = "whsec_" + secrets.token_hex(32)
TOKEN_KEY = base64.b64encode(secrets.token_bytes(32)).decode()
NUMBER = "+4915199887766"
NAME = "Canary-Kanarienvogel"
CALLERS_ARE_FOR = re.compile(r"/(inbox|events|events/[^/]+|decisions:preview|profile|extensions/[^/]+)(\?.*)?$")
"""The routes whose answers hold callers: inbox, history, preview, and what the user wrote into the profile."""


@dataclass(slots=True)
class Seen:
    """Everything that came out."""

    canaries: Canaries
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    printed: list[tuple[str, str]] = field(default_factory=list)
    log: str = ""
    names: list[str] = field(default_factory=list)
    streams: bytes = b""
    values: list[Any] = field(default_factory=list)
    sealed: bytes = b""


def seeded(gateway: Gateway) -> Canaries:
    key = gateway.simulator.key_file.read_text()
    account = json.loads(gateway.simulator.service_account_file.read_text())
    lines = [line for text in (key, account["private_key"]) for line in text.splitlines() if len(line) > 40]
    return Canaries(
        secrets={
            "admin key": houses.ADMIN_KEY,
            "API key": houses.API_KEY,
            "API key from a file": FILE_KEY,
            "API key from the environment": ENV_KEY,
            "JWT key": houses.JWT_KEY,
            "Yeastar secret": houses.YEASTAR_SECRET,
            "generic secret": houses.CRM_SECRET,
            "old generic secret": OLD_CRM_SECRET,
            "connector's secret": CLIENT_SECRET,
            "store's password": STORE_PASSWORD,
            "token key": TOKEN_KEY,
            "JWT": user_token("1001"),
            **{f"private key, line {number}": line for number, line in enumerate(lines)},
        },
        tokens={
            "iPhone": secrets.token_hex(32),
            "iPhone for VoIP": secrets.token_hex(32),
            "dying iPhone": secrets.token_hex(32),
            "refused iPhone": secrets.token_hex(32),
            "Linphone": secrets.token_hex(32),
            "Android": fcm_token(),
            "dying Android": fcm_token(),
            "tested iPhone": secrets.token_hex(32),
            "tested Android": fcm_token(),
            "installation": secrets.token_urlsafe(16),
        },
        callers={"number": NUMBER, "name": NAME},
    )


def user_token(extension: str) -> str:
    return jwt.encode({"sub": extension, "exp": 4_000_000_000}, houses.JWT_KEY, algorithm="HS256")


EXTRA = f"""
[tenants.sources.connector]
kind = "yeastar"
url = "http://127.0.0.1:9"
client_id = "id"
client_secret = "{CLIENT_SECRET}"
[[tenants]]
id = "canary"
apps = ["{IOS}"]
api_keys = [
    {{ name = "file", key = {{ file = "key.txt" }}, scopes = ["read"] }},
    {{ name = "env", key = {{ env = "CANARY_KEY" }}, scopes = ["read"] }},
]
[[tenants.sources]]
name = "rotating"
kind = "generic"
secrets = ["{OLD_CRM_SECRET}", "whsec_{secrets.token_hex(32)}"]
"""


class Stage:
    """Drives one gateway and keeps what it answers."""

    def __init__(self, gateway: Gateway, server: Server, seen: Seen) -> None:
        self.gateway, self.server, self.seen = gateway, server, seen
        self.tokens = seen.canaries.tokens

    async def ask(self, method: str, path: str, document: Any = None, **options: Any) -> Answer:
        answer = await self.gateway.request(method, path, document, **options)
        self.seen.answers.append((path, answer))
        return answer

    async def keep(self, answering: Any, path: str = "/hooks") -> Answer:
        answer: Answer = await answering
        self.seen.answers.append((path, answer))
        return answer

    async def register(self, device: str, push: dict[str, Any], extension: str = "1001") -> None:
        app = ANDROID if push.get("provider") == "fcm" else IOS
        path = f"{TENANT}/extensions/{extension}/devices/{device}"
        answer = await self.ask("PUT", path, {"app": app, "push": push, "name": "A phone"})
        assert answer.status in (200, 201), answer

    async def register_all(self) -> None:
        tokens = self.tokens
        iphone = {"provider": "apns", "token": tokens["iPhone"], "voip_token": tokens["iPhone for VoIP"]}
        await self.register("iphone", iphone)
        await self.register("android", {"provider": "fcm", "token": tokens["Android"]})
        await self.register("fid", {"provider": "fcm", "fid": tokens["installation"]})
        await self.register("dying", {"provider": "apns", "token": tokens["dying iPhone"]}, "1002")
        await self.register("dying-too", {"provider": "fcm", "token": tokens["dying Android"]}, "1002")
        await self.register("refused", {"provider": "apns", "token": tokens["refused iPhone"]}, "1003")
        linphone = {"pn_provider": "apns", "pn_param": "com.example.softphone", "pn_prid": tokens["Linphone"]}
        await self.register("linphone", linphone, "1004")
        await self.register("tested", {"provider": "apns", "token": tokens["tested iPhone"]}, "1009")
        await self.register("tested-too", {"provider": "fcm", "token": tokens["tested Android"]}, "1009")
        await self.register("moved", {"provider": "apns", "token": tokens["Linphone"]}, "1005")

    async def events(self) -> None:
        caller = {"number": NUMBER, "name": NAME}
        gateway = self.gateway
        for number in range(3):
            await self.keep(gateway.call_ended(f"c{number}", "1001", caller=NUMBER))
        for kind in ("call.incoming", "call.missed", "call.answered", "voicemail.new"):
            data = {"call": {"id": f"e-{kind}"}, "caller": caller, "voicemail": {"message_id": "m"}}
            await self.keep(gateway.cloud_event(kind, "1001", data))
        document = cloud_event("call.missed", "1001", {"call": {"id": "batch"}, "caller": caller})
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        wrong = document | {"id": "wrong", "data": {"call": NUMBER, "caller": self.tokens}}
        body = json.dumps([document, wrong, document | {"type": NUMBER}])
        await self.ask("POST", f"{TENANT}/events", data=body, headers=headers)
        preview = {"type": "call.missed", "data": {"call": {"id": "p"}, "caller": caller}}
        await self.ask("POST", f"{ALICE}/decisions:preview", preview)

    async def provider_faults(self) -> None:
        """Each fault echoes the token, in every place that anybody reads."""
        control, gateway, tokens = self.gateway.control, self.gateway, self.tokens
        for token in (tokens["dying iPhone"], tokens["dying Android"], tokens["refused iPhone"]):
            body = json.dumps({"reason": token, "error": {"message": f"not {token}", "status": token}})
            answer = ScriptedAnswer(status=500, reason=token, body=body, headers={"X-Echo": token})
            await control.add_fault(Fault(what=answer, match=Match(token=token)))
        for token, status in ((tokens["dying iPhone"], 410), (tokens["dying Android"], 404)):
            reason = "Unregistered" if status == 410 else "UNREGISTERED"
            await control.add_fault(Fault(what=ScriptedAnswer(status=status, reason=reason), match=Match(token=token)))
        refused = tokens["refused iPhone"]
        echo = ScriptedAnswer(status=400, body=json.dumps({"reason": refused}))
        await control.add_fault(Fault(what=echo, match=Match(token=refused), count=None))
        await self.keep(gateway.call_ended("f1", "1002", caller=NUMBER))
        await self.keep(gateway.call_ended("f2", "1003", caller=NUMBER))
        await eventually(self.has_dead_letter, seconds=30)
        await eventually(lambda: self.retired("dying"), seconds=30)
        await eventually(lambda: self.retired("dying-too"), seconds=30)

    async def retired(self, device: str) -> bool:
        answer = await self.ask("GET", f"{TENANT}/extensions/1002/devices/{device}")
        return bool(answer.body["state"] == "needs_reregister")

    async def has_dead_letter(self) -> list[str]:
        answer = await self.ask("GET", "/v1/dead-letters", key=houses.ADMIN_KEY)
        return [item["push_id"] for item in answer.body["items"]]

    async def every_route(self) -> None:
        """With every proof, good and wrong, and bodies that hold what they should not."""
        tokens = list(self.tokens.values())
        events = await self.ask("GET", f"{TENANT}/events?limit=5")
        (push_id, *_) = await self.has_dead_letter()
        values = {
            "tenant": "acme",
            "source": "crm",
            "extension": "1001",
            "device_id": "iphone",
            "status": "away",
            "event_id": events.body["items"][0]["event"]["event_id"],
            "push_id": push_id,
        }
        rubbish = {"token": tokens[0], "push": {"provider": tokens[1], "token": NUMBER}, "name": NAME, "app": tokens[2]}
        proofs = (None, houses.API_KEY, houses.ADMIN_KEY, user_token("1001"), user_token("1009"), tokens[0], NUMBER)
        for route in ROUTES:
            if route.path.endswith(("{extension}", "/replay")) or route.method == "DELETE":
                continue
            path = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], route.path)
            for key in (*proofs, FILE_KEY, ENV_KEY):
                await self.ask(route.method, path, rubbish if route.body else None, key=key)
            odd = re.sub(r"\{(\w+)\}", lambda _: tokens[0], route.path)
            await self.ask(
                route.method, f"{odd}?caller={NUMBER[1:]}&token={tokens[1]}", rubbish if route.body else None
            )
        good = {"foreground": True}
        assert (await self.ask("POST", f"{ALICE}/devices/iphone/heartbeat", good)).status == 204
        document = cloud_event("call.missed", "1001", {"call": {"id": "202"}, "caller": {"number": NUMBER}})
        headers = {"Content-Type": "application/cloudevents+json"}
        assert (await self.ask("POST", f"{TENANT}/events", data=json.dumps(document), headers=headers)).status == 202
        assert (await self.ask("POST", f"{TENANT}/events", data='{"' + NUMBER, headers=headers)).status == 400
        for device in ("iphone", "dying", "refused"):
            for extension in ("1001", "1003"):
                await self.ask("POST", f"{TENANT}/extensions/{extension}/devices/{device}/test")
        vip = {"vip_callers": [NUMBER], "mobile_number": NUMBER}
        await self.ask("PATCH", f"{ALICE}/profile", vip)
        await self.ask("PUT", f"{ALICE}/presence", {"status": NUMBER, "information": NAME})
        for secret in (houses.CRM_SECRET, "whsec_" + "QUJD" * 8):
            await self.keep(self.gateway.yeastar(30012, cdr("x", "1001", "BUSY", caller=NUMBER), secret=secret))

    async def broken_requests(self) -> None:
        """No HTTP, with a token in it."""
        port = int(self.gateway.url.rpartition(":")[2])
        token, line = self.tokens["iPhone"], houses.API_KEY
        for text in (
            f"GET /livez HTTP/1.1\r\nAuthorization: Bearer {line}{'x' * 9000}\r\n\r\n",
            f"GET /livez HTTP/1.1\r\nAuthorization Bearer {line}\r\n\r\n",
            f"{token} {NUMBER}\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text.encode())
            heard = await reader.read()
            self.seen.answers.append(("no HTTP", Answer(0, heard.decode(), {})))
            writer.close()

    async def exceptions(self) -> None:
        """What is stored is not what it should be: an error that nobody foresaw, with the value in its message."""
        with self.client() as client:
            reader: Any = client
            reader.hset("pg:{0}:x:acme:1006", mapping={"rev": 1, "presence": json.dumps({"status": {NUMBER: NAME}})})
            reader.hset("pg:{0}:x:acme:1007", mapping={"rev": 1, "unread": f"{NUMBER} {self.tokens['iPhone']}"})
            reader.hset("pg:{0}:d:acme:1008:broken", mapping={"doc": f'{{"tenant": "{NUMBER}"'})
            reader.sadd("pg:{0}:ds:acme:1008", "broken")
        for path in ("1006/presence", "1007/inbox", "1008/devices", "1006/call-plan"):
            assert (await self.ask("GET", f"{TENANT}/extensions/{path}")).status == 500
        await self.keep(self.gateway.call_ended("x1", "1006", caller=NUMBER))
        answer = await self.keep(self.gateway.call_ended("x2", "1007", caller=NUMBER))
        assert answer.status == 500
        with self.client() as client:
            reader = client
            some = next(iter(reader.scan_iter("pg:{0}:p:*")))
            fields = {**reader.hgetall(some), b"doc": f'{{"caller": "{NUMBER}"}}', b"state": "deferred"}
            reader.hset("pg:{0}:p:broken", mapping=fields)
            reader.zadd("pg:{0}:later", {"broken": 1})
        await eventually(lambda: "ValidationError: Push:" in self.gateway.log)
        with self.client() as client:
            reader = client
            reader.delete("pg:{0}:p:broken", "pg:{0}:x:acme:1006", "pg:{0}:x:acme:1007", "pg:{0}:d:acme:1008:broken")
            reader.delete("pg:{0}:ds:acme:1008")

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(self.server.socket), password=STORE_PASSWORD, protocol=2)

    async def commands(self) -> None:
        """The whole command line, and configurations that are wrong in every secret place."""
        config, directory = str(self.gateway.config), self.gateway.directory
        event = directory / "event.json"
        event.write_text(
            json.dumps(
                cloud_event("call.missed", "1001", {"call": {"id": "d"}, "caller": {"number": NUMBER, "name": NAME}})
            )
        )
        text = self.gateway.config.read_text()
        wrong = directory / "wrong.toml"
        wrong.write_text(
            text.replace('scopes = ["read"]', 'scopes = "x"').replace('kind = "generic"', f'kind = "{NUMBER}"', 1)
            + '[[tenants]]\nid = "another/"\n[tenants.user_tokens]\nalgorithm = "ES256"\n'
            + f'key = "{CLIENT_SECRET}"\n'
        )
        refused = directory / "refused.toml"
        refused.write_text(
            re.sub(r'url = "redis://.*"', f'url = "redis://:{STORE_PASSWORD}x@127.0.0.1:{self.server.port}"', text)
        )
        (push_id, *_) = await self.has_dead_letter()
        account = json.loads(self.gateway.simulator.service_account_file.read_text())
        tested = self.tokens["tested iPhone"]
        await self.gateway.control.add_fault(
            Fault(what=ScriptedAnswer(status=400, body=json.dumps({"reason": tested})), match=Match(token=tested))
        )
        echo = json.dumps({"error": "invalid_grant", "error_description": account["private_key"]})
        await self.gateway.control.add_fault(
            Fault(what=ScriptedAnswer(status=400, body=echo), match=Match(provider="oauth"), count=None)
        )
        lines = [
            ("dead-letters", "list", "--config", str(refused)),
            ("check-config", "--config", config),
            ("check-config", "--config", str(wrong)),
            ("decide", "--config", config, "--tenant", "acme", "--json", str(event)),
            ("decide", "--config", config, "--tenant", "acme", str(self.gateway.simulator.key_file)),
            ("send-test", "--config", config, "--tenant", "acme", "--extension", "1009"),
            ("dead-letters", "show", push_id, "--config", config),
        ]
        turns = asyncio.Semaphore(4)

        async def take_turn(words: tuple[str, ...]) -> None:
            async with turns:
                await self.run(*words)

        await asyncio.gather(*map(take_turn, lines))
        await self.run("dead-letters", "replay", push_id, "--config", config)

    async def run(self, *words: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *words,
            cwd=houses.ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        self.seen.printed.append((" ".join(words), out.decode()))

    async def operations(self) -> None:
        for path in ("/metrics", "/health", "/readyz", "/livez", "/docs", "/openapi.json"):
            await self.ask("GET", path, key=None)
        await self.ask("GET", f"{ALICE}/inbox")
        for extension in ("1001", "1002", "1003", "1004", "1005"):
            await self.ask("GET", f"{TENANT}/extensions/{extension}/devices")

    def look_into_the_store(self) -> None:
        with self.client() as client:
            self.seen.names = [key.decode() for key in client.keys("*")]
            self.seen.streams += stream_entries(client)
            self.seen.values += list(stored_values(client))

    async def store_outage(self) -> None:
        self.server.kill()
        await self.keep(self.gateway.call_ended("o1", "1001", caller=NUMBER))
        await self.ask("GET", f"{ALICE}/inbox")
        await self.ask("GET", "/readyz", key=None)
        await self.ask("GET", "/health", key=None)
        self.server.start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    directory = tmp_path_factory.mktemp("canaries")
    (directory / "key.txt").write_text(FILE_KEY)
    with pytest.MonkeyPatch.context() as patch, running_server("valkey", port=free_port()) as server:
        patch.setenv("CANARY_KEY", ENV_KEY)
        patch.setenv("PUSH_GATEWAY__LOG__LEVEL", "debug")
        with server.client() as client:
            client.config_set("requirepass", STORE_PASSWORD)
        url = f"redis://:{STORE_PASSWORD}@127.0.0.1:{server.port}/0"
        async with open_gateway(directory, store_url=url, extra=EXTRA) as gateway:
            yield await _play(gateway, server, patch)


async def _play(gateway: Gateway, server: Server, patch: pytest.MonkeyPatch) -> Seen:
    seen = Seen(seeded(gateway))
    stage = Stage(gateway, server, seen)
    await stage.register_all()
    await stage.events()
    await stage.provider_faults()
    await stage.every_route()
    await stage.broken_requests()
    await stage.exceptions()
    stage.look_into_the_store()
    await stage.operations()
    await stage.commands()
    await gateway.stop()
    patch.setenv("PUSH_GATEWAY__STORE__TOKEN_KEYS", f'[{{ id = "canary", key = "{TOKEN_KEY}" }}]')
    await stage.run("seal-tokens", "--config", str(gateway.config))
    with stage.client() as client:
        seen.sealed = b"\n".join(value.value for value in stored_values(client))
    await gateway.start()
    await stage.keep(gateway.call_ended("s1", "1001", caller=NUMBER))
    await stage.operations()
    await stage.store_outage()
    seen.log = gateway.log
    return seen


async def test_everything_was_driven(seen: Seen) -> None:
    """Else the other tests would prove nothing."""
    statuses = {answer.status for _, answer in seen.answers}
    assert {200, 201, 202, 204, 400, 401, 403, 404, 422, 500, 503} <= statuses
    for said in ("request failed", "push_not_accepted", "request refused", "token moved", "ValidationError"):
        assert said in seen.log, said
    assert any("dead-letters show" in words and "refused" in out for words, out in seen.printed)
    assert any("tokens sealed with canary now" in out for _, out in seen.printed)
    holders = {name for value in seen.values for name in seen.canaries.found_in(value.value, seen.canaries.tokens)}
    assert len(holders) == len(seen.canaries.tokens)
    assert any(seen.canaries.found_in(str(answer.body), seen.canaries.callers) for _, answer in seen.answers)


async def test_no_log_line_holds_a_token_a_secret_or_a_caller(seen: Seen) -> None:
    canaries = seen.canaries
    for line in seen.log.splitlines():
        assert not canaries.found_in(line, canaries.secrets, canaries.tokens, canaries.callers), line


async def test_no_answer_holds_a_token_or_a_secret(seen: Seen) -> None:
    canaries = seen.canaries
    for path, answer in seen.answers:
        text = json.dumps([answer.body, answer.headers])
        assert not canaries.found_in(text, canaries.secrets, canaries.tokens), (path, text)


async def test_callers_are_in_the_answers_only_that_are_about_them(seen: Seen) -> None:
    canaries = seen.canaries
    for path, answer in seen.answers:
        if not CALLERS_ARE_FOR.search(path) or answer.status >= 400:
            text = json.dumps([answer.body, answer.headers])
            assert not canaries.found_in(text, canaries.callers), (path, text)


async def test_no_name_of_a_key_and_no_stream_entry_holds_any_of_them(seen: Seen) -> None:
    canaries = seen.canaries
    assert seen.names
    assert b":q:alert:" in seen.streams
    for text in [*seen.names, seen.streams.decode()]:
        assert not canaries.found_in(text, canaries.secrets, canaries.tokens, canaries.callers), text


async def test_the_store_holds_no_secret_and_tokens_in_device_hashes_alone(seen: Seen) -> None:
    canaries = seen.canaries
    for stored in seen.values:
        assert not canaries.found_in(stored.value, canaries.secrets), stored
        if not (re.match(r"pg:\{\d+\}:d:", stored.key) and stored.field in ("token", "voip_token")):
            assert not canaries.found_in(stored.value, canaries.tokens), stored


async def test_a_sealed_store_holds_no_token_at_all(seen: Seen) -> None:
    assert seen.sealed
    assert not seen.canaries.found_in(seen.sealed, seen.canaries.tokens, seen.canaries.secrets)


async def test_the_command_line_prints_no_token_no_secret_and_no_caller(seen: Seen) -> None:
    canaries = seen.canaries
    for words, out in seen.printed:
        assert out, words
        assert "Traceback" not in out, (words, out)
        assert not canaries.found_in(out, canaries.secrets, canaries.tokens, canaries.callers), (words, out)


@pytest.mark.parametrize("kind", ["secrets", "tokens", "callers"])
async def test_a_canary_would_be_found_in_every_form(seen: Seen, kind: str) -> None:
    """The search itself is searched."""
    values: dict[str, str] = getattr(seen.canaries, kind)
    for name, value in values.items():
        for form in forms_of(value):
            assert name in seen.canaries.found_in(f"before {form} after", values)
