"""Nothing is reachable but by its rule: every route, every method, every wrong proof, every way to write a path."""

import hmac
import json
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from yarl import URL

from gateway.domain.errors import BadProof
from gateway.settings import SourceKind
from gateway.web.access import HookSender, Open
from gateway.web.route import Route
from gateway.web.routes import ROUTES
from gateway.web.signed import GenericSources, Signed, by_source
from tests.support.web import Web, event, new_extension, stored, user_token, webhook_headers, yeastar_headers
from tests.support.web_settings import (
    ALL_KEY,
    GENERIC_SECRET,
    OTHER_JWT_KEY,
    OTHER_KEY,
)
from tests.unit.web.test_web_access import PROVEN, name_of, path_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD_SECRET = "whsec_b2xkLXNlY3JldC1vZi1hY21lLWdvaW5nLWF3YXk="
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
PATHS = {route.path: {other.method for other in ROUTES if other.path == route.path} for route in ROUTES}
OPEN_PATHS = {route.path for route in ROUTES if isinstance(route.access, Open)}

NO_PROOF = {
    "nothing": None,
    "an unknown key": "wrong-key-of-nobody",
    "an expired token": user_token("700", lifetime=-3600),
    "a token of another tenant": user_token("700", key=OTHER_JWT_KEY),
    "a token without an end": user_token("700", exp=None),
    "a token that is not yet good": user_token("700", nbf=4_000_000_000),
    "a token of nobody": user_token("700", sub=None),
    "a token without signature": user_token("700").rpartition(".")[0] + ".",
    "a token that says it needs none": "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3MDAiLCJleHAiOjQwMDAwMDAwMDB9.",
}
NO_RIGHT = {
    "a key of another tenant": OTHER_KEY,
    "a token of another extension": user_token("701"),
}


def paths_with_methods() -> Iterator[tuple[str, str]]:
    for path, known in PATHS.items():
        for method in METHODS:
            if method not in known and not (method == "HEAD" and "GET" in known):
                yield method, path


@pytest.mark.parametrize("token", NO_PROOF.values(), ids=NO_PROOF)
@pytest.mark.parametrize("route", PROVEN, ids=name_of)
async def test_what_proves_nothing_is_401_everywhere(web: Web, route: Route, token: str | None) -> None:
    methods = [route.method, "HEAD"] if route.method == "GET" else [route.method]
    for method in methods:
        reply = await web.ask(method, path_of(route), {} if route.body else None, key=token)
        assert reply.status == 401, method
        assert reply.raw == b"" if method == "HEAD" else reply.body["title"] == "Proof of identity required"


@pytest.mark.parametrize("token", NO_RIGHT.values(), ids=NO_RIGHT)
@pytest.mark.parametrize("route", PROVEN, ids=name_of)
async def test_a_good_proof_without_the_right_opens_nothing(web: Web, route: Route, token: str) -> None:
    methods = [route.method, "HEAD"] if route.method == "GET" else [route.method]
    for method in methods:
        reply = await web.ask(method, path_of(route), {} if route.body else None, key=token)
        wanted = {401, 403} if "tenant" not in route.path else {403}
        assert reply.status in wanted, method


@pytest.mark.parametrize(("method", "path"), list(paths_with_methods()), ids=lambda value: value)
@pytest.mark.parametrize("key", [None, ALL_KEY], ids=["without proof", "with a key"])
async def test_a_method_that_a_route_does_not_know_does_nothing(
    web: Web, method: str, path: str, key: str | None
) -> None:
    route = next(route for route in ROUTES if route.path == path)

    reply = await web.ask(method, path_of(route), key=key)

    assert reply.status == 405
    assert set(reply.headers["Allow"].split(",")) - {"HEAD"} == PATHS[path]


@pytest.mark.parametrize(
    "path",
    [
        "//v1/tenants/acme/events",
        "/v1//tenants/acme/events",
        "/v1/tenants/acme/events/",
        "/V1/tenants/acme/events",
        "/v1/tenants/acme/events;a=b",
        "/livez/../v1/tenants/acme/events",
        "/livez/%2e%2e/v1/tenants/acme/events",
        "/docs/%2e%2e/metrics",
        "/docs/..%2fmetrics",
        "/v1/tenants/acme%2fevents",
        "/v1/tenants/acme/extensions/701%2f..%2f700/inbox",
        "/v1/tenants/globex%2f..%2facme/events",
        "/livez%00/metrics",
    ],
)
@pytest.mark.parametrize("key", [None, OTHER_KEY, user_token("701")], ids=["nobody", "another tenant", "another user"])
async def test_no_way_of_writing_a_path_goes_round_the_gate(web: Web, path: str, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with web.client.session.get(
        URL(f"http://127.0.0.1:{web.client.port}{path}", encoded=True), headers=headers
    ) as reply:
        assert reply.status in (401, 403, 404)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Host"])
async def test_no_header_changes_where_a_request_goes(web: Web, header: str) -> None:
    reply = await web.ask("GET", "/livez", key=None, headers={header: "/metrics"})

    assert (reply.status, reply.body) == (200, {"status": "ok"})


@pytest.mark.parametrize("route", [route for route in PROVEN if "/events" not in route.path], ids=name_of)
async def test_a_pbx_signature_is_no_proof_but_for_events(web: Web, route: Route) -> None:
    if isinstance(route.access, HookSender):
        return
    body = b"{}"
    for headers in (webhook_headers(body), yeastar_headers(body)):
        reply = await web.ask(route.method, path_of(route), key=None, raw=body, headers=headers)
        assert reply.status == 401


BOTH = pytest.mark.parametrize("path", ["/hooks/crm", "/v1/tenants/acme/events"])


async def post(web: Web, path: str, document: Any, **more: Any) -> Any:
    body = json.dumps(document).encode()
    return await web.ask("POST", path, key=None, raw=body, headers=webhook_headers(body, **more))


@BOTH
@pytest.mark.parametrize("secret", [OLD_SECRET, GENERIC_SECRET], ids=["old", "new"])
async def test_both_secrets_are_good_while_one_replaces_the_other(web: Web, path: str, secret: str) -> None:
    assert (await post(web, path, event("call.missed", new_extension()), secret=secret)).status in (200, 202)


@BOTH
async def test_a_webhook_that_is_replayed_changes_nothing(web: Web, path: str) -> None:
    extension, message_id = new_extension(), f"msg_{new_extension()}"
    document = event("call.missed", extension)

    first = await post(web, path, document, message_id=message_id)
    again = [
        await post(web, path, document, message_id=message_id),
        await post(web, path, document, message_id=message_id, age_seconds=290),
        await post(web, path, document, message_id=message_id, secret=OLD_SECRET),
        await post(web, path, event("call.missed", extension), message_id=message_id),
        await post(web, "/hooks/crm", document, message_id=message_id),
        await post(web, "/v1/tenants/acme/events", document, message_id=message_id),
        await post(web, path, document),
    ]

    assert [reply.body for reply in again] == [{**first.body, "status": "duplicate"}] * len(again)
    assert len(await stored(web, extension)) == 1


@BOTH
@pytest.mark.parametrize("age", [301, 3600, -301])
async def test_a_webhook_from_another_time_is_refused_though_it_was_good_then(web: Web, path: str, age: int) -> None:
    extension, message_id = new_extension(), f"msg_{new_extension()}"
    document = event("call.missed", extension)
    assert (await post(web, path, document, message_id=message_id)).status in (200, 202)

    assert (await post(web, path, document, message_id=message_id, age_seconds=age)).status == 401


class Digests:
    """Counts HMACs and the bytes that went into them, while it is entered."""

    def __init__(self) -> None:
        self.of: list[int] = []

    def __enter__(self) -> "Digests":
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _called(self, frame: FrameType, what: str, _: object) -> None:
        if what == "call" and frame.f_code is hmac.digest.__code__:
            self.of.append(len(frame.f_locals["msg"]))


WRONG = {
    "standard": webhook_headers(b"{}", secret="whsec_" + "QUJD" * 8),
    "Yeastar": yeastar_headers(b"{}", secret="wrong"),
    "none": {},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
async def test_a_refused_hook_costs_the_same_for_every_source_and_for_none(web: Web, headers: dict[str, str]) -> None:
    settings = web.services.settings
    signed = Signed(headers={name.lower(): value for name, value in headers.items()}, body=b"{}", now=web.clock())
    work = {}
    for name in ("hq", "crm", "globex-crm", "nowhere"):
        with Digests() as digests, pytest.raises(BadProof):
            by_source(settings.source(name), signed)
        work[name] = digests.of

    assert len({tuple(sorted(sizes)) for sizes in work.values()}) == 1, work
    assert work["nowhere"]


async def test_a_refused_event_costs_the_same_for_every_tenant_and_for_none(web: Web) -> None:
    sources = GenericSources(web.services.settings)
    headers = {name.lower(): value for name, value in WRONG["standard"].items()}
    signed = Signed(headers=headers | {"webhook-signature": "v1,AAAA"}, body=b"{}", now=web.clock())
    work = set()
    for tenant in ("acme", "globex", "nowhere"):
        with Digests() as digests, pytest.raises(BadProof):
            sources.proven(tenant, signed)
        work.add(len(digests.of))

    assert len(work) == 1


async def test_a_source_is_proven_by_its_own_kind_of_signature_only(web: Web) -> None:
    found = web.services.settings.source("hq")
    assert found is not None
    assert found[1].kind is SourceKind.YEASTAR
    body = b"{}"
    good = {name.lower(): value for name, value in yeastar_headers(body).items()}
    assert by_source(found, Signed(headers=good, body=body, now=web.clock())).name == "hq"
    standard = webhook_headers(body, secret="whsec_" + "QUJD" * 8)
    with pytest.raises(BadProof):
        by_source(found, Signed(headers={n.lower(): v for n, v in standard.items()}, body=body, now=web.clock()))
