"""Whatever a PBX says, a phone gets a valid payload within the limits that tells no more than the tenant allows."""

import unicodedata
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.device import Device, Provider, Token
from gateway.domain.event import Caller
from gateway.domain.push import Push, PushKind, derive_collapse_id
from gateway.domain.tenant_policy import Privacy
from gateway.payloads import apns, fcm, text

NOW = 1_795_341_600_000
ZWJ = "\u200d"

_ANY_CHARACTER = st.characters(exclude_categories=())
"""Lone surrogates too."""
_NASTY = st.sampled_from(
    [
        "\u202e",
        "\u2066",
        "\u200f",
        "\x00",
        "\x1b[0m",
        "\ud83d",
        '"',
        "\\",
        "\u0301",
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "\ufe0f",
        ZWJ,
    ]
)
_PIECE = st.one_of(_ANY_CHARACTER, _NASTY, st.text("0123456789+ ()-.", max_size=16))
HOSTILE = st.one_of(
    st.lists(_PIECE, max_size=40).map("".join),
    st.builds(lambda piece, times: piece * times, _PIECE, st.integers(0, 4000)),
)
NUMBERS = st.one_of(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True), HOSTILE)
IDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=256)
SHORT_IDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=64)
MILLIS = st.integers(-(2**70), 2**70)
LARGE = st.one_of(st.none(), st.integers(-5, 500_000), st.integers())


@st.composite
def pushes(draw: st.DrawFn, callers: st.SearchStrategy[Caller]) -> Push:
    call_id = draw(st.none() | IDS)
    return Push(
        push_id=str(draw(st.uuids())),
        event_id=draw(st.from_regex(r"[0-9A-Z]{26}", fullmatch=True)),
        tenant=draw(SHORT_IDS),
        extension=draw(SHORT_IDS),
        device_id="phone",
        kind=draw(st.sampled_from(PushKind)),
        collapse_id=derive_collapse_id("acme", "1001", call_id or ""),
        occurred_at=draw(MILLIS),
        deadline=draw(MILLIS),
        badge=draw(LARGE),
        quiet=draw(st.booleans()),
        call_id=call_id,
        caller=draw(callers),
        voicemail_message_id=draw(st.none() | IDS),
        voicemail_seconds=draw(LARGE),
        answered_by=draw(st.none() | HOSTILE),
    )


CALLERS = st.builds(Caller, number=NUMBERS, name=HOSTILE)
PUSHES = pushes(CALLERS)
LOCALES = st.one_of(st.sampled_from(["", "en", "de-AT", "zh-Hans-CN", "fr"]), st.text(max_size=20))
PRIVACIES = st.sampled_from(Privacy)


def phone(locale: str) -> Device:
    return Device(
        tenant="acme",
        extension="1001",
        device_id="phone",
        app="app",
        provider=Provider.APNS,
        token=Token("00"),
        locale=locale,
    )


def both(push: Push, locale: str, privacy: Privacy) -> tuple[dict[str, Any], dict[str, Any]]:
    apple = apns.build(push, phone(locale), topic="com.example", privacy=privacy)
    google = fcm.build(push, phone(locale), privacy=privacy, now=NOW)
    return orjson.loads(apple.body), google.message


def shown(apple: dict[str, Any], google: dict[str, Any]) -> list[str]:
    """Every text that a person may read."""
    data = google["data"]
    parts = [apple["aps"].get("alert", {}), google.get("notification", {}), apple["pbx"].get("caller", {})]
    texts = [part for some in parts for part in some.values()]
    texts += [data[name] for name in ("caller_number", "caller_name", "answered_by") if name in data]
    return [*texts, apple["pbx"].get("answered_by", "")]


@given(PUSHES, LOCALES, PRIVACIES)
def test_every_payload_is_valid_json_within_the_providers_limit(push: Push, locale: str, privacy: Privacy) -> None:
    apple = apns.build(push, phone(locale), topic="com.example", privacy=privacy)
    assert len(apple.body) <= (5120 if push.kind is PushKind.CALL_INCOMING else 4096)
    assert isinstance(orjson.loads(apple.body.decode("utf-8")), dict)
    message = fcm.build(push, phone(locale), privacy=privacy, now=NOW).message
    assert len(orjson.dumps(message)) <= 4096
    assert all(isinstance(value, str) for value in message["data"].values())


@given(PUSHES, PRIVACIES)
def test_every_header_is_short_printable_ascii(push: Push, privacy: Privacy) -> None:
    headers = apns.build(push, phone(""), topic="com.example", privacy=privacy).headers
    for name, value in headers.items():
        assert name.startswith("apns-")
        assert value.isascii()
        assert value.isprintable()
    assert 0 < len(headers["apns-collapse-id"]) <= 64
    assert headers["apns-expiration"].isdecimal()


@given(PUSHES, PRIVACIES)
def test_ids_are_intact(push: Push, privacy: Privacy) -> None:
    apple, google = both(push, "", privacy)
    for pbx in (apple["pbx"], google["data"]):
        assert (pbx["push_id"], pbx["event_id"]) == (push.push_id, push.event_id)
        assert (pbx["tenant"], pbx["extension"]) == (push.tenant, push.extension)
        assert pbx.get("call_id") == (None if privacy is Privacy.ID_ONLY else push.call_id)
    if push.kind is PushKind.VOICEMAIL_NEW and privacy is not Privacy.ID_ONLY:
        assert apple["pbx"].get("voicemail", {}).get("message_id") == push.voicemail_message_id
        assert google["data"].get("voicemail_message_id") == push.voicemail_message_id


@given(PUSHES, LOCALES, PRIVACIES)
def test_no_visible_text_controls_hides_or_reorders_anything(push: Push, locale: str, privacy: Privacy) -> None:
    for part in shown(*both(push, locale, privacy)):
        assert not [one for one in part if one != ZWJ and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
        assert part == part.strip()
        assert "  " not in part


def runs_of_digits(number: str) -> set[str]:
    """Every three digits that follow each other in a number, whatever stands between them."""
    digits = [one for one in number if unicodedata.category(one).startswith("N")]
    return {a + b + c for a, b, c in zip(digits, digits[1:], digits[2:], strict=False)}


REPEATED = st.builds(
    lambda number, before, after: Caller(number=number, name=before + number + after), NUMBERS, HOSTILE, HOSTILE
)
SPELLED = st.builds(
    lambda digits, between: Caller(number="+" + "".join(digits), name=between.join(digits)),
    st.lists(st.sampled_from("0123456789"), min_size=3, max_size=15),
    st.sampled_from([" ", "-", ".", "/", "\u00a0", ") (", "\u202d"]),
)


@given(pushes(st.one_of(CALLERS, REPEATED, SPELLED)))
def test_under_number_masked_no_three_digits_of_the_number_survive(push: Push) -> None:
    secret = runs_of_digits(text.clean(push.caller.number))
    for part in shown(*both(push, "", Privacy.NUMBER_MASKED)):
        groups = "".join(one if unicodedata.category(one).startswith("N") else " " for one in part).split()
        assert not [run for run in secret for group in groups if run in group and run not in _duration(push)]


def _duration(push: Push) -> str:
    """The digits of a voicemail's length are the message's, not the number's."""
    return text.duration(push.voicemail_seconds).replace(":", "")


@given(pushes(st.builds(Caller, number=st.just("+4915112345678"), name=st.just("Alice 👍"))))
def test_under_kind_only_and_id_only_nobody_is_named(push: Push) -> None:
    assume("15112345678" not in f"{push.tenant} {push.extension} {push.call_id} {push.voicemail_message_id}")
    for privacy in (Privacy.KIND_ONLY, Privacy.ID_ONLY):
        apple, google = both(push, "", privacy)
        for sent in (orjson.dumps(apple), orjson.dumps(google)):
            assert b"Alice" not in sent
            assert b"15112345678" not in sent
        assert not {"caller", "caller_number", "caller_name", "answered_by"} & (apple["pbx"].keys() | google["data"])


@given(HOSTILE)
def test_cleaning_twice_changes_nothing_more(given_text: str) -> None:
    assert text.clean(text.clean(given_text)) == text.clean(given_text)


@given(HOSTILE.map(text.clean), st.integers(0, 60), st.integers(0, 200))
def test_a_cut_text_is_a_beginning_within_both_limits(line: str, graphemes: int, size: int) -> None:
    short = text.cut(line, max_graphemes=graphemes, max_bytes=size)
    assert len(short.encode()) <= size
    assert short == line or line.startswith(short.removesuffix(text.ELLIPSIS))
    assert short in {line, ""} or short.endswith(text.ELLIPSIS)


@given(HOSTILE.map(text.clean), st.integers(0, 200))
def test_more_room_never_shows_less(line: str, size: int) -> None:
    shorter, longer = (text.cut(line, max_bytes=room).removesuffix(text.ELLIPSIS) for room in (size, size + 1))
    assert longer.startswith(shorter)


@given(st.integers(0, 359_998))
def test_durations_of_equal_length_sort_as_they_last(seconds: int) -> None:
    shorter, longer = text.duration(seconds), text.duration(seconds + 1)
    assert shorter != longer
    assert all(len(one) <= len(other) for one, other in pairwise([shorter, longer]))
