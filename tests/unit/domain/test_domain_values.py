"""The vocabulary: facts of events, devices and their tokens, ids of pushes, extensions, errors."""

import itertools

import pytest

from gateway.domain.decision import DeviceFacts
from gateway.domain.device import REGISTRABLE_KINDS, Device, DeviceState, Environment, Provider, Token
from gateway.domain.errors import (
    ConfigurationError,
    InvalidInput,
    MalformedInput,
    Problem,
    StoreUnavailable,
)
from gateway.domain.event import Disposition, EventKind, PbxEvent
from gateway.domain.extension import ExtensionState
from gateway.domain.presence import DoNotDisturbSettings, StatusSettings
from gateway.domain.push import LANE_OF_KIND, Lane, PushKind, derive_collapse_id, derive_push_id
from gateway.domain.tenant_policy import TenantPolicy
from gateway.domain.validation import dotted
from tests.support.facts import CALL_ID, NOW, an_event, facts

ENDED = EventKind.CALL_ENDED
MISSED = EventKind.CALL_MISSED


@pytest.mark.parametrize(
    ("event", "fact"),
    [
        (an_event(MISSED), f"call.missed:{CALL_ID}"),
        (an_event(MISSED, disposition=Disposition.BUSY), f"call.missed:{CALL_ID}"),
        (an_event(ENDED, disposition=Disposition.NO_ANSWER), f"call.missed:{CALL_ID}"),
        (
            an_event(ENDED, disposition=Disposition.NO_ANSWER, answered_by="1002"),
            f"call.missed:{CALL_ID}:no_answer:taken",
        ),
        (an_event(MISSED, disposition=Disposition.FORWARDED), f"call.missed:{CALL_ID}:forwarded:taken"),
        (an_event(MISSED, answered_by="1002"), f"call.missed:{CALL_ID}::taken"),
        (an_event(ENDED), f"call.ended:{CALL_ID}:"),
        (an_event(ENDED, disposition=Disposition.ANSWERED), f"call.ended:{CALL_ID}:answered"),
        (an_event(EventKind.CALL_ANSWERED), f"call.answered:{CALL_ID}"),
        (an_event(EventKind.CALL_INCOMING), f"call.incoming:{CALL_ID}"),
        (an_event(EventKind.CALL_INCOMING, ring_stage=1), f"call.incoming:{CALL_ID}"),
        (an_event(EventKind.CALL_INCOMING, ring_stage=2), f"call.incoming:{CALL_ID}:2"),
        (an_event(EventKind.VOICEMAIL_NEW), "voicemail.new:1713840555-00000623"),
        (an_event(EventKind.VOICEMAIL_NEW, message_id=None), f"voicemail.new:{CALL_ID}"),
        (an_event(EventKind.VOICEMAIL_NEW, message_id=None, call_id=None), "voicemail.new:"),
        (an_event(EventKind.VOICEMAIL_MAILBOX), None),
        (an_event(EventKind.PRESENCE_CHANGED), None),
    ],
)
def test_events_that_say_the_same_have_one_fact(event: PbxEvent, fact: str | None) -> None:
    assert event.fact == fact


def test_a_bare_voicemail_has_the_fact_of_nothing() -> None:
    assert PbxEvent(kind=EventKind.VOICEMAIL_NEW, extension="1001", identity=None).fact == "voicemail.new:"


@pytest.mark.parametrize(
    ("disposition", "missed"),
    [
        *((ending, True) for ending in ("no_answer", "busy", "caller_cancelled", "rejected", "unreachable", "failed")),
        ("voicemail", True),
        ("forwarded", False),
        ("answered", False),
        ("answered_elsewhere", False),
    ],
)
def test_endings_of_the_missed_kind_are_decided_as_missed(disposition: str, missed: bool) -> None:
    event = an_event(ENDED, disposition=Disposition(disposition))
    assert event.policy_kind is (MISSED if missed else ENDED)


@pytest.mark.parametrize(("age", "happened"), [(5, NOW - 5), (-5, NOW)])
def test_the_future_counts_as_the_time_of_receipt(age: int, happened: int) -> None:
    assert facts(age=age).happened_at == happened


def test_an_event_without_a_time_happened_when_it_was_received() -> None:
    assert facts(an_event(occurred_at=None)).happened_at == NOW


def test_a_token_prints_as_its_last_four_characters() -> None:
    token = Token("0123456789abcdef")
    assert repr(token) == "Token(…cdef)"
    assert str(token) == "Token(…cdef)"
    assert token.reveal() == "0123456789abcdef"
    assert token == Token("0123456789abcdef")
    assert token != "0123456789abcdef"
    assert len({token, Token("0123456789abcdef"), Token("x")}) == 2


def _device(provider: Provider, kinds: frozenset[PushKind], *, muted: bool, state: DeviceState, voip: str) -> Device:
    return Device(
        tenant="acme",
        extension="1001",
        device_id="d",
        app="app",
        provider=provider,
        token=Token("token"),
        voip_token=Token(voip) if voip else None,
        kinds=kinds,
        muted=muted,
        state=state,
    )


@pytest.mark.parametrize("kind", list(PushKind))
def test_a_device_and_the_facts_about_it_take_the_same_pushes(kind: PushKind) -> None:
    kinds = (REGISTRABLE_KINDS, frozenset[PushKind](), frozenset({kind}))
    for provider, wanted, muted, state, voip in itertools.product(
        Provider, kinds, (False, True), DeviceState, ("", "voip", "token")
    ):
        device = _device(provider, wanted, muted=muted, state=state, voip=voip)
        known = DeviceFacts(
            device_id="d",
            app="app",
            provider=provider,
            kinds=wanted,
            muted=muted,
            state=state,
            has_voip_token=device.voip_token is not None,
            rings_only=device.rings_only,
        )
        assert known.takes(kind) is device.takes(kind)


def test_an_iphone_rings_by_its_voip_token_and_an_android_phone_by_its_only_one() -> None:
    iphone, android = (
        _device(provider, REGISTRABLE_KINDS, muted=False, state=DeviceState.ACTIVE, voip="voip")
        for provider in Provider
    )
    assert iphone.token_for(PushKind.CALL_INCOMING) == Token("voip")
    assert iphone.token_for(PushKind.CALL_MISSED) == Token("token")
    assert android.token_for(PushKind.CALL_INCOMING) == Token("token")


def test_a_device_with_a_voip_token_alone_is_only_rung() -> None:
    device = _device(Provider.APNS, REGISTRABLE_KINDS, muted=False, state=DeviceState.ACTIVE, voip="token")
    assert device.rings_only
    assert device.token_for(PushKind.CALL_MISSED) is None
    assert device.token_for(PushKind.CALL_INCOMING) == Token("token")


def test_replacements_and_tests_reach_devices_whatever_kinds_they_asked_for() -> None:
    device = _device(Provider.APNS, frozenset(), muted=False, state=DeviceState.ACTIVE, voip="")
    assert device.takes(PushKind.CALL_WITHDRAWN)
    assert device.takes(PushKind.TEST)
    assert not device.takes(PushKind.CALL_MISSED)


def test_each_environment_has_its_other() -> None:
    assert [environment.other.other for environment in Environment] == list(Environment)


def test_every_kind_of_push_has_a_lane_and_ringing_has_its_own() -> None:
    assert set(LANE_OF_KIND) == set(PushKind)
    assert [kind for kind, lane in LANE_OF_KIND.items() if lane is Lane.RING] == [PushKind.CALL_INCOMING]


def test_ids_of_pushes_are_derived_from_what_they_are_about() -> None:
    ids = {
        derive_push_id(event, device, kind)
        for event in ("a", "b")
        for device in ("x", "y")
        for kind in (PushKind.CALL_MISSED, PushKind.BADGE)
    }
    assert len(ids) == 8
    assert all(one == one.lower() and len(one) == 36 for one in ids)
    assert derive_push_id("a", "x", PushKind.BADGE) in ids


def test_collapse_ids_say_nothing_and_differ_by_tenant_extension_and_call() -> None:
    ids = {derive_collapse_id(t, x, about) for t in ("a", "b") for x in ("1", "2") for about in ("c", "d\ud800")}
    assert len(ids) == 8
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


def test_an_extension_that_was_never_set_is_available_with_default_settings() -> None:
    state = ExtensionState(tenant="acme", extension="1001")
    assert state.presence.status == "available"
    assert state.settings_for("available", ()) == ("available", StatusSettings())
    assert state.settings_for("do_not_disturb", ()) == ("do_not_disturb", DoNotDisturbSettings())
    assert state.settings_for("gone_fishing", ()) == ("available", StatusSettings())


def test_an_extension_uses_the_settings_that_were_stored_for_a_status() -> None:
    stored = StatusSettings(ring_timeout_seconds=60)
    state = ExtensionState(tenant="acme", extension="1001").with_settings("training", stored)
    assert state.settings_for("training", ("training",)) == ("training", stored)
    assert state.settings_for("training", ()) == ("available", StatusSettings())


def test_an_extension_finds_its_devices_by_id() -> None:
    device = _device(Provider.FCM, REGISTRABLE_KINDS, muted=False, state=DeviceState.ACTIVE, voip="")
    state = ExtensionState(tenant="acme", extension="1001", devices=(device,))
    assert state.device("d") is device
    assert state.device("e") is None


def test_ages_are_the_policys_unless_the_tenant_states_others() -> None:
    policy = TenantPolicy(max_age_seconds={EventKind.CALL_MISSED: 60})
    ages = {kind.value: policy.max_age(kind) for kind in EventKind}
    assert ages == {
        "call.incoming": 45,
        "call.answered": None,
        "call.ended": None,
        "call.missed": 60,
        "voicemail.new": 259_200,
        "voicemail.mailbox": None,
        "presence.changed": None,
    }


@pytest.mark.parametrize("error", [MalformedInput, InvalidInput])
def test_an_error_about_input_reads_as_place_and_problem(error: type[MalformedInput] | type[InvalidInput]) -> None:
    refusal = error(Problem(loc="data.call.id", msg="missing"), Problem(loc="time", msg="no zone"))
    assert str(refusal) == "data.call.id: missing; time: no zone"
    assert [problem.loc for problem in refusal.problems] == ["data.call.id", "time"]


def test_a_configuration_error_has_a_line_for_each_problem() -> None:
    refusal = ConfigurationError(Problem(loc="a", msg="b"), Problem(loc="c", msg="d"))
    assert str(refusal) == "a: b\nc: d"
    assert len(refusal.problems) == 2


def test_a_store_that_is_gone_says_when_to_come_again() -> None:
    assert StoreUnavailable().retry_after_seconds == 2
    assert str(StoreUnavailable("full", 9)) == "full"


def test_a_place_is_dotted_below_its_prefix() -> None:
    assert dotted(("call", 0, "id"), prefix="data") == "data.call.0.id"
    assert dotted((), prefix="") == ""
