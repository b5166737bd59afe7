"""Erasing an extension proves itself: the whole store is searched for anything that was of it."""

import asyncio
import secrets
import time
from pathlib import Path
from typing import Any

from gateway.simulator.faults import Answer as ScriptedAnswer
from gateway.simulator.faults import Fault, Match
from gateway.store.keys import token_digest
from tests.support.canaries import Canaries, fcm_token, stored_values
from tests.support.gateway import ADMIN_KEY, ANDROID, IOS, Gateway, eventually, open_gateway
from tests.support.servers import Server, running_server

EXTENSION = "70011234"
PLACE = f"/v1/tenants/acme/extensions/{EXTENSION}"
NUMBER = "+4915199887755"
NAME = "Erasmus-Vergissmichnicht"
WORKER_SECONDS = 15.0


async def test_nothing_of_an_erased_extension_is_left_not_even_by_a_push_in_flight(tmp_path: Path) -> None:
    with running_server("valkey") as server:
        async with open_gateway(tmp_path, store_url=server.url) as gateway:
            await gateway.register_iphone("1001")
            others = [key for key in server.names() if ":1001" in key]
            tokens = {"iPhone": secrets.token_hex(32), "VoIP": secrets.token_hex(32), "Android": fcm_token()}
            await live(gateway, tokens)
            remains = traces(tokens) | await ids(gateway)
            assert {name for name, _ in found(server, remains)} >= set(traces(tokens))

            slow = await push_in_flight(gateway, tokens["iPhone"])
            remains |= slow
            erased = await gateway.request("DELETE", PLACE)
            assert erased.status == 200, erased
            assert erased.body["erased"]["devices"] == 2
            await landed(gateway, tokens["iPhone"])

            await eventually(lambda: not left(server, remains), seconds=WORKER_SECONDS)
            assert (await gateway.request("GET", f"{PLACE}/inbox")).body == {"items": [], "next": None, "badge": 0}
            assert (await gateway.request("GET", f"{PLACE}/devices")).body == {"items": []}
            assert not found(server, {"extension": EXTENSION})
            assert [key for key in server.names() if ":1001" in key] == others
            assert '"level":"error"' not in gateway.log
            assert await works(gateway)


def traces(tokens: dict[str, str]) -> dict[str, str]:
    """What the extension leaves wherever it was, by name."""
    provider = {"Android": "fcm"}
    digests = {f"digest of {name}": token_digest(provider.get(name, "apns"), token) for name, token in tokens.items()}
    return {"extension": EXTENSION, "number": NUMBER, "name": NAME, **tokens, **digests}


async def live(gateway: Gateway, tokens: dict[str, str]) -> None:
    """Everything that an extension can have."""
    push = {"provider": "apns", "token": tokens["iPhone"], "voip_token": tokens["VoIP"]}
    for device, app, address in (("one", IOS, push), ("two", ANDROID, {"provider": "fcm", "token": tokens["Android"]})):
        body = {"app": app, "push": address, "name": NAME}
        assert (await gateway.request("PUT", f"{PLACE}/devices/{device}", body)).status == 201
    moved = {"app": IOS, "push": push}
    assert (await gateway.request("PUT", f"{PLACE}/devices/moved", moved)).status == 201
    await gateway.request("DELETE", f"{PLACE}/devices/moved")
    assert (await gateway.request("PUT", f"{PLACE}/devices/one", moved)).status == 201
    await gateway.request("PUT", f"{PLACE}/presence", {"status": "away", "information": NAME})
    await gateway.request("PATCH", f"{PLACE}/presence/settings/away", {"information": NAME})
    await gateway.request("PATCH", f"{PLACE}/profile", {"vip_callers": [NUMBER], "queues": ["6400"]})
    await gateway.request("PUT", f"{PLACE}/presence", {"status": "available"})
    await gateway.request("POST", f"{PLACE}/devices/one/heartbeat", {"foreground": True})
    caller = {"number": NUMBER, "name": NAME}
    for kind in ("call.missed", "voicemail.new", "call.incoming", "call.answered"):
        data = {"call": {"id": f"erase-{kind}"}, "caller": caller, "voicemail": {"message_id": f"m-{kind}"}}
        assert (await gateway.cloud_event(kind, EXTENSION, data)).status == 200
    await refused(gateway, tokens["Android"], caller)
    await gateway.request("POST", f"{PLACE}/inbox/seen", {"all": True})
    ring_later = {"ring_strategy": {"ring_first": ["extension_endpoint"], "ring_secondly": ["mobile_client"]}}
    await gateway.request("PATCH", f"{PLACE}/presence/settings/available", ring_later)
    later = await gateway.cloud_event("call.incoming", EXTENSION, {"call": {"id": "later"}, "caller": caller})
    assert later.body["decision"]["action"] == "defer"


async def refused(gateway: Gateway, token: str, caller: dict[str, str]) -> None:
    """One push becomes a dead letter."""
    body = '{"error": {"status": "INVALID_ARGUMENT", "message": "no"}}'
    await gateway.control.add_fault(Fault(what=ScriptedAnswer(status=400, body=body), match=Match(token=token)))
    await gateway.cloud_event("call.missed", EXTENSION, {"call": {"id": "dead"}, "caller": caller})

    async def dead() -> Any:
        return (await gateway.request("GET", "/v1/dead-letters", key=ADMIN_KEY)).body["items"]

    await eventually(dead)


async def ids(gateway: Gateway) -> dict[str, str]:
    """Ids of the extension's events and pushes."""
    events = (await gateway.request("GET", f"/v1/tenants/acme/events?extension={EXTENSION}")).body["items"]
    assert len(events) >= 6
    pushes = [push["push_id"] for item in events for push in item["decision"]["pushes"]]
    names = [item["event"]["event_id"] for item in events]
    return {f"event {value}": value for value in names} | {f"push {value}": value for value in pushes}


async def push_in_flight(gateway: Gateway, token: str) -> dict[str, str]:
    """Begin a push that its provider answers with a failure after a second and a half; its ids."""
    slow = Fault(what=ScriptedAnswer(status=500, reason="InternalServerError"), match=Match(token=token), delay_ms=1500)
    await gateway.control.add_fault(slow)
    caller = {"number": NUMBER, "name": NAME}
    answer = await gateway.cloud_event("voicemail.new", EXTENSION, {"voicemail": {"message_id": "s"}, "caller": caller})
    assert answer.body["decision"]["pushes"], answer

    async def taken() -> bool:
        return not any(one.fault.delay_ms for one in await gateway.control.faults())

    await eventually(taken)
    pushes = {f"push {push['push_id']}": push["push_id"] for push in answer.body["decision"]["pushes"]}
    return pushes | {"event in flight": answer.body["event_id"]}


async def landed(gateway: Gateway, token: str) -> None:
    """Wait until the provider has answered the slow push."""
    end = time.monotonic() + 10
    while not any(push.token == token and push.status == 500 for push in (await gateway.control.pushes()).items):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def found(server: Server, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """Where any of it stands: names of keys, names of fields, values."""
    search = Canaries()
    with server.client() as client:
        values = list(stored_values(client))
        names = [key.decode() for key in client.keys("*")]
    hits = [(name, key) for key in names for name in search.found_in(key, wanted)]
    for one in values:
        hits += [(name, one.key) for name in search.found_in(f"{one.field} ".encode() + one.value, wanted)]
    return hits


def left(server: Server, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """What erasing should have found. Not counted: for 72 hours the claim on a webhook id has the event ids that it was
    answered with, random numbers that name nothing any more."""
    return [
        (name, key) for name, key in found(server, wanted) if not (":w:" in key and name.startswith(("event", "push")))
    ]


async def works(gateway: Gateway) -> bool:
    """The extension can begin anew: nothing of the old one is in its way."""
    token = await gateway.register_iphone(EXTENSION, "one")
    answer = await gateway.cloud_event("call.missed", EXTENSION, {"call": {"id": "erase-call.missed"}})
    await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
    return bool(answer.body["status"] == "accepted")
