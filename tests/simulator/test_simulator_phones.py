"""What the owners of virtual phones see: replacement, badges, expiry, rings, storage while offline."""

import time
from typing import Any

import pytest

from gateway.domain.device import Environment, Provider
from gateway.simulator.control_client import SimulatorControl
from gateway.simulator.credentials import TOPIC
from gateway.simulator.phones import MOST_COLLAPSE_KEYS, MOST_STORED, NOW_OR_NEVER, Delivery, VirtualPhone
from gateway.simulator.views import Fate, Phone, PhoneState
from tests.support.h2client import H2Client
from tests.support.simulated import FCM_TOKEN, TOKEN, push, send_message


def phone_of(provider: Provider) -> VirtualPhone:
    """A fresh phone."""
    return VirtualPhone(token="t", provider=provider, environment=Environment.PRODUCTION)


def alert(push_id: str, **changes: Any) -> Delivery:
    """A visible push."""
    return Delivery(**{"push_id": push_id, "title": push_id, "visible": True, **changes})


def titles(phone: VirtualPhone) -> list[str]:
    """What is on the screen, oldest first."""
    return [shown.title for shown in phone.shown]


@pytest.mark.parametrize("provider", list(Provider))
def test_the_same_collapse_id_replaces_and_moves_to_the_end(provider: Provider) -> None:
    phone = phone_of(provider)
    for push_id, collapse in (("a", "x"), ("b", "y"), ("c", ""), ("d", "x"), ("e", ""), ("f", "x")):
        phone.receive(alert(push_id, collapse=collapse), now=1)
    assert titles(phone) == ["b", "c", "e", "f"]
    assert phone.shown[-1].replaced == 2


@pytest.mark.parametrize(
    ("expires_at", "fate"), [(None, Fate.SHOWN), (NOW_OR_NEVER, Fate.SHOWN), (101, Fate.SHOWN), (100, Fate.EXPIRED)]
)
def test_a_push_that_comes_too_late_is_not_shown(expires_at: int | None, fate: Fate) -> None:
    phone = phone_of(Provider.APNS)
    assert phone.receive(alert("a", expires_at=expires_at, badge=1), now=100) is fate
    assert phone.badge == (1 if fate is Fate.SHOWN else None)


def test_a_push_without_a_badge_leaves_it_and_zero_clears_it() -> None:
    phone = phone_of(Provider.APNS)
    seen = [(phone.receive(alert("a", badge=badge), now=1), phone.badge)[1] for badge in (3, None, 0)]
    assert seen == [3, 3, 0]


def test_apple_keeps_only_the_newest_push_of_an_app_for_an_offline_phone() -> None:
    phone = phone_of(Provider.APNS)
    phone.change_state(PhoneState.OFFLINE, now=0)
    for push_id in ("a", "b", "c"):
        assert phone.receive(alert(push_id, storage_key=TOPIC), now=1) is Fate.STORED
    assert phone.receive(alert("now", storage_key=TOPIC, expires_at=NOW_OR_NEVER), now=1) is Fate.DROPPED
    phone.change_state(PhoneState.OK, now=2)
    assert (titles(phone), phone.stored) == (["c"], [])


def test_what_expired_while_the_phone_was_offline_is_never_shown() -> None:
    phone = phone_of(Provider.FCM)
    phone.change_state(PhoneState.OFFLINE, now=0)
    phone.receive(alert("late", expires_at=50), now=1)
    phone.receive(alert("lasting", expires_at=150), now=1)
    phone.change_state(PhoneState.OK, now=100)
    assert titles(phone) == ["lasting"]


def test_google_keeps_four_collapse_keys_for_an_offline_phone() -> None:
    phone = phone_of(Provider.FCM)
    phone.change_state(PhoneState.OFFLINE, now=0)
    for number in range(MOST_COLLAPSE_KEYS + 1):
        phone.receive(alert(f"old-{number}", storage_key=str(number)), now=1)
    phone.receive(alert("new-2", storage_key="2"), now=1)
    phone.change_state(PhoneState.OK, now=2)
    assert titles(phone) == ["old-1", "old-3", "old-4", "new-2"]


def test_google_drops_everything_after_a_hundred_other_messages() -> None:
    phone = phone_of(Provider.FCM)
    phone.change_state(PhoneState.OFFLINE, now=0)
    phone.receive(alert("keyed", storage_key="k"), now=1)
    for number in range(MOST_STORED):
        phone.receive(alert(str(number)), now=1)
    assert len(phone.stored) == MOST_STORED + 1
    phone.receive(alert("one more"), now=1)
    phone.change_state(PhoneState.OK, now=2)
    assert (titles(phone), phone.deleted_messages) == (["keyed"], 1)


async def seen(control: SimulatorControl, token: str) -> Phone:
    """The phone, which exists."""
    phone = await control.phone(token)
    assert phone is not None
    return phone


async def test_an_iphone_shows_what_the_payload_says(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await push(apns, bearer, apns_collapse_id="call-1")
    phone = await seen(control, TOKEN)
    assert phone.last is not None
    shown = phone.last
    assert (shown.title, shown.body, shown.sound, shown.badge) == ("Missed call", "Alice", True, 3)
    assert (shown.thread, shown.kind, shown.collapse) == ("missed", "call.missed", "call-1")
    assert (phone.badge, phone.topic) == (3, TOPIC)


async def test_a_withdrawn_call_replaces_the_missed_one_quietly(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await push(apns, bearer, apns_collapse_id="call-1")
    quiet = {
        "aps": {"alert": {"title": "Call answered", "body": "Answered by 1002"}, "interruption-level": "passive"},
        "pbx": {"kind": "call.withdrawn"},
    }
    await push(apns, bearer, payload=quiet, apns_collapse_id="call-1")
    phone = await seen(control, TOKEN)
    assert [(shown.title, shown.sound, shown.replaced) for shown in phone.shown] == [("Call answered", False, 1)]


@pytest.mark.parametrize(
    ("aps", "sound"),
    [
        ({"alert": "A", "sound": "default"}, True),
        ({"alert": "A"}, False),
        ({"alert": "A", "sound": "default", "interruption-level": "passive"}, False),
    ],
)
async def test_passive_or_soundless_alerts_are_quiet(
    apns: H2Client, control: SimulatorControl, bearer: str, aps: dict[str, Any], sound: bool
) -> None:
    await push(apns, bearer, payload={"aps": aps})
    assert [shown.sound for shown in (await seen(control, TOKEN)).shown] == [sound]


async def test_a_badge_alone_changes_the_badge_alone(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    await push(apns, bearer, payload={"aps": {"badge": 7}}, apns_priority="5")
    phone = await seen(control, TOKEN)
    assert (phone.badge, phone.shown, phone.received[0].fate) == (7, (), Fate.SILENT)


async def test_a_voip_push_rings(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    expiration = int(time.time()) + 30
    payload = {"pbx": {"kind": "call.incoming", "call_id": "c", "caller": {"number": "+49", "name": "Alice"}}}
    voip = {"apns_topic": f"{TOPIC}.voip", "apns_push_type": "voip", "apns_expiration": str(expiration)}
    await push(apns, bearer, payload=payload, **voip)
    (ring,) = (await seen(control, TOKEN)).rings
    assert (ring.call_id, ring.caller_number, ring.caller_name) == ("c", "+49", "Alice")
    assert ring.expires_at == expiration * 1000


async def test_an_android_phone_shows_notifications_by_tag_and_channel(
    fcm: H2Client, control: SimulatorControl, access: str
) -> None:
    drawn = {"tag": "call-1", "channel_id": "call.missed", "notification_count": 2}
    message = {"token": FCM_TOKEN, "notification": {"title": "Missed call", "body": "Alice"}}
    await send_message(fcm, access, {**message, "android": {"notification": drawn}, "data": {"kind": "call.missed"}})
    quiet = {**drawn, "channel_id": "call.missed.quiet", "title": "Call answered"}
    await send_message(fcm, access, {**message, "android": {"notification": quiet}})
    phone = await seen(control, FCM_TOKEN)
    assert [(shown.title, shown.body, shown.sound) for shown in phone.shown] == [("Call answered", "Alice", False)]
    assert (phone.badge, phone.received_count, len(phone.received)) == (2, 2, 2)


async def test_data_alone_sets_the_badge_or_rings(fcm: H2Client, control: SimulatorControl, access: str) -> None:
    await send_message(fcm, access, {"token": FCM_TOKEN, "data": {"kind": "badge", "badge": "4"}})
    ring = {"kind": "call.incoming", "call_id": "c", "caller_number": "+49", "caller_name": "Alice"}
    await send_message(fcm, access, {"token": FCM_TOKEN, "data": ring, "android": {"ttl": "30s"}})
    phone = await seen(control, FCM_TOKEN)
    assert (phone.badge, phone.shown, [found.call_id for found in phone.rings]) == (4, (), ["c"])


async def test_every_repeat_is_on_record(apns: H2Client, control: SimulatorControl, bearer: str) -> None:
    push_id = "6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52"
    for _ in range(3):
        await push(apns, bearer, apns_id=push_id)
    phone = await seen(control, TOKEN)
    assert [received.push_id for received in phone.received] == [push_id] * 3
    received = phone.received[0]
    assert received.headers["apns-topic"] == TOPIC
    assert "authorization" not in received.headers
    assert received.payload["pbx"]["kind"] == "call.missed"


async def test_a_phone_switched_off_gets_its_push_when_it_is_back(
    apns: H2Client, control: SimulatorControl, bearer: str
) -> None:
    await control.set_phone(TOKEN, state=PhoneState.OFFLINE)
    await push(apns, bearer, apns_expiration=str(int(time.time()) + 60))
    assert (await seen(control, TOKEN)).stored == 1
    phone = await control.set_phone(TOKEN, state=PhoneState.OK)
    assert (phone.stored, len(phone.shown)) == (0, 1)
