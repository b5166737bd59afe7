"""The inbox, erasing, and dead letters over HTTP."""

from typing import Any

import pytest

from gateway.domain.outcome import Refused
from gateway.domain.push import Lane
from tests.support.web import Web, event, new_extension, user_token
from tests.support.web_settings import ADMIN_KEY, IOS

pytestmark = pytest.mark.asyncio(loop_scope="session")


def path_of(extension: str, more: str = "") -> str:
    return f"/v1/tenants/acme/extensions/{extension}{more}"


async def inbox(web: Web, extension: str, more: str = "") -> Any:
    reply = await web.ask("GET", path_of(extension, f"/inbox{more}"), key=user_token(extension))
    assert reply.status == 200
    return reply.body


async def test_the_app_catches_up_after_lost_pushes(web: Web) -> None:
    extension = new_extension()
    missed = (await web.post_event(event("call.missed", extension, time="2026-11-22T10:00:00+01:00"))).body
    voicemail = event("voicemail.new", extension)
    voicemail["data"]["voicemail"] = {"message_id": "m1", "duration_seconds": 12}
    left = (await web.post_event(voicemail)).body

    page = await inbox(web, extension)

    assert (page["badge"], page["next"]) == (2, None)
    newest, oldest = page["items"]
    assert newest["event_id"] == left["event_id"]
    assert newest["voicemail"] == {"message_id": "m1", "duration_seconds": 12, "urgent": False}
    assert oldest == {
        "event_id": missed["event_id"],
        "kind": "call.missed",
        "seen": False,
        "caller": {"number": "+4915112345678", "name": "Alice"},
        "call_id": oldest["call_id"],
        "occurred_at": "2026-11-22T09:00:00.000Z",
    }


async def test_an_inbox_is_read_in_pages(web: Web) -> None:
    extension = new_extension()
    posted = [(await web.post_event(event("call.missed", extension))).body["event_id"] for _ in range(3)]

    first = await inbox(web, extension, "?limit=2")
    second = await inbox(web, extension, f"?limit=2&after={first['next']}")

    assert [item["event_id"] for page in (first, second) for item in page["items"]] == posted[::-1]
    assert second["next"] is None


async def test_what_was_seen_leaves_the_badge(web: Web) -> None:
    extension = new_extension()
    posted = [(await web.post_event(event("call.missed", extension))).body["event_id"] for _ in range(3)]
    path = path_of(extension, "/inbox/seen")

    some = await web.ask("POST", path, {"event_ids": [posted[0], "01UNKNOWN"]}, key=user_token(extension))
    seen = {item["event_id"]: item["seen"] for item in (await inbox(web, extension))["items"]}
    every = await web.ask("POST", path, {"all": True}, key=user_token(extension))

    assert (some.status, some.body) == (200, {"badge": 2})
    assert seen == {posted[0]: True, posted[1]: False, posted[2]: False}
    assert every.body == {"badge": 0}


@pytest.mark.parametrize(
    "body",
    [{}, {"all": False}, {"all": True, "event_ids": []}, {"all": 1}, {"event_ids": "x"}, {"event_ids": [7]}],
)
async def test_seen_takes_some_or_all(web: Web, body: dict[str, Any]) -> None:
    assert (await web.ask("POST", path_of(new_extension(), "/inbox/seen"), body)).status == 422


async def test_erasing_leaves_nothing_and_says_what_went(web: Web) -> None:
    extension, other = new_extension(), new_extension()
    for one in (extension, other):
        await web.register(one)
        await web.ask("PUT", path_of(one, "/presence"), {"status": "away"})
    posted = (await web.post_event(event("call.missed", extension))).body
    await web.post_event(event("call.missed", other))

    reply = await web.ask("DELETE", path_of(extension))

    assert reply.status == 200
    assert {"devices": 1, "inbox": 1, "events": 1, "pushes": 1}.items() <= reply.body["erased"].items()
    assert (await web.ask("GET", path_of(extension, "/presence"))).body["status"] == "available"
    assert (await web.ask("GET", path_of(extension, "/devices"))).body["items"] == []
    assert (await inbox(web, extension))["items"] == []
    assert (await web.ask("GET", f"/v1/tenants/acme/events/{posted['event_id']}")).status == 404
    assert len((await inbox(web, other))["items"]) == 1


async def dead_letter(web: Web, extension: str = "") -> str:
    """A push that its provider refused."""
    extension = extension or new_extension()
    await web.register(extension)
    posted = (await web.post_event(event("call.missed", extension))).body
    sender, store = web.senders[IOS], web.services.store
    usual, sender.outcome = sender.outcome, Refused(reason="BadTopic")
    try:
        while leases := await store.queue.take("test", lanes=tuple(Lane), count=100, block_ms=0):
            for lease in leases:
                await web.services.delivery.deliver(lease)
    finally:
        sender.outcome = usual
    return str(posted["decision"]["pushes"][0]["push_id"])


async def test_operations_work_off_dead_letters(web: Web) -> None:
    replayed, dropped = await dead_letter(web), await dead_letter(web)

    listed = await web.ask("GET", "/v1/dead-letters?limit=200", key=ADMIN_KEY)
    one = await web.ask("GET", f"/v1/dead-letters/{replayed}", key=ADMIN_KEY)
    again = await web.ask("POST", f"/v1/dead-letters/{replayed}/replay", key=ADMIN_KEY)
    gone = await web.ask("DELETE", f"/v1/dead-letters/{dropped}", key=ADMIN_KEY)

    assert {replayed, dropped} <= {item["push_id"] for item in listed.body["items"]}
    assert listed.body["count"] >= 2
    assert (one.body["attempts"][0]["reason"], one.body["kind"]) == ("BadTopic", "call.missed")
    assert b"Alice" not in listed.raw
    assert b"+49151" not in listed.raw
    assert (again.status, again.body) == (202, {"push_id": replayed, "status": "queued"})
    assert gone.status == 204


async def test_a_dead_letter_that_would_not_be_sent_now_is_409(web: Web) -> None:
    extension = new_extension()
    dead = await dead_letter(web, extension)
    path = f"/v1/tenants/acme/extensions/{extension}/presence/settings/available"
    assert (await web.ask("PATCH", path, {"accept_push_notifications": False})).status == 200

    refused = await web.ask("POST", f"/v1/dead-letters/{dead}/replay", key=ADMIN_KEY)

    assert (refused.status, refused.body["detail"]) == (409, "it would not be sent now: push_disabled")
    assert (await web.ask("GET", f"/v1/dead-letters/{dead}", key=ADMIN_KEY)).status == 200


async def test_dead_letters_are_read_in_pages(web: Web) -> None:
    dead = [await dead_letter(web) for _ in range(2)]

    seen, more = [], ""
    for _ in range(200):
        page = (await web.ask("GET", f"/v1/dead-letters?limit=1{more}", key=ADMIN_KEY)).body
        seen += [item["push_id"] for item in page["items"]]
        if page["next"] is None:
            break
        more = f"&after={page['next']}"

    assert set(dead) <= set(seen)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(("method", "more"), [("GET", ""), ("POST", "/replay"), ("DELETE", "")])
async def test_a_dead_letter_that_is_none_is_404(web: Web, method: str, more: str) -> None:
    path = "/v1/dead-letters/6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52" + more

    assert (await web.ask(method, path, key=ADMIN_KEY)).status == 404
