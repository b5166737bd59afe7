"""What phones end up showing: tokens, withdrawals, badges, moves."""

import re
from pathlib import Path
from typing import Any

from gateway.domain.device import Environment, Provider
from gateway.simulator.views import PhoneState
from tests.support.gateway import IOS, Gateway, eventually, open_gateway

EXTENSION = "/v1/tenants/acme/extensions/1001"


async def device(gateway: Gateway, name: str = "iphone") -> dict[str, Any]:
    """The device as the API shows it."""
    body: dict[str, Any] = (await gateway.request("GET", f"{EXTENSION}/devices/{name}")).body
    return body


async def test_a_dead_token_is_retired_by_proof_and_a_new_registration_clears_it(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.control.answer_with(410, "Unregistered", token=token)
        await gateway.call_ended("c1")
        gone = await eventually(lambda: _with_state(gateway, "needs_reregister"))
        assert gone["last_error"] == "Unregistered"
        answer = await gateway.call_ended("c2")
        assert (answer.body["decision"]["action"], answer.body["decision"]["reason"]) == ("suppress", "no_device")
        fresh = await gateway.register_iphone()
        assert (await device(gateway))["state"] == "active"
        await gateway.call_ended("c3")
        await gateway.control.wait_for_phone(fresh, lambda phone: len(phone.shown) == 1)


async def _with_state(gateway: Gateway, state: str) -> dict[str, Any] | None:
    found = await device(gateway)
    return found if found["state"] == state else None


async def test_a_token_of_the_other_environment_is_found_there(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = "ab" * 32
        push = {"provider": "apns", "token": token, "environment": "sandbox"}
        await gateway.control.set_phone(token, provider=Provider.APNS, environment=Environment.PRODUCTION)
        answer = await gateway.request("PUT", f"{EXTENSION}/devices/iphone", {"app": IOS, "push": push})
        assert answer.status == 201
        await gateway.call_ended("c1")
        await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
        page = await gateway.control.pushes()
        assert [(one.environment, one.reason) for one in page.items] == [
            (Environment.SANDBOX, "BadDeviceToken"),
            (Environment.PRODUCTION, ""),
        ]
        shown = await eventually(lambda: _accepted(gateway))
        assert shown["push"]["environment"] == "production"
        assert shown["state"] == "active"


async def test_a_token_that_neither_environment_knows_is_retired(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.control.set_phone(token, provider=Provider.APNS, state=PhoneState.BAD)
        await gateway.call_ended("c1")
        gone = await eventually(lambda: _with_state(gateway, "needs_reregister"))
        assert gone["last_error"] == "BadDeviceToken"
        assert gone["push"]["environment"] == "production"
        assert len((await gateway.control.pushes()).items) == 2


async def _accepted(gateway: Gateway) -> dict[str, Any] | None:
    found = await device(gateway)
    return found if found["last_accepted_at"] else None


async def test_a_missed_call_that_was_answered_after_all_is_taken_back(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.call_ended("c1")
        await gateway.control.wait_for_phone(token, lambda phone: phone.badge == 1)
        await gateway.cloud_event("call.answered", "1001", {"call": {"id": "c1"}, "outcome": {"answered_by": "1002"}})
        phone = await gateway.control.wait_for_phone(token, lambda phone: phone.badge == 0)
        (only,) = phone.shown
        assert (only.title, only.body, only.sound, only.kind) == (
            "Call answered",
            "Answered by 1002",
            False,
            "call.withdrawn",
        )
        inbox = await gateway.request("GET", f"{EXTENSION}/inbox")
        assert (inbox.body["items"], inbox.body["badge"]) == ([], 0)


async def test_a_voicemail_takes_the_place_of_its_missed_call(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone()
        await gateway.call_ended("c1")
        await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
        voicemail = {"call": {"id": "c1"}, "voicemail": {"message_id": "m1", "duration_seconds": 12}}
        await gateway.cloud_event("voicemail.new", "1001", voicemail)
        phone = await gateway.control.wait_for_phone(token, lambda phone: phone.received_count == 2)
        assert [one.title for one in phone.shown] == ["New voicemail"]
        assert phone.badge == 1
        inbox = await gateway.request("GET", f"{EXTENSION}/inbox")
        assert [item["kind"] for item in inbox.body["items"]] == ["voicemail.new"]


async def test_seen_lets_the_badge_follow_on_every_device(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        first = await gateway.register_iphone(device="one")
        second = await gateway.register_android("1001", device="two")
        answer = await gateway.call_ended("c1")
        for token in (first, second):
            await gateway.control.wait_for_phone(token, lambda phone: phone.badge == 1)
        seen = await gateway.request("POST", f"{EXTENSION}/inbox/seen", {"event_ids": [answer.body["event_id"]]})
        assert seen.status == 200, seen
        for token in (first, second):
            await gateway.control.wait_for_phone(token, lambda phone: phone.badge == 0)


async def test_a_phone_that_changes_hands_gets_only_its_new_owners_calls(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        token = await gateway.register_iphone("1001")
        push = {"provider": "apns", "token": token, "environment": "production"}
        path = "/v1/tenants/acme/extensions/1002/devices/iphone"
        assert (await gateway.request("PUT", path, {"app": IOS, "push": push})).status == 201
        assert (await gateway.request("GET", f"{EXTENSION}/devices/iphone")).status == 404
        old = await gateway.call_ended("c1", "1001")
        assert old.body["decision"]["reason"] == "no_device"
        await gateway.call_ended("c2", "1002")
        phone = await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
        assert [one.payload["pbx"]["extension"] for one in phone.received] == ["1002"]


async def test_a_call_in_the_second_ring_stage_waits_and_is_cancelled_when_answered(tmp_path: Path) -> None:
    async with open_gateway(tmp_path, extra="[tenants.policy]\nring_first_seconds = 2\n") as gateway:
        token = await gateway.register_android("1001", device="phone")
        desk = ["extension_endpoint", "desktop_client", "web_client"]
        settings = {"ring_strategy": {"ring_first": desk, "ring_secondly": ["mobile_client"]}}
        await gateway.request("PUT", f"{EXTENSION}/presence/settings/available", settings)
        answer = await gateway.cloud_event("call.incoming", "1001", {"call": {"id": "c1"}})
        assert (answer.body["decision"]["action"], answer.body["decision"]["reason"]) == ("defer", "ring_secondly")
        await gateway.cloud_event("call.answered", "1001", {"call": {"id": "c1"}})
        await gateway.cloud_event("call.incoming", "1001", {"call": {"id": "c2"}})
        phone = await gateway.control.wait_for_phone(token, lambda phone: bool(phone.rings))
        assert [ring.call_id for ring in phone.rings] == ["c2"]


async def test_hostile_caller_names_arrive_cleaned_and_within_the_limit(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        iphone = await gateway.register_iphone(device="one")
        android = await gateway.register_android("1001", device="two")
        name = 'Mallory "\\\u202e\u0007' + "👩‍👩‍👧‍👦" * 4000
        data = {"call": {"id": "c1"}, "caller": {"number": "+49151", "name": name[:4000]}}
        answer = await gateway.cloud_event("call.missed", "1001", data)
        assert answer.status == 200, answer
        for token in (iphone, android):
            phone = await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
            body = phone.shown[0].body
            assert body.startswith('Mallory "\\')
            assert not re.search("[\u202a-\u202e\u0000-\u001f]", body)


async def test_logs_metrics_and_health_hold_no_token_no_secret_and_no_number(tmp_path: Path) -> None:
    number = "+4915199887766"
    async with open_gateway(tmp_path) as gateway:
        iphone = await gateway.register_iphone()
        android = await gateway.register_android()
        await gateway.control.answer_with(503, "ServiceUnavailable", token=iphone)
        await gateway.call_ended("c1", caller=number)
        await gateway.call_ended("c2", "1002", caller=number)
        for token in (iphone, android):
            await gateway.control.wait_for_phone(token, lambda phone: len(phone.shown) == 1)
        metrics = await gateway.request("GET", "/metrics", key=None)
        health = await gateway.request("GET", "/health", key=None)
        assert metrics.status == health.status == 200
        for canary in (iphone, android, number, number[1:]):
            assert canary not in gateway.log
            assert canary not in str(metrics.body)
            assert canary not in str(health.body)
        assert "push_gateway_events_total" in str(metrics.body)
