"""Events in, over HTTP: what is answered, and what is stored when it is."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import StoreUnavailable
from tests.support.web import (
    ADMIN_KEY,
    GENERIC_SECRET,
    OTHER_SECRET,
    SCOPE_KEYS,
    YEASTAR_SECRET,
    Clock,
    Reply,
    Web,
    event,
    new_extension,
    services_of,
    serving,
    webhook_headers,
    yeastar_headers,
)
from tests.support.web_fakes import Away, posing

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAMPLES = Path(__file__).parents[2] / "samples" / "yeastar"
TENANT_ROUTE = "/v1/tenants/acme/events"


async def stored(web: Web, extension: str) -> list[Any]:
    reply = await web.ask("GET", f"/v1/tenants/acme/events?extension={extension}")
    return list(reply.body["items"])


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


async def test_a_single_event_answers_202_with_the_decision_and_the_pushes(web: Web) -> None:
    extension = new_extension()
    await web.register(extension)

    reply = await web.post_event(event("call.missed", extension))

    assert reply.status == 202
    assert set(reply.body) == {"event_id", "status", "decision"}
    decision = reply.body["decision"]
    assert (reply.body["status"], decision["action"], decision["reason"]) == ("accepted", "forward", "allowed")
    (push,) = decision["pushes"]
    assert set(push) == {"device_id", "push_id", "not_before"}
    assert (push["device_id"], push["not_before"]) == ("iphone", None)


async def test_an_extension_never_heard_of_is_suppressed_no_device(web: Web) -> None:
    reply = await web.post_event(event("call.missed", new_extension()))

    assert (reply.status, reply.body["decision"]["reason"]) == (202, "no_device")


async def test_a_duplicate_answers_as_the_first_one_did(web: Web) -> None:
    extension = new_extension()
    await web.register(extension)
    document = event("call.missed", extension)
    first = await web.post_event(document)

    second = await web.post_event(document)

    assert second.status == 202
    assert second.body == {**first.body, "status": "duplicate"}


async def test_the_same_event_at_the_same_moment_has_one_decision(web: Web) -> None:
    extension = new_extension()
    await web.register(extension)
    document = event("call.missed", extension)

    replies = await asyncio.gather(*(web.post_event(document) for _ in range(10)))

    assert sorted(reply.body["status"] for reply in replies) == ["accepted"] + ["duplicate"] * 9
    assert len({reply.body["event_id"] for reply in replies}) == 1
    assert len(await stored(web, extension)) == 1


@pytest.mark.parametrize(("time", "reason"), [("2020-01-01T00:00:00Z", "expired"), ("2999-01-01T00:00:00Z", "allowed")])
async def test_an_old_event_is_expired_and_the_future_counts_as_now(web: Web, time: str, reason: str) -> None:
    extension = new_extension()
    await web.register(extension)

    reply = await web.post_event(event("call.missed", extension, time=time))

    assert (reply.status, reply.body["decision"]["reason"]) == (202, reason)


async def test_binary_mode_takes_its_attributes_from_headers(web: Web) -> None:
    extension = new_extension()
    attributes = {"specversion": "1.0", "id": extension, "source": "urn:test", "subject": extension}
    headers = {f"ce-{name}": value for name, value in {**attributes, "type": "com.example.call.missed"}.items()}

    reply = await web.ask("POST", TENANT_ROUTE, {"call": {"id": "1"}}, headers=headers)

    assert (reply.status, reply.body["decision"]["reason"]) == (202, "no_device")


async def test_a_batch_answers_200_with_a_result_per_item_in_order(web: Web) -> None:
    good, other = new_extension(), new_extension()
    broken = event("call.missed", good)
    del broken["data"]["call"]["id"]

    reply = await web.post_event([event("call.missed", good), broken, event("call.ended", other), 7])

    assert reply.status == 200
    results = reply.body["results"]
    assert [result["status"] for result in results] == ["accepted", "rejected", "accepted", "rejected"]
    assert results[1]["error"]["status"] == 422
    assert results[1]["error"]["errors"] == [{"loc": "data.call.id", "msg": "required for call.missed"}]
    assert len(await stored(web, good)) == 1


async def test_an_empty_batch_has_no_results(web: Web) -> None:
    reply = await web.post_event([])

    assert (reply.status, reply.body) == (200, {"results": []})


async def test_a_batch_of_500_is_taken_and_one_of_501_is_too_large(web: Web) -> None:
    extension = new_extension()
    items = [{"specversion": "1.0", "id": str(index), "source": "s"} for index in range(501)]

    too_many = await web.post_event(items)
    enough = await web.post_event(items[:500])

    assert (too_many.status, too_many.body["type"]) == (413, "urn:pbx-push-gateway:problem:too-large")
    assert (enough.status, len(enough.body["results"])) == (200, 500)
    assert await stored(web, extension) == []


async def test_the_items_of_one_extension_are_taken_in_order(web: Web) -> None:
    extension = new_extension()
    statuses = ["away", "lunch_break", "off_work", "business_trip"] * 3
    batch = [event("presence.changed", extension, data={"presence": {"status": status}}) for status in statuses]

    reply = await web.post_event(batch)

    assert [result["decision"]["action"] for result in reply.body["results"]] == ["none"] * 12
    now = await web.ask("GET", f"/v1/tenants/acme/extensions/{extension}/presence")
    assert now.body["status"] == "business_trip"


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


async def test_who_posted_is_recorded(web: Web) -> None:
    by_key, by_admin = new_extension(), new_extension()
    await web.post_event(event("call.missed", by_key), key=SCOPE_KEYS["events"])
    await web.post_event(event("call.missed", by_admin), key=ADMIN_KEY)

    assert (await stored(web, by_key))[0]["event"]["source"] == "api:events"
    assert (await stored(web, by_admin))[0]["event"]["source"] == "admin:ops"


async def test_one_message_of_a_pbx_about_several_extensions_has_several_results(web: Web) -> None:
    sample = json.loads((SAMPLES / "30011-rings-a-ring-group.json").read_text())

    reply = await hook(web, json.dumps(sample["body"]).encode())

    assert reply.status == 200
    assert [result["status"] for result in reply.body["results"]] == ["accepted"] * len(sample["expected"])


async def test_when_the_store_goes_away_within_a_batch_the_rest_is_rejected(web: Web) -> None:
    class GoesAway(Away):
        async def load(self, tenant: str, extension: str, call_id: str | None) -> Any:
            if extension == "1001":
                return await web.services.store.extensions.load(tenant, kept, call_id)
            raise StoreUnavailable

        async def accept(self, *given: Any) -> Any:
            return await web.services.store.extensions.accept(*given)

    kept = new_extension()
    store = replace(web.services.store, extensions=posing(GoesAway()))
    services, senders = services_of(web.services.settings, store, Clock())
    async with serving(services, senders, Clock()) as shaky:
        reply = await shaky.post_event([event("call.missed", "1001"), event("call.missed", "1002")])

    assert reply.status == 200
    accepted, rejected = reply.body["results"]
    assert (accepted["status"], rejected["status"], rejected["error"]["status"]) == ("accepted", "rejected", 503)


async def test_a_page_of_history_leads_to_the_next(web: Web) -> None:
    extension = new_extension()
    posted = [(await web.post_event(event("call.missed", extension))).body["event_id"] for _ in range(5)]

    seen, after = [], ""
    for _ in range(5):
        page = (await web.ask("GET", f"{TENANT_ROUTE}?extension={extension}&limit=2{after}")).body
        seen += [item["event"]["event_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"

    assert seen == sorted(posted, reverse=True)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("action=suppress", True),
        ("action=forward", False),
        ("reason=no_device", True),
        ("reason=expired", False),
        ("kind=call.missed", True),
        ("kind=voicemail.new", False),
    ],
)
async def test_history_is_filtered(web: Web, filters: str, found: bool) -> None:
    extension = new_extension()
    await web.post_event(event("call.missed", extension))

    page = await web.ask("GET", f"{TENANT_ROUTE}?extension={extension}&{filters}")

    assert bool(page.body["items"]) is found


@pytest.mark.parametrize(
    ("filters", "place"),
    [
        ("action=perhaps", "query.action"),
        ("reason=whim", "query.reason"),
        ("kind=call", "query.kind"),
        ("extension=10%2001", "query.extension"),
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=many", "query.limit"),
        ("after=../1", "query.after"),
        ("extention=1001", "query.extention"),
    ],
)
async def test_a_wrong_filter_is_named(web: Web, filters: str, place: str) -> None:
    reply = await web.ask("GET", f"{TENANT_ROUTE}?{filters}")

    assert (reply.status, [error["loc"] for error in reply.body["errors"]]) == (422, [place])


async def test_one_event_is_explained_with_facts_trace_and_pushes(web: Web) -> None:
    extension = new_extension()
    await web.register(extension)
    posted = (await web.post_event(event("call.missed", extension))).body

    detail = (await web.ask("GET", f"{TENANT_ROUTE}/{posted['event_id']}")).body

    assert set(detail) == {"event", "facts", "decision", "trace", "pushes"}
    assert detail["decision"] == posted["decision"]
    assert detail["event"]["data"]["caller"] == {"number": "+4915112345678", "name": "Alice"}
    assert {step["rule"] for step in detail["trace"]} >= {"expired", "no_device"}
    assert detail["facts"]["settings_of"] == "available"
    (push,) = detail["pushes"]
    assert push["push_id"] == posted["decision"]["pushes"][0]["push_id"]
    assert (push["state"], push["attempts"]) == ("queued", [])


async def test_an_event_of_another_tenant_is_not_there(web: Web) -> None:
    posted = (await web.post_event(event("call.missed", new_extension()))).body

    reply = await web.ask("GET", f"/v1/tenants/globex/events/{posted['event_id']}", key=ADMIN_KEY)

    assert reply.status == 404


async def test_a_preview_says_what_would_happen_and_writes_nothing(web: Web) -> None:
    extension = new_extension()
    await web.register(extension)
    body = {"type": "com.example.call.missed", "data": {"call": {"id": "1"}, "caller": {"name": "Alice"}}}

    reply = await web.ask("POST", f"/v1/tenants/acme/extensions/{extension}/decisions:preview", body)

    assert reply.status == 200
    assert reply.body["decision"]["reason"] == "allowed"
    assert {step["verdict"] for step in reply.body["trace"]} >= {"passed", "decided"}
    (payload,) = reply.body["payloads"]
    assert payload["headers"]["apns-push-type"] == "alert"
    assert payload["body"]["aps"]["alert"]["body"].startswith("Alice")
    assert await stored(web, extension) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"type": "call.unknown"}, "type"),
        ({"type": "call.missed", "data": {}}, "data.call.id"),
        ({"type": "call.missed", "data": {"call": {"id": 7}}}, "data.call.id"),
        ({"type": "call.missed", "data": {"call": {"id": "1"}}, "time": "yesterday"}, "time"),
        ({"type": "call.missed", "data": {"call": {"id": "1"}}, "when": 1}, "when"),
        ([], ""),
    ],
)
async def test_a_wrong_preview_is_named(web: Web, body: Any, place: str) -> None:
    path = f"/v1/tenants/acme/extensions/{new_extension()}/decisions:preview"

    reply = await web.ask("POST", path, body)

    assert reply.status == 422
    assert [error["loc"] for error in reply.body["errors"]] == [place]
