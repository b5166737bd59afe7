"""Events with a signature: whose PBX it was, and nothing without it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.web import Reply, Web, event, new_extension, stored, webhook_headers, yeastar_headers
from tests.support.web_settings import GENERIC_SECRET, OTHER_SECRET, YEASTAR_SECRET

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAMPLES = Path(__file__).parents[2] / "samples" / "yeastar"
TENANT_ROUTE = "/v1/tenants/acme/events"


def yeastar_call(extension: str, status: str = "NO ANSWER", **more: Any) -> dict[str, Any]:
    message = {
        "call_id": f"{extension}.1",
        "uid": f"{extension}-uid",
        "time_start": "2026-11-22 11:00:00",
        "call_from": "+4915112345678",
        "call_to": extension,
        "status": status,
        "type": "Inbound",
        **more,
    }
    return {"type": 30012, "sn": "3631A2100000", "msg": message}


async def hook(web: Web, body: bytes, source: str = "hq", **more: Any) -> Reply:
    return await web.ask("POST", f"/hooks/{source}", key=None, raw=body, headers=yeastar_headers(body, **more))


async def signed(web: Web, path: str, document: Any, **more: Any) -> Reply:
    body = json.dumps(document).encode()
    return await web.ask("POST", path, key=None, raw=body, headers=webhook_headers(body, **more))


@pytest.mark.parametrize("path", [TENANT_ROUTE, "/hooks/crm"])
async def test_a_signature_of_a_generic_source_proves_the_sender(web: Web, path: str) -> None:
    extension = new_extension()

    reply = await signed(web, path, event("call.missed", extension))

    assert reply.status == (202 if path == TENANT_ROUTE else 200)
    assert [item["event"]["source"] for item in await stored(web, extension)] == ["crm"]


@pytest.mark.parametrize("path", [TENANT_ROUTE, "/hooks/crm", "/hooks/nowhere", "/v1/tenants/nowhere/events"])
@pytest.mark.parametrize(
    "wrong",
    [{"secret": OTHER_SECRET}, {"age_seconds": 301}, {"age_seconds": -301}],
    ids=["of another tenant", "stale", "from the future"],
)
async def test_a_wrong_signature_is_401_and_nothing_is_stored(web: Web, path: str, wrong: dict[str, Any]) -> None:
    extension = new_extension()

    reply = await signed(web, path, event("call.missed", extension), **wrong)

    assert (reply.status, reply.body["type"]) == (401, "urn:pbx-push-gateway:problem:no-proof")
    assert await stored(web, extension) == []


async def test_a_wrong_signature_says_the_same_everywhere(web: Web) -> None:
    paths = [TENANT_ROUTE, "/v1/tenants/globex/events", "/v1/tenants/nowhere/events", "/hooks/crm", "/hooks/hq"]
    paths += ["/hooks/nowhere"]

    replies = [await signed(web, path, {}, secret="whsec_" + "QUJD" * 8) for path in paths]

    assert {(reply.status, reply.raw) for reply in replies} == {(401, replies[0].raw)}


async def test_the_secret_of_another_tenants_source_opens_its_own_tenant_only(web: Web) -> None:
    document = event("call.missed", new_extension())

    assert (await signed(web, TENANT_ROUTE, document, secret=OTHER_SECRET)).status == 401
    assert (await signed(web, "/v1/tenants/globex/events", document, secret=OTHER_SECRET)).status == 202
    assert (await signed(web, "/v1/tenants/globex/events", document, secret=GENERIC_SECRET)).status == 401


async def test_a_signature_over_other_bytes_proves_nothing(web: Web) -> None:
    extension = new_extension()
    body = json.dumps(event("call.missed", extension)).encode()

    reply = await web.ask("POST", TENANT_ROUTE, key=None, raw=body + b" ", headers=webhook_headers(body))

    assert reply.status == 401


async def test_a_wrong_signature_is_not_mended_by_a_good_key(web: Web) -> None:
    body = json.dumps(event("call.missed", new_extension())).encode()
    headers = webhook_headers(body, secret=OTHER_SECRET)

    assert (await web.ask("POST", TENANT_ROUTE, raw=body, headers=headers)).status == 401


@pytest.mark.parametrize("given", ["", "wrong"])
@pytest.mark.parametrize("source", ["hq", "crm"])
async def test_a_wrong_signature_of_a_yeastar_pbx_is_not_mended_either(web: Web, source: str, given: str) -> None:
    reply = await web.ask("POST", f"/hooks/{source}", {"type": 1, "msg": {}}, headers={"X-Signature": given})

    assert reply.status == 401


async def test_one_of_two_secrets_is_enough_while_they_are_rotated(web: Web) -> None:
    document, old = event("call.missed", new_extension()), "whsec_b2xkLXNlY3JldC1vZi1hY21lLWdvaW5nLWF3YXk="

    assert (await signed(web, TENANT_ROUTE, document, secret=old)).status == 202


async def test_the_same_webhook_id_with_another_body_is_a_duplicate(web: Web) -> None:
    extension, message_id = new_extension(), f"msg_{new_extension()}"
    first = await signed(web, "/hooks/crm", event("call.missed", extension), message_id=message_id)

    second = await signed(web, "/hooks/crm", event("call.missed", extension), message_id=message_id)

    assert second.body == {**first.body, "status": "duplicate"}
    assert len(await stored(web, extension)) == 1


async def test_the_items_of_a_signed_batch_are_deliveries_of_their_own(web: Web) -> None:
    extension, message_id = new_extension(), f"msg_{new_extension()}"
    body = json.dumps([event("call.missed", extension), event("call.missed", extension)]).encode()
    replies = []
    for _ in range(2):
        headers = webhook_headers(body, message_id=message_id)
        headers["Content-Type"] = "application/cloudevents-batch+json"
        replies.append(await web.ask("POST", "/hooks/crm", key=None, raw=body, headers=headers))

    first, second = ([result["status"] for result in reply.body["results"]] for reply in replies)
    assert (first, second) == (["accepted", "accepted"], ["duplicate", "duplicate"])
    assert len(await stored(web, extension)) == 2


async def test_a_yeastar_webhook_answers_exactly_200(web: Web) -> None:
    extension = new_extension()
    body = json.dumps(yeastar_call(extension)).encode()

    first, second = await hook(web, body), await hook(web, body)

    assert (first.status, first.body["status"]) == (200, "accepted")
    assert (second.status, second.body) == (200, {**first.body, "status": "duplicate"})


async def test_yeastars_local_time_is_in_the_tenants_zone(web: Web) -> None:
    extension = new_extension()
    await hook(web, json.dumps(yeastar_call(extension)).encode())

    (item,) = await stored(web, extension)

    assert item["event"]["occurred_at"] == "2026-11-22T10:00:00.000Z"


async def test_an_unknown_yeastar_event_is_ignored_and_not_stored(web: Web) -> None:
    reply = await hook(web, json.dumps({"type": 39999, "msg": {}}).encode())

    assert (reply.status, reply.body) == (200, {"status": "ignored"})


@pytest.mark.parametrize("secret", ["wrong", YEASTAR_SECRET + "x", GENERIC_SECRET])
async def test_a_wrong_yeastar_signature_is_401_and_nothing_is_stored(web: Web, secret: str) -> None:
    extension = new_extension()

    reply = await hook(web, json.dumps(yeastar_call(extension)).encode(), secret=secret)

    assert reply.status == 401
    assert await stored(web, extension) == []


async def test_the_body_is_not_parsed_before_the_signature_holds(web: Web) -> None:
    assert (await hook(web, b"{not json", secret="wrong")).status == 401
    assert (await hook(web, b"{not json")).status == 400


async def test_one_message_of_a_pbx_about_several_extensions_has_several_results(web: Web) -> None:
    sample = json.loads((SAMPLES / "30011-rings-a-ring-group.json").read_text())

    reply = await hook(web, json.dumps(sample["body"]).encode())

    assert reply.status == 200
    assert [result["status"] for result in reply.body["results"]] == ["accepted"] * len(sample["expected"])
