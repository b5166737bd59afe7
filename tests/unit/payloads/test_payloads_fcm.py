"""A push as Google takes it."""

import pytest

from gateway.domain.device import Provider
from gateway.domain.push import PushKind
from gateway.domain.tenant_policy import Privacy
from gateway.payloads import fcm
from tests.support.payload_examples import NOW, fcm_message, phone, push_of

VISIBLE = [PushKind.CALL_MISSED, PushKind.VOICEMAIL_NEW, PushKind.CALL_WITHDRAWN, PushKind.TEST]


def test_a_missed_call_is_notification_and_flat_data() -> None:
    push = push_of(PushKind.CALL_MISSED)
    assert fcm_message(push) == {
        "notification": {"title": "Missed call", "body": "Alice (+4915112345678)"},
        "android": {
            "priority": "HIGH",
            "ttl": "43198s",
            "collapse_key": "call.missed",
            "notification": {"tag": push.collapse_id, "channel_id": "call.missed", "notification_count": 3},
        },
        "data": {
            "v": "1",
            "kind": "call.missed",
            "push_id": push.push_id,
            "event_id": push.event_id,
            "tenant": "acme",
            "extension": "1001",
            "call_id": "1713151497.32",
            "caller_number": "+4915112345678",
            "caller_name": "Alice",
            "occurred_at": "2026-11-22T10:00:00Z",
            "badge": "3",
        },
    }


def test_a_voicemail_is_flattened_too() -> None:
    message = fcm_message(push_of(PushKind.VOICEMAIL_NEW))
    assert message["notification"] == {"title": "New voicemail", "body": "Alice (+4915112345678), 0:12"}
    assert message["data"]["voicemail_message_id"] == "1713840555-00000623"
    assert message["data"]["voicemail_duration_seconds"] == "12"
    assert message["android"]["collapse_key"] == "voicemail.new"


def test_a_badge_alone_is_data_that_may_wait() -> None:
    message = fcm_message(push_of(PushKind.BADGE))
    assert "notification" not in message
    assert message["android"] == {"priority": "NORMAL", "ttl": "3598s", "collapse_key": "badge"}
    assert (message["data"]["kind"], message["data"]["badge"]) == ("badge", "2")


def test_a_withdrawn_call_takes_the_missed_ones_place_quietly() -> None:
    missed, withdrawn = fcm_message(push_of(PushKind.CALL_MISSED)), fcm_message(push_of(PushKind.CALL_WITHDRAWN))
    assert withdrawn["notification"] == {"title": "Call answered", "body": "Answered by 1002"}
    assert withdrawn["android"]["notification"]["tag"] == missed["android"]["notification"]["tag"]
    assert withdrawn["android"]["notification"]["channel_id"] == "call.missed.quiet"
    assert withdrawn["android"]["collapse_key"] == missed["android"]["collapse_key"]
    assert (withdrawn["data"]["kind"], withdrawn["data"]["answered_by"]) == ("call.withdrawn", "1002")


def test_ringing_is_urgent_data_that_does_not_collapse() -> None:
    message = fcm_message(push_of(PushKind.CALL_INCOMING))
    assert "notification" not in message
    assert message["android"] == {"priority": "HIGH", "ttl": "28s"}
    assert message["data"]["expires_at"] == "2026-11-22T10:00:30Z"
    assert message["data"]["call_id"] == "1713151497.32"
    assert "badge" not in message["data"]


def test_a_test_displaces_nothing() -> None:
    message = fcm_message(push_of(PushKind.TEST))
    assert message["notification"] == {"title": "Test notification", "body": ""}
    assert "collapse_key" not in message["android"]
    assert message["android"]["notification"]["channel_id"] == "test"


@pytest.mark.parametrize("privacy", Privacy)
def test_a_phone_needs_at_most_four_collapse_keys(privacy: Privacy) -> None:
    messages = [fcm_message(push_of(kind), privacy=privacy) for kind in PushKind]
    assert len({message["android"].get("collapse_key") for message in messages} - {None}) <= 4


@pytest.mark.parametrize("kind", VISIBLE)
def test_a_quiet_push_goes_to_the_quiet_channel(kind: PushKind) -> None:
    channel = fcm_message(push_of(kind, quiet=True))["android"]["notification"]["channel_id"]
    assert channel == ("call.missed" if kind is PushKind.CALL_WITHDRAWN else kind) + ".quiet"


@pytest.mark.parametrize(
    ("left", "ttl"),
    [(0, "0s"), (-1, "0s"), (-60_000, "0s"), (999, "0s"), (1000, "1s"), (45_500, "45s"), (10**12, "2419200s")],
)
def test_the_ttl_is_what_is_left_in_whole_seconds(left: int, ttl: str) -> None:
    assert fcm_message(push_of(PushKind.CALL_MISSED, deadline=NOW + left))["android"]["ttl"] == ttl


@pytest.mark.parametrize("kind", [*VISIBLE, PushKind.BADGE])
@pytest.mark.parametrize(("badge", "shown"), [(None, None), (0, "0"), (7, "7"), (-1, "0"), (10**30, "2147483647")])
def test_the_badge_is_there_when_it_is_known(kind: PushKind, badge: int | None, shown: str | None) -> None:
    message = fcm_message(push_of(kind, badge=badge))
    assert message["data"].get("badge") == shown
    count = message["android"].get("notification", {}).get("notification_count")
    assert count == (None if shown is None or kind is PushKind.BADGE else int(shown))


@pytest.mark.parametrize("privacy", Privacy)
@pytest.mark.parametrize("kind", PushKind)
def test_data_are_strings_under_names_that_fcm_does_not_keep_for_itself(kind: PushKind, privacy: Privacy) -> None:
    push = push_of(kind, answered_by="1002", voicemail_message_id="m", voicemail_seconds=1, badge=1)
    for name, value in fcm_message(push, privacy=privacy)["data"].items():
        assert isinstance(value, str)
        assert name not in {"from", "message_type", "notification", "collapse_key"}
        assert not name.startswith(("google", "gcm"))


def test_the_target_is_the_providers_business() -> None:
    message = fcm.build(push_of(PushKind.TEST), phone(provider=Provider.FCM), privacy=Privacy.FULL, now=NOW).message
    assert not {"token", "fid", "topic", "condition"} & message.keys()
