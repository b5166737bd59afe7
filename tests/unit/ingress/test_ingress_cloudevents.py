"""Every CloudEvents sample file is read as it says it should be."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.errors import InvalidInput, MalformedInput, TooLarge
from gateway.domain.event import Call, EventKind, PbxEvent
from gateway.ingress import cloudevents
from gateway.ingress.cloudevents_models import CloudEventBody, EventData

SAMPLES = sorted((Path(__file__).parents[2] / "samples" / "cloudevents").glob("*.json"), key=lambda path: path.name)
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def as_document(item: PbxEvent | InvalidInput) -> dict[str, Any]:
    """The item as a sample writes it: an event without what is empty, or the places of its problems."""
    if isinstance(item, InvalidInput):
        return {"error": [problem.loc for problem in item.problems]}

    def present(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if value is not None and value is not False and value != ""}

    document = dataclasses.asdict(item, dict_factory=present)
    return {key: part for key, part in document.items() if part != {} or key == "voicemail"}


def event(**changes: object) -> dict[str, object]:
    attributes = {"specversion": "1.0", "type": "call.missed", "source": "/acme", "id": "1", "subject": "1001"}
    return {**attributes, "data": {"call": {"id": "c-1"}}, **changes}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_it_says(path: Path) -> None:
    document = json.loads(path.read_text("utf-8"))
    body = document["body"] if isinstance(document["body"], str) else json.dumps(document["body"])
    if "error" not in document:
        items = cloudevents.read(document["headers"], body.encode()).items
        assert [as_document(item) for item in items] == document["expected"]
        return
    with pytest.raises((InvalidInput, MalformedInput)) as caught:
        cloudevents.read(document["headers"], body.encode())
    assert isinstance(caught.value, InvalidInput | MalformedInput)
    assert [problem.loc for problem in caught.value.problems] == document["error"]


def test_there_is_a_sample_of_every_kind() -> None:
    stems = {path.stem for path in SAMPLES}
    assert stems >= {f"structured-{kind.replace('.', '-')}" for kind in EventKind}


def test_a_batch_holds_up_to_five_hundred_events() -> None:
    body = json.dumps([event(id=str(number)) for number in range(cloudevents.MAX_BATCH)]).encode()
    read = cloudevents.read(BATCH, body)
    assert read.batch
    assert len(read.items) == cloudevents.MAX_BATCH


def test_a_batch_of_more_is_too_large() -> None:
    with pytest.raises(TooLarge):
        cloudevents.read(BATCH, json.dumps([5] * (cloudevents.MAX_BATCH + 1)).encode())


def test_a_single_event_is_no_batch() -> None:
    assert not cloudevents.read(STRUCTURED, json.dumps(event()).encode()).batch


def test_source_and_id_make_the_identity_and_nothing_else_does() -> None:
    def identity(**changes: object) -> str | None:
        (item,) = cloudevents.read(STRUCTURED, json.dumps(event(**changes)).encode()).items
        assert isinstance(item, PbxEvent)
        return item.identity

    assert identity() == identity(subject="1002", time="2026-11-22T10:00:00Z", type="call.ended")
    assert len({identity(), identity(id="2"), identity(source="/other"), identity(source="/acm", id="e1")}) == 4


def test_a_header_in_another_encoding_is_refused() -> None:
    headers = {"ce-id": b"\xe4".decode(errors="surrogateescape"), "ce-specversion": "1.0"}
    with pytest.raises(InvalidInput, match="header ce-id: not valid UTF-8"):
        cloudevents.read(headers, b"{}")


def test_a_problem_never_repeats_the_callers_number() -> None:
    body = json.dumps(event(data={"call": {}, "caller": {"number": "+4915112345678" * 5}})).encode()
    with pytest.raises(InvalidInput) as caught:
        cloudevents.read(STRUCTURED, body)
    assert "15112345678" not in str(caught.value)


def test_a_previewed_event_has_no_identity() -> None:
    previewed = cloudevents.preview_event("com.example.call.missed", "1001", {"call": {"id": "c-1"}}, 5)
    assert previewed == PbxEvent(
        kind=EventKind.CALL_MISSED, extension="1001", identity=None, occurred_at=5, call=Call(id="c-1")
    )


@pytest.mark.parametrize(
    ("kind", "extension", "data", "place"),
    [
        ("call.lost", "1001", {}, "type"),
        ("call.missed", "Alice Smith", {}, "subject"),
        ("call.missed", "1001\n", {}, "subject"),
        ("call.missed", "1001", None, "data.call.id"),
        ("call.missed", "1001", [], "data"),
        ("presence.changed", "1001", {"presence": {"status": 5}}, "data.presence.status"),
    ],
)
def test_a_preview_of_what_is_no_event_is_refused(kind: str, extension: str, data: Any, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cloudevents.preview_event(kind, extension, data, None)
    assert [problem.loc for problem in caught.value.problems] == [place]


def test_the_document_of_an_event_says_what_a_sender_may_write() -> None:
    schema = CloudEventBody.model_json_schema()
    assert schema["required"] == ["specversion", "id", "source", "type", "subject"]
    assert schema["properties"]["time"]["anyOf"][0] == {"format": "date-time", "type": "string"}
    assert "call\\.missed" in schema["properties"]["type"]["pattern"]
    assert set(EventData.model_json_schema()["properties"]) == {
        "call",
        "caller",
        "outcome",
        "voicemail",
        "mailbox",
        "presence",
    }
