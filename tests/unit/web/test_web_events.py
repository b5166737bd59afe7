"""Events in, over HTTP: what is answered, and what is stored when it is."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.errors import StoreUnavailable
from tests.support.web import Clock, Web, event, new_extension, services_of, serving, stored
from tests.support.web_fakes import Away, posing

pytestmark = pytest.mark.asyncio(loop_scope="session")

TENANT_ROUTE = "/v1/tenants/acme/events"


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
