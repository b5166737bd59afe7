"""Accepted means durable: the gateway, the store and the providers fail for real, and nothing is lost or doubled."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from tests.support.gateway import Gateway, eventually, open_gateway, store_pid


async def accepted(gateway: Gateway, count: int, *, extension: str = "1001") -> list[str]:
    """Post so many missed calls at once; the push ids that were promised."""
    answers = await asyncio.gather(*(gateway.call_ended(f"call-{number}", extension) for number in range(count)))
    assert all(answer.status == 200 for answer in answers), answers
    return [push["push_id"] for answer in answers for push in answer.body["decision"]["pushes"]]


async def shown_once_each(gateway: Gateway, token: str, push_ids: list[str]) -> None:
    """Every promised push is on the phone, exactly once."""
    phone = await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) >= len(push_ids), seconds=25)
    assert sorted(one.push_id for one in phone.shown) == sorted(push_ids)


async def test_sigterm_drains_and_exits_0(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        pushes = await accepted(gateway, 40)
        assert await gateway.stop(signal.SIGTERM) == 0
        await gateway.start()
        await shown_once_each(gateway, token, pushes)


async def test_kill_9_of_the_gateway_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        pushes = await accepted(gateway, 40)
        await gateway.stop(signal.SIGKILL)
        await gateway.start()
        await shown_once_each(gateway, token, pushes)


async def test_kill_9_of_the_store_is_answered_503_and_mends_itself(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        pushes = await accepted(gateway, 10)
        pid = await eventually(lambda: store_pid(tmp_path / "store"))
        os.kill(pid, signal.SIGSTOP)
        answer = await gateway.call_ended("while-frozen")
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        ready = await gateway.request("GET", "/readyz", key=None)
        assert (ready.status, ready.body["status"]) == (503, "down")
        os.kill(pid, signal.SIGKILL)

        async def again() -> object:
            answer = await gateway.call_ended("after-the-crash")
            return answer.body if answer.status == 200 else None

        answer_body = await eventually(again, seconds=20)
        assert isinstance(answer_body, dict)
        pushes += [push["push_id"] for push in answer_body["decision"]["pushes"]]
        phone = await gateway.control.wait_for_phone(
            token, lambda phone: set(pushes) <= {one.push_id for one in phone.shown}, seconds=25
        )
        ids = [one.push_id for one in phone.shown]
        assert len(ids) == len(set(ids))

        async def ready_again() -> bool:
            return (await gateway.request("GET", "/readyz", key=None)).status == 200

        await eventually(ready_again)


async def test_the_same_event_at_the_same_moment_has_one_decision_and_one_push(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        answers = await asyncio.gather(*(gateway.call_ended("the-call") for _ in range(30)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body["event_id"] for answer in answers}) == 1
        assert sorted(answer.body["status"] for answer in answers) == ["accepted"] + ["duplicate"] * 29
        assert len({str(answer.body["decision"]) for answer in answers}) == 1
        phone = await gateway.control.wait_for_phone(token, lambda phone: bool(phone.shown))
        assert phone.received_count == 1


async def test_a_provider_outage_is_waited_for(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.control.answer_with(503, "ServiceUnavailable", count=3, token=token)
        (push_id,) = await accepted(gateway, 1)
        await shown_once_each(gateway, token, [push_id])
        page = await gateway.control.pushes()
        assert [(one.push_id, one.status) for one in page.items] == [(push_id, 503)] * 3 + [(push_id, 200)]
        events = await gateway.request("GET", "/v1/tenants/acme/events?extension=1001")
        event_id = events.body["items"][0]["event"]["event_id"]
        told = await eventually(lambda: _accepted_push(gateway, event_id))
        assert [attempt["status"] for attempt in told["attempts"]] == [503, 503, 503, 200]
        assert [attempt["outcome"] for attempt in told["attempts"]] == ["try_later"] * 3 + ["accepted"]


async def _accepted_push(gateway: Gateway, event_id: str) -> dict[str, Any] | None:
    explanation = await gateway.request("GET", f"/v1/tenants/acme/events/{event_id}")
    push: dict[str, Any] = explanation.body["pushes"][0]
    return push if push["state"] == "accepted" else None
