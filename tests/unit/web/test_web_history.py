"""What was decided, read back; and what would be decided."""

from typing import Any

import pytest

from tests.support.web import Web, event, new_extension, stored
from tests.support.web_settings import ADMIN_KEY, SCOPE_KEYS

pytestmark = pytest.mark.asyncio(loop_scope="session")

TENANT_ROUTE = "/v1/tenants/acme/events"


async def test_who_posted_is_recorded(web: Web) -> None:
    by_key, by_admin = new_extension(), new_extension()
    await web.post_event(event("call.missed", by_key), key=SCOPE_KEYS["events"])
    await web.post_event(event("call.missed", by_admin), key=ADMIN_KEY)

    assert (await stored(web, by_key))[0]["event"]["source"] == "api:events"
    assert (await stored(web, by_admin))[0]["event"]["source"] == "admin:ops"


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
