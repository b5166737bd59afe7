"""Whatever comes in: a dialect answers with events, or with one of its own errors, and with nothing else."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import BadProof, InvalidInput, MalformedInput, TooLarge
from gateway.domain.event import PbxEvent
from gateway.ingress import cloudevents, strict_json, yeastar
from gateway.ingress.signatures import (
    sign_standard_webhook,
    sign_yeastar,
    verify_standard_webhook,
    verify_yeastar,
)
from gateway.ingress.times import LATEST, rfc3339_millis

SAMPLES = Path(__file__).parents[1] / "samples"
EVENT_IDS = [30007, 30008, 30009, 30011, 30012, 30014, 30016, 30022, 30025, 30026, 30029, 30039]
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia")]
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_795_341_600_000

any_text = st.text(max_size=20) | st.sampled_from(
    ["", " ", "\x00", "1001", "ANSWERED", "2025-03-07 09:15:02", "9" * 300]
)
any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


def documents(dialect: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted((SAMPLES / dialect).glob("*.json"))]


YEASTAR = [sample["body"] for sample in documents("yeastar")]
CLOUDEVENTS = [sample for sample in documents("cloudevents") if not isinstance(sample["body"], str)]


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """`value` with one of its parts, at any depth, replaced, removed or joined by a stranger."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()):
            return {**value, key: draw(changed(value[key]))}
        rest = {name: part for name, part in value.items() if name != key}
        return {**rest, draw(any_text): draw(any_json)}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], draw(changed(value[index])), *value[index + 1 :]]
    if isinstance(value, str) and value.startswith('{"'):
        return json.dumps(draw(changed(json.loads(value))))
    return draw(any_json)


def is_sound(event: PbxEvent) -> bool:
    """What the rooms behind the ingress rely on, whatever was written."""
    identity = event.identity is None or (event.identity.count("\n") < 8 and "\x00" not in event.identity)
    call = event.call is None or 0 < len(event.call.id) <= 256
    return identity and call and 0 < len(event.extension) <= 64 and 0 <= (event.occurred_at or 0) <= LATEST


def reads_yeastar(body: bytes, zone: ZoneInfo) -> None:
    with suppress(MalformedInput, InvalidInput):
        events = yeastar.read(body, timezone=zone)
        assert all(is_sound(event) for event in events)
        assert len({event.identity for event in events}) == len(events)


def reads_cloudevents(headers: Mapping[str, str], body: bytes) -> None:
    with suppress(MalformedInput, InvalidInput, TooLarge):
        items = cloudevents.read(headers, body).items
        assert all(item.problems if isinstance(item, InvalidInput) else is_sound(item) for item in items)


tokens = st.lists(st.sampled_from(list('{}[]",:\\ 01.eE-truefalsn"u"d8')), max_size=40).map("".join)


@given(st.binary(max_size=60) | tokens.map(str.encode))
def test_any_bytes_are_json_with_one_meaning_or_malformed(body: bytes) -> None:
    with suppress(MalformedInput):
        assert strict_json.loads(body) == json.loads(body)


@given(any_json, st.booleans())
def test_any_json_is_read_as_what_it_is(value: Any, escaped: bool) -> None:
    assert strict_json.loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=60), st.sampled_from(ZONES))
def test_any_bytes_are_no_surprise_to_yeastar(body: bytes, zone: ZoneInfo) -> None:
    reads_yeastar(body, zone)


@given(st.sampled_from(EVENT_IDS) | any_json, any_json, any_json, st.sampled_from(ZONES))
def test_any_envelope_is_no_surprise_to_yeastar(event_id: Any, serial: Any, message: Any, zone: ZoneInfo) -> None:
    reads_yeastar(json.dumps({"type": event_id, "sn": serial, "msg": message}).encode(), zone)


@given(st.sampled_from(YEASTAR).flatmap(changed), st.sampled_from(ZONES))
def test_a_changed_sample_is_no_surprise_to_yeastar(body: Any, zone: ZoneInfo) -> None:
    reads_yeastar(json.dumps(body).encode(), zone)


@given(
    st.dictionaries(
        st.sampled_from(["content-type", "ce-id", "ce-source", "ce-specversion", "ce-type", "ce-subject", "ce-time"]),
        any_text
        | st.sampled_from(["application/json", "application/cloudevents+json", "1.0", "call.missed", "%F0", '"']),
    ),
    st.binary(max_size=60) | any_json.map(lambda value: json.dumps(value).encode()),
)
def test_any_request_is_no_surprise_to_cloudevents(headers: dict[str, str], body: bytes) -> None:
    reads_cloudevents(headers, body)


@given(st.sampled_from(CLOUDEVENTS), st.data())
def test_a_changed_sample_is_no_surprise_to_cloudevents(sample: dict[str, Any], data: st.DataObject) -> None:
    headers = dict(sample["headers"])
    replaces_header = data.draw(st.booleans())
    if headers and replaces_header:
        headers[data.draw(st.sampled_from(sorted(headers)))] = data.draw(any_text)
    reads_cloudevents(headers, json.dumps(data.draw(changed(sample["body"]))).encode())


SAFE = st.characters(exclude_categories=["Cc", "Cs"])
ATTRIBUTES = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": st.text(SAFE, min_size=1, max_size=40),
        "source": st.text(SAFE, min_size=1, max_size=40),
        "type": st.sampled_from(["call.missed", "com.example.call.ended", "x-1.call.incoming"]),
        "subject": st.text("0123456789abcXYZ*#+._@-", min_size=1, max_size=64),
    },
    optional={"time": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)},
)


def header(value: str) -> str:
    """As the HTTP binding has it: percent-encoded where it is not plain, or would read as quoted or encoded."""
    allowed = frozenset(chr(code) for code in range(0x21, 0x7F)) - {'"', "%"}
    return "".join(char if char in allowed else "".join(f"%{byte:02X}" for byte in char.encode()) for char in value)


@given(ATTRIBUTES, any_json)
def test_structured_binary_and_a_batch_of_one_mean_the_same(attributes: dict[str, str], stranger: Any) -> None:
    body = {"call": {"id": "c-1", "x": stranger}, "caller": {"name": "Zoë"}, "stranger": stranger}
    structured = json.dumps({**attributes, "data": body}).encode()
    single = cloudevents.read({"content-type": "application/cloudevents+json"}, structured)
    batch = cloudevents.read({"content-type": "application/cloudevents-batch+json"}, b"[" + structured + b"]")
    headers = {f"ce-{name}": header(value) for name, value in attributes.items()}
    binary = cloudevents.read({"content-type": "application/json", **headers}, json.dumps(body).encode())
    assert single.items == batch.items == binary.items
    assert isinstance(single.items[0], PbxEvent)


@given(st.datetimes(min_value=datetime(1970, 1, 1)), st.timezones())  # noqa: DTZ001 - the zone is drawn too
def test_an_rfc_3339_time_is_the_instant_that_its_offset_says(local: datetime, zone: ZoneInfo) -> None:
    moment = local.replace(microsecond=0, tzinfo=zone)
    offset = moment.utcoffset()
    if offset is not None and offset.total_seconds() % 60 == 0:
        expected = min(max(int(moment.timestamp()) * 1000, 0), LATEST)
        assert abs(rfc3339_millis(moment.isoformat()) - expected) < 1000


HEADER_TEXT = st.text(st.characters(), max_size=60) | st.sampled_from([str(NOW // 1000), "v1,", "id"])


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "x-signature"]), HEADER_TEXT
    ),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=2),
    st.binary(max_size=40),
)
def test_any_headers_and_secrets_are_bad_proof(headers: dict[str, str], secrets: list[str], body: bytes) -> None:
    for check in (
        lambda: verify_standard_webhook([*secrets, SECRET], headers, body, NOW),
        lambda: verify_yeastar([*secrets, SECRET], headers, body),
    ):
        try:
            check()
        except BadProof:
            continue
        raise AssertionError("nothing was signed")


@given(st.binary(min_size=1, max_size=40), st.data())
def test_what_was_signed_is_proven_and_one_other_bit_is_not(body: bytes, data: st.DataObject) -> None:
    signed = {
        "webhook-id": "id-1",
        "webhook-timestamp": str(NOW // 1000),
        "webhook-signature": sign_standard_webhook(SECRET, "id-1", NOW // 1000, body),
        "x-signature": sign_yeastar(SECRET, body),
    }
    assert verify_standard_webhook([SECRET], signed, body, NOW) == "id-1"
    verify_yeastar([SECRET], signed, body)
    flipped = bytearray(body)
    flipped[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for check in (
        lambda: verify_standard_webhook([SECRET], signed, bytes(flipped), NOW),
        lambda: verify_yeastar([SECRET], signed, bytes(flipped)),
    ):
        try:
            check()
        except BadProof:
            continue
        raise AssertionError("another body was proven")
