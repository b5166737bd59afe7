"""The OpenAPI document: complete, without loose ends, and its examples work."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from gateway.domain.event import EventKind
from gateway.domain.presence import StatusSettings, parse_settings
from gateway.ingress import cloudevents, yeastar
from gateway.web import examples
from gateway.web.access import Admin, OfTenant, Open
from gateway.web.docs_page import page
from gateway.web.models import rfc3339
from gateway.web.openapi import openapi_document
from gateway.web.route import Route
from gateway.web.routes import ROUTES
from tests.support.web import Web
from tests.unit.web.test_web_access import name_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCUMENT = openapi_document()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    value: Any = DOCUMENT
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        value = value[part]
    return value


async def test_it_is_openapi_3_1_with_everything_that_requires() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


async def test_every_reference_resolves_and_every_schema_is_used() -> None:
    found = set(references(DOCUMENT))

    assert all(resolved(reference) for reference in found)
    used = {reference.rpartition("/")[2] for reference in found if "/schemas/" in reference}
    flattened = {"EventQuery", "InboxQuery", "CallPlanQuery", "DeadLetterQuery"}
    assert set(DOCUMENT["components"]["schemas"]) - used - flattened == set()


async def test_every_route_is_in_the_document_and_nothing_else() -> None:
    written = {(route.path, route.method.lower()) for route in ROUTES}

    assert {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods} == written


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_every_operation_says_what_it_does_who_may_and_what_comes_back(route: Route) -> None:
    operation = OPERATIONS[route.name]

    assert operation["summary"]
    assert bool(operation["security"]) is not isinstance(route.access, Open)
    assert all(response.get("description") or response.get("$ref") for response in operation["responses"].values())
    in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", route.path))
    if not isinstance(route.access, Open):
        assert {"401", "403"} <= set(operation["responses"])
    if route.body:
        assert {"400", "413", "422"} <= set(operation["responses"])
        assert "example" in next(iter(operation["requestBody"]["content"].values()))


async def test_scopes_and_user_tokens_are_written_where_they_hold() -> None:
    for route in ROUTES:
        proofs = {name: scopes for one in OPERATIONS[route.name]["security"] for name, scopes in one.items()}
        if isinstance(route.access, OfTenant):
            assert set(proofs["tenantKey"]) == set(route.access.scopes)
            assert ("userToken" in proofs) is route.access.app
        if isinstance(route.access, Admin):
            assert proofs == {"adminKey": []}
        assert set(proofs) <= set(DOCUMENT["components"]["securitySchemes"])


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=name_of)
async def test_every_example_is_taken_by_what_reads_it(route: Route) -> None:
    TypeAdapter(next(iter(route.body.values()))).validate_python(route.example)


async def test_the_example_of_an_event_is_an_event() -> None:
    headers = {"content-type": "application/cloudevents+json"}
    (event,) = cloudevents.read(headers, json.dumps(examples.MISSED_CALL).encode()).items
    (webhook,) = yeastar.read(json.dumps(examples.YEASTAR_MISSED_CALL).encode(), timezone=ZoneInfo("Europe/Berlin"))

    assert getattr(event, "kind", None) is EventKind.CALL_MISSED
    assert (webhook.kind, webhook.extension) == (EventKind.CALL_MISSED, "1001")


async def test_the_examples_of_settings_are_settings() -> None:
    for body in (examples.SETTINGS, examples.SETTINGS_PATCH):
        assert isinstance(parse_settings("away", body, extension="1001", mobile_number=None), StatusSettings)


async def test_it_is_served_as_it_is_made(web: Web) -> None:
    reply = await web.ask("GET", "/openapi.json", key=None)

    assert (reply.status, reply.body) == (200, DOCUMENT)


async def test_the_page_shows_every_operation_and_every_schema(web: Web) -> None:
    reply = await web.ask("GET", "/docs", key=None)
    text = reply.raw.decode()

    assert reply.headers["Content-Type"].startswith("text/html")
    assert all(f'id="{route.name}"' in text for route in ROUTES)
    assert all(f'id="schema-{name}"' in text for name in DOCUMENT["components"]["schemas"])
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links <= set(re.findall(r'id="([^"]+)"', text))


async def test_the_page_needs_nothing_from_anywhere_and_runs_nothing(web: Web) -> None:
    reply = await web.ask("GET", "/docs", key=None)
    text, policy = reply.raw.decode(), reply.headers["Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "<script" not in text
    assert re.findall(r'(?:src|href)="(?!#|/openapi\.json)', text) == []
    assert "style=" not in text


async def test_what_the_document_holds_is_escaped_on_the_page() -> None:
    hostile = json.loads(json.dumps(DOCUMENT))
    hostile["info"]["title"] = "<script>alert(1)</script>"
    hostile["paths"]["/livez"]["get"]["summary"] = "<img src=x>"

    text = page(hostile)

    assert "<script>" not in text
    assert "<img" not in text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_341_600_007, "2026-11-22T10:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
async def test_times_are_rfc_3339_in_utc(at: int, text: str) -> None:
    assert rfc3339(at) == text
