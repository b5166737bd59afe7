"""Every Yeastar sample file is read as it says it should be."""

import dataclasses
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.errors import InvalidInput, MalformedInput
from gateway.domain.event import PbxEvent
from gateway.ingress import yeastar

SAMPLES = sorted((Path(__file__).parents[2] / "samples" / "yeastar").glob("*.json"), key=lambda path: path.name)
EVENT_IDS = {30007, 30008, 30009, 30011, 30012, 30014, 30016, 30022, 30025, 30026, 30029, 30039}
BERLIN = ZoneInfo("Europe/Berlin")


def sample(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def as_document(event: PbxEvent) -> dict[str, Any]:
    """The event as a sample writes it: without what is empty, and without defaults."""

    def present(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if value is not None and value is not False and value != ""}

    document = dataclasses.asdict(event, dict_factory=present)
    return {key: part for key, part in document.items() if part != {} or key == "voicemail"}


def read(document: dict[str, Any]) -> tuple[PbxEvent, ...]:
    zone = ZoneInfo(document.get("timezone", "Europe/Berlin"))
    return yeastar.read(json.dumps(document["body"]).encode(), timezone=zone)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_it_says(path: Path) -> None:
    document = sample(path)
    if "error" not in document:
        assert [as_document(event) for event in read(document)] == document["expected"]
        return
    with pytest.raises((InvalidInput, MalformedInput)) as caught:
        read(document)
    assert isinstance(caught.value, InvalidInput | MalformedInput)
    assert [problem.loc for problem in caught.value.problems] == document["error"]


def test_there_is_a_sample_of_every_event_that_is_read() -> None:
    assert {int(path.name[:5]) for path in SAMPLES if path.name[0] == "3"} >= EVENT_IDS


def test_both_forms_of_msg_mean_the_same() -> None:
    message = {"extension": "2005", "status": "away"}
    as_object = {"body": {"type": 30009, "msg": message}}
    as_string = {"body": {"type": 30009, "msg": json.dumps(message)}}
    assert read(as_object) == read(as_string)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_repeat_has_the_identity_of_the_first(path: Path) -> None:
    document = sample(path)
    if "error" not in document:
        assert [event.identity for event in read(document)] == [event.identity for event in read(document)]


def missed(**changes: object) -> PbxEvent:
    message = {
        "call_id": "1713151497.32",
        "call_from": "5550100",
        "call_to": "2002",
        "status": "NO ANSWER",
        "type": "Inbound",
        "uid": "U1",
    }
    (event,) = read({"body": {"type": 30012, "sn": "S1", "msg": {**message, **changes}}})
    return event


@pytest.mark.parametrize(
    "changes", [{"uid": "U2"}, {"call_id": "2"}, {"call_to": "2003"}, {"status": "BUSY"}, {"status": "VOICEMAIL"}]
)
def test_another_record_has_another_identity(changes: dict[str, object]) -> None:
    assert missed(**changes).identity != missed().identity


def test_the_missed_calls_of_30025_are_the_facts_of_30026() -> None:
    call = {"caller_number": "5550100", "call_id": "1"}
    (timeout,) = read({"body": {"type": 30026, "msg": {**call, "queue_number": "6402", "agent_number": "2002"}}})
    (pause,) = read({"body": {"type": 30025, "msg": {"queue_number": "6402", "agent_number": "2002", "calls": [call]}}})
    assert timeout.fact == pause.fact
    assert timeout.identity != pause.identity


def test_30011_and_30016_tell_one_fact() -> None:
    inbound = {"from": "5550100", "to": "2002", "member_status": "ALERT"}
    members = [{"inbound": inbound}, {"extension": {"number": "2002", "member_status": "RING"}}]
    message = {"call_id": "1", "members": members}
    (rings,) = read({"body": {"type": 30011, "msg": message}})
    (asks,) = read({"body": {"type": 30016, "msg": message}})
    assert rings.fact == asks.fact


def test_a_duplicate_key_in_a_string_msg_is_named() -> None:
    body = json.dumps({"type": 30009, "msg": '{"extension": "1", "status": "away", "status": "available"}'}).encode()
    with pytest.raises(MalformedInput, match=r"^msg\.status: "):
        yeastar.read(body, timezone=BERLIN)
