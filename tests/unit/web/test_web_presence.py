"""Presence, settings, profile and call plan over HTTP."""

from typing import Any

import pytest

from gateway.domain.presence import STATUSES
from tests.support.web import Web, event, new_extension, user_token
from tests.support.web_settings import ADMIN_KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Extension:
    """An extension nobody has used, and its routes."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.number = new_extension()

    def path(self, more: str) -> str:
        return f"/v1/tenants/acme/extensions/{self.number}/{more}"

    async def get(self, more: str) -> Any:
        reply = await self.web.ask("GET", self.path(more))
        assert reply.status == 200, reply.body
        return reply.body

    async def put(self, more: str, body: Any, **options: Any) -> Any:
        reply = await self.web.ask("PUT", self.path(more), body, **options)
        assert reply.status == 200, reply.body
        return reply.body

    async def patch(self, more: str, body: Any) -> Any:
        reply = await self.web.ask("PATCH", self.path(more), body)
        assert reply.status == 200, reply.body
        return reply.body

    async def refused(self, method: str, more: str, body: Any) -> list[str]:
        reply = await self.web.ask(method, self.path(more), body)
        assert (reply.status, reply.body["type"]) == (422, "urn:pbx-push-gateway:problem:invalid-input")
        return [error["loc"] for error in reply.body["errors"]]


@pytest.fixture
def extension(web: Web) -> Extension:
    return Extension(web)


async def test_an_extension_that_was_never_set_is_available(extension: Extension) -> None:
    presence = await extension.get("presence")

    assert (presence["status"], presence["information"], presence["since"]) == ("available", "", None)
    assert presence["set_by"] == "default"
    assert set(presence["settings"]) == STATUSES | {"training"}
    assert "ring_strategy" not in presence["settings"]["do_not_disturb"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("away", "away"),
        ("lunch", "lunch_break"),
        ("dnd", "do_not_disturb"),
        ("Off Work", "off_work"),
        ("training",) * 2,
    ],
)
async def test_a_status_is_set_under_its_own_name(extension: Extension, written: str, stored: str) -> None:
    answered = await extension.put("presence", {"status": written, "information": "until three"})

    assert (answered["status"], answered["information"], answered["set_by"]) == (stored, "until three", "api:all")
    assert answered == await extension.get("presence")


async def test_who_set_it_is_recorded(extension: Extension) -> None:
    by_app = await extension.put("presence", {"status": "away"}, key=user_token(extension.number))
    by_admin = await extension.put("presence", {"status": "off_work"}, key=ADMIN_KEY)

    assert (by_app["set_by"], by_admin["set_by"]) == ("app", "admin:ops")


async def test_the_note_of_the_settings_stands_where_none_was_given(extension: Extension) -> None:
    await extension.patch("presence/settings/away", {"information": "in a meeting"})

    assert (await extension.put("presence", {"status": "away"}))["information"] == "in a meeting"
    assert (await extension.put("presence", {"status": "away", "information": ""}))["information"] == ""


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"status": "sleeping"}, "status"),
        ({"status": ""}, "status"),
        ({"status": 7}, "status"),
        ({}, "status"),
        ({"status": "away", "information": "x" * 257}, "information"),
        ({"status": "away", "until": "three"}, "until"),
    ],
)
async def test_a_wrong_status_is_named(extension: Extension, body: Any, place: str) -> None:
    assert await extension.refused("PUT", "presence", body) == [place]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
@pytest.mark.parametrize("status", ["sleeping", "lunch", "Away"])
async def test_settings_of_an_unknown_status_are_not_there(extension: Extension, method: str, status: str) -> None:
    body: Any = None if method == "GET" else {}

    assert (await extension.web.ask(method, extension.path(f"presence/settings/{status}"), body)).status == 404


async def test_put_replaces_and_absent_fields_take_their_defaults(extension: Extension) -> None:
    await extension.put("presence/settings/away", {"ring_timeout_seconds": 60, "information": "x"})

    answered = await extension.put("presence/settings/away", {"information": "y"})

    assert (answered["information"], answered["ring_timeout_seconds"]) == ("y", 30)
    assert answered == await extension.get("presence/settings/away")
    assert (await extension.get("presence"))["settings"]["away"] == answered
    assert (await extension.get("presence/settings/off_work"))["information"] == ""


async def test_patch_changes_what_it_names(extension: Extension) -> None:
    await extension.put("presence/settings/away", {"ring_timeout_seconds": 60, "information": "x"})

    answered = await extension.patch(
        "presence/settings/away", {"information": None, "accept_push_notifications": False}
    )

    assert (answered["information"], answered["ring_timeout_seconds"]) == ("", 60)
    assert answered["accept_push_notifications"] is False


async def test_the_push_switch_decides_the_next_event(extension: Extension) -> None:
    await extension.web.register(extension.number)
    await extension.patch("presence/settings/away", {"accept_push_notifications": False})
    await extension.put("presence", {"status": "away"})

    reply = await extension.web.post_event(event("call.missed", extension.number))

    assert reply.body["decision"]["reason"] == "push_disabled"


BOTH_STAGES = {"ring_first": ["mobile_client"], "ring_secondly": ["mobile_client"]}
TO_ITSELF = {"kind": "extension", "value": "SELF"}


@pytest.mark.parametrize(
    ("status", "body", "place"),
    [
        ("away", {"ring_timeout_seconds": 4}, "ring_timeout_seconds"),
        ("away", {"ring_timeout_seconds": 301}, "ring_timeout_seconds"),
        ("away", {"ring_timeout_seconds": "30"}, "ring_timeout_seconds"),
        ("away", {"ring_strategy": BOTH_STAGES}, "ring_strategy"),
        ("away", {"ring_strategy": {"ring_first": [], "ring_secondly": ["mobile_client"]}}, "ring_strategy"),
        ("away", {"ring_strategy": {"ring_first": ["fax"]}}, "ring_strategy.ring_first.0"),
        ("away", {"agent_status_auto_switch": {"action": "log_in"}}, "agent_status_auto_switch.action"),
        ("training", {"agent_status_auto_switch": {"action": "log_in"}}, "agent_status_auto_switch.action"),
        (
            "available",
            {"agent_status_auto_switch": {"action": "log_in", "pause_reason": "x"}},
            "agent_status_auto_switch",
        ),
        ("away", {"ring_mobile_simultaneously": {"enabled": True}}, "ring_mobile_simultaneously.enabled"),
        ("away", {"information": "x" * 257}, "information"),
        ("away", {"accept_push_notifications": 1}, "accept_push_notifications"),
        ("away", {"colour": "red"}, "colour"),
        (
            "away",
            {"call_forwarding": {"internal": {"always": {"enabled": True, "destination": TO_ITSELF}}}},
            "call_forwarding.internal.always.destination.value",
        ),
        ("do_not_disturb", {"ring_strategy": {"ring_first": ["mobile_client"]}}, "ring_strategy"),
        ("do_not_disturb", {"ring_timeout_seconds": 30}, "ring_timeout_seconds"),
        ("do_not_disturb", {"ring_mobile_simultaneously": {"enabled": False}}, "ring_mobile_simultaneously"),
        ("do_not_disturb", {"call_forwarding": {"internal": {"no_answer": {}}}}, "call_forwarding.internal.no_answer"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_wrong_settings_are_named_and_not_stored(
    extension: Extension, method: str, status: str, body: Any, place: str
) -> None:
    before = await extension.get(f"presence/settings/{status}")

    places = await extension.refused(method, f"presence/settings/{status}", own(body, extension.number))

    assert len(places) == 1
    assert places[0].startswith(place)
    assert await extension.get(f"presence/settings/{status}") == before


def own(value: Any, number: str) -> Any:
    if isinstance(value, dict):
        return {name: own(item, number) for name, item in value.items()}
    return number if value == "SELF" else value


async def test_log_in_is_for_available(extension: Extension) -> None:
    answered = await extension.patch("presence/settings/available", {"agent_status_auto_switch": {"action": "log_in"}})

    assert answered["agent_status_auto_switch"] == {"action": "log_in", "pause_reason": None}


async def test_a_profile_is_patched_and_validated_as_a_whole(extension: Extension) -> None:
    answered = await extension.patch("profile", {"mobile_number": "+491511", "queues": ["6400"], "source": "hq"})
    again = await extension.patch("profile", {"source": None, "timezone": "Asia/Tokyo"})

    assert answered["queues"] == again["queues"] == ["6400"]
    assert (again["source"], again["timezone"]) == (None, "Asia/Tokyo")
    assert again == await extension.get("profile")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"mobile_number": "call me"}, "mobile_number"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"queues": "6400"}, "queues"),
        ({"queues": [6400]}, "queues.0"),
        ({"vip_callers": ["Alice"]}, "vip_callers.0"),
        ({"source": "globex-crm"}, "source"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_profile_is_named(extension: Extension, body: Any, place: str) -> None:
    assert await extension.refused("PATCH", "profile", body) == [place]


async def test_a_mobile_number_that_rings_along_cannot_be_taken_away(extension: Extension) -> None:
    await extension.patch("profile", {"mobile_number": "+491511"})
    await extension.patch("presence/settings/away", {"ring_mobile_simultaneously": {"enabled": True, "prefix": "0"}})

    assert await extension.refused("PATCH", "profile", {"mobile_number": None}) == ["mobile_number"]


async def test_the_call_plan_follows_the_current_status(extension: Extension) -> None:
    strategy = {"ring_first": ["extension_endpoint"], "ring_secondly": ["mobile_client"]}
    await extension.put("presence/settings/away", {"ring_strategy": strategy})
    await extension.put("presence", {"status": "away"})

    assert await extension.get("call-plan?direction=internal") == {
        "status": "away",
        "forward_always": None,
        "stages": [
            {"endpoints": ["extension_endpoint"], "after_seconds": 0},
            {"endpoints": ["mobile_client"], "after_seconds": 15},
        ],
        "ring_mobile_number": None,
        "ring_timeout_seconds": 30,
        "on_no_answer": {"kind": "voicemail", "value": None, "prefix": ""},
        "on_busy": {"kind": "voicemail", "value": None, "prefix": ""},
    }


async def test_the_direction_of_a_call_plan_is_one_of_two(extension: Extension) -> None:
    reply = await extension.web.ask("GET", extension.path("call-plan?direction=external"))

    assert (reply.status, reply.body["errors"][0]["loc"]) == (422, "query.direction")
