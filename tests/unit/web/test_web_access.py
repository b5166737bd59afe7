"""Who may call: every route of the table, with every kind of wrong proof."""

import re
from collections.abc import Iterator

import pytest

from gateway.settings import Scope
from gateway.web.access import Admin, EventSender, HookSender, OfTenant, Open, Operations
from gateway.web.route import Route
from gateway.web.routes import ROUTES
from tests.support.web import Reply, Web, new_extension, user_token
from tests.support.web_settings import ADMIN_KEY, ALL_KEY, JWT_KEY, OTHER_JWT_KEY, OTHER_KEY, SCOPE_KEYS

pytestmark = pytest.mark.asyncio(loop_scope="session")

_VALUES = {
    "tenant": "acme",
    "source": "crm",
    "extension": "700",
    "device_id": "iphone",
    "status": "away",
    "event_id": "01KAXB7Q0R7M3V2N5T8C9D4E6F",
    "push_id": "6f1c0d0e-5b1d-5a43-9d0c-0b8f6c1f7a52",
}

PROVEN = [route for route in ROUTES if not isinstance(route.access, Open)]
OF_TENANT = [route for route in ROUTES if isinstance(route.access, OfTenant | EventSender)]
FOR_APPS = [route for route in ROUTES if isinstance(route.access, OfTenant) and route.access.app]
NOT_FOR_APPS = [route for route in OF_TENANT if route not in FOR_APPS]
FOR_ADMINS = [route for route in ROUTES if isinstance(route.access, Admin | Operations)]


def name_of(route: Route) -> str:
    return route.name


def path_of(route: Route, **values: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: {**_VALUES, **values}[found[1]], route.path)


async def ask(web: Web, route: Route, key: str | None, **values: str) -> Reply:
    return await web.ask(route.method, path_of(route, **values), {} if route.body else None, key=key)


def scopes_of(route: Route) -> frozenset[Scope]:
    return route.access.scopes if isinstance(route.access, OfTenant) else frozenset({Scope.EVENTS})


def insufficient_keys() -> Iterator[tuple[Route, str]]:
    for route in OF_TENANT:
        for scope, key in SCOPE_KEYS.items():
            if not scopes_of(route) <= {Scope(scope)}:
                yield route, key


@pytest.mark.parametrize("route", PROVEN, ids=name_of)
async def test_without_proof_nothing_is_reachable(web: Web, route: Route) -> None:
    reply = await ask(web, route, None)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "key",
    ["", "wrong-key-of-nobody", ALL_KEY[:-1], ALL_KEY + "x", ALL_KEY.upper(), "ключ", "a.b.c", "a b"],
)
@pytest.mark.parametrize("route", PROVEN, ids=name_of)
async def test_a_wrong_key_proves_nothing(web: Web, route: Route, key: str) -> None:
    assert (await ask(web, route, key)).status == 401


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "bearers", ""])
async def test_a_good_key_under_another_scheme_proves_nothing(web: Web, scheme: str) -> None:
    reply = await web.ask("GET", "/v1/tenants/acme/events", key=None, headers={"Authorization": f"{scheme} {ALL_KEY}"})

    assert reply.status == 401


async def test_the_scheme_may_be_written_in_any_case(web: Web) -> None:
    headers = {"Authorization": f"bEARER   {ALL_KEY}"}

    assert (await web.ask("GET", "/v1/tenants/acme/events", key=None, headers=headers)).status == 200


@pytest.mark.parametrize("route", OF_TENANT, ids=name_of)
async def test_a_key_of_another_tenant_is_a_good_proof_without_the_right(web: Web, route: Route) -> None:
    assert (await ask(web, route, OTHER_KEY)).status == 403


@pytest.mark.parametrize(("route", "key"), list(insufficient_keys()), ids=lambda value: getattr(value, "name", value))
async def test_a_key_without_the_scope_is_not_allowed(web: Web, route: Route, key: str) -> None:
    assert (await ask(web, route, key)).status == 403


@pytest.mark.parametrize("route", FOR_ADMINS, ids=name_of)
async def test_what_is_for_operations_is_for_no_tenant(web: Web, route: Route) -> None:
    assert (await ask(web, route, ALL_KEY)).status == 403
    assert (await ask(web, route, user_token("700"))).status == 401


@pytest.mark.parametrize("route", PROVEN, ids=name_of)
async def test_an_admin_may_do_everything(web: Web, route: Route) -> None:
    reply = await ask(web, route, ADMIN_KEY, extension=new_extension())

    assert reply.status not in (401, 403)


@pytest.mark.parametrize("route", OF_TENANT, ids=name_of)
async def test_a_key_with_the_scopes_may(web: Web, route: Route) -> None:
    key = next((SCOPE_KEYS[scope] for scope in scopes_of(route)), "") if len(scopes_of(route)) == 1 else ALL_KEY

    assert (await ask(web, route, key, extension=new_extension())).status not in (401, 403)


@pytest.mark.parametrize("route", FOR_APPS, ids=name_of)
async def test_an_app_may_touch_its_own_extension(web: Web, route: Route) -> None:
    extension = new_extension()

    assert (await ask(web, route, user_token(extension), extension=extension)).status not in (401, 403)


@pytest.mark.parametrize("route", FOR_APPS, ids=name_of)
async def test_an_app_may_not_touch_another_extension(web: Web, route: Route) -> None:
    assert (await ask(web, route, user_token("701"))).status == 403


@pytest.mark.parametrize("route", NOT_FOR_APPS, ids=name_of)
async def test_an_app_may_not_do_what_is_not_for_apps(web: Web, route: Route) -> None:
    assert (await ask(web, route, user_token("700"))).status == 403


@pytest.mark.parametrize(
    "token",
    [
        user_token("700", lifetime=-120),
        user_token("700", key=OTHER_JWT_KEY),
        user_token("700", exp=None),
        user_token("700", sub=None),
        user_token(""),
    ],
    ids=["expired", "of another tenant", "without exp", "without sub", "of nobody"],
)
@pytest.mark.parametrize("route", FOR_APPS, ids=name_of)
async def test_a_wrong_user_token_proves_nothing(web: Web, route: Route, token: str) -> None:
    assert (await ask(web, route, token)).status == 401


WRONG_PROOFS = {
    "none": None,
    "wrong key": "wrong-key-of-nobody",
    "key of another tenant": OTHER_KEY,
    "user token of nowhere": user_token("700", key=JWT_KEY + "x"),
    "user token of another tenant": user_token("700", key=OTHER_JWT_KEY),
}


@pytest.mark.parametrize("key", WRONG_PROOFS.values(), ids=WRONG_PROOFS)
@pytest.mark.parametrize("route", OF_TENANT, ids=name_of)
async def test_a_refusal_does_not_tell_whether_the_tenant_exists(web: Web, route: Route, key: str | None) -> None:
    there = await ask(web, route, key)
    nowhere = await ask(web, route, key, tenant="nowhere")

    assert (there.status, there.raw) == (nowhere.status, nowhere.raw)
    assert telling(there) == telling(nowhere)


@pytest.mark.parametrize("route", [route for route in FOR_APPS if "{extension}" in route.path], ids=name_of)
async def test_a_refusal_does_not_tell_whether_the_extension_exists(web: Web, route: Route) -> None:
    known = new_extension()
    assert (await web.register(known)).status == 201

    there = await ask(web, route, user_token("701"), extension=known)
    nowhere = await ask(web, route, user_token("701"), extension="no-such-extension")

    assert (there.status, there.raw) == (403, nowhere.raw)


@pytest.mark.parametrize("key", [None, "wrong-key-of-nobody", OTHER_KEY], ids=["none", "wrong", "another tenant's"])
@pytest.mark.parametrize("source", ["hq", "crm"])
async def test_a_refused_hook_does_not_tell_whether_the_source_exists(web: Web, source: str, key: str | None) -> None:
    there = await web.ask("POST", f"/hooks/{source}", {}, key=key)
    nowhere = await web.ask("POST", "/hooks/nowhere", {}, key=key)

    assert (there.status, there.raw) == (401, nowhere.raw)
    assert telling(there) == telling(nowhere)


async def test_a_hook_takes_a_key_of_its_tenant_only_with_the_scope_events(web: Web) -> None:
    assert (await web.ask("POST", "/hooks/crm", {}, key=SCOPE_KEYS["read"])).status == 403
    assert (await web.ask("POST", "/hooks/hq", {"type": 1, "msg": {}}, key=SCOPE_KEYS["events"])).status == 200


async def test_an_unknown_tenant_is_not_found_for_an_admin(web: Web) -> None:
    assert (await web.ask("GET", "/v1/tenants/nowhere/events", key=ADMIN_KEY)).status == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json"])
async def test_these_are_open_to_everyone(web: Web, path: str) -> None:
    assert (await web.ask("GET", path, key=None)).status == 200


async def test_nothing_else_is_open() -> None:
    opened = {route.path for route in ROUTES if isinstance(route.access, Open)}

    assert opened == {"/livez", "/readyz", "/docs", "/openapi.json"}
    assert {route.path for route in ROUTES if isinstance(route.access, HookSender)} == {"/hooks/{source}"}


@pytest.mark.parametrize("path", ["/metrics", "/health"])
@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (None, 401),
        ("192.0.2.7", 200),
        ("198.51.100.1, 192.0.2.7", 200),
        ("192.0.2.7, 198.51.100.1", 401),
        ("192.0.2.7, 127.0.0.1", 200),
        ("::ffff:192.0.2.7", 200),
        ("not an address", 401),
        ("2001:db8::1", 401),
    ],
)
async def test_the_network_opens_metrics_and_health(web: Web, path: str, forwarded: str | None, status: int) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}

    assert (await web.ask("GET", path, key=None, headers=headers)).status == status


def telling(reply: Reply) -> dict[str, str]:
    """The headers but those that are new in every answer."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return {name: value for name, value in headers.items() if name not in {"date", "x-request-id"}}
