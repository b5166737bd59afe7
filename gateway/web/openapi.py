"""The OpenAPI 3.1 document, made from the route table and from the models that validate."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from gateway import __version__
from gateway.web.access import (
    Access,
    Admin,
    EventSender,
    HookSender,
    OfTenant,
    Open,
    Operations,
)
from gateway.web.models import ProblemAnswer
from gateway.web.problems import CONTENT_TYPE
from gateway.web.requests import DEVICE_ID, EVENT_ID, EXTENSION, PUSH_ID
from gateway.web.route import JSON, Answer, Route
from gateway.web.routes import ROUTES

JsonObject: TypeAlias = dict[str, Any]
Mode: TypeAlias = Literal["validation", "serialization"]

_REFERENCE = "#/components/schemas/{model}"

_PARAMETERS = {
    "tenant": "Id of the tenant.",
    "extension": "The extension's number.",
    "device_id": "The app's own name for this installation: 1 to 128 of letters, digits, `.`, `_`, `:`, `-`.",
    "status": "One of the six presence statuses, or one that the tenant declared.",
    "event_id": "As the answer to the event named it.",
    "push_id": "UUID of the push.",
    "source": "Name of the source.",
}

_PATTERNS: dict[str, JsonObject] = {
    "extension": {"pattern": EXTENSION.pattern},
    "device_id": {"pattern": f"^{DEVICE_ID.pattern}$"},
    "event_id": {"pattern": f"^{EVENT_ID.pattern}$"},
    "push_id": {"pattern": f"^{PUSH_ID.pattern}$"},
}

_SECURITY_SCHEMES: JsonObject = {
    "tenantKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "API key of a server of the tenant, limited by its scopes: `events`, `devices`, `presence`, "
        "`read`.",
    },
    "userToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Token of the mobile app's user: `sub` is the extension, `exp` is required. May touch that "
        "extension only.",
    },
    "adminKey": {"type": "http", "scheme": "bearer", "description": "Key of operations: everything, all tenants."},
    "standardWebhooks": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and `webhook-signature` "
        "(`v1,` and HMAC-SHA256 in base64) with the secret of the source.",
    },
    "yeastarSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Signature",
        "description": "Yeastar P-Series: base64 of HMAC-SHA256 over the body, with the webhook's secret.",
    },
}

_PROBLEMS = {
    400: "The body is not what it claims to be: not JSON, not UTF-8, a duplicate key, too deeply nested.",
    401: "No proof of identity, or a wrong one. The same whether or not the tenant, source or extension exists.",
    403: "A good proof without the right. The same whether or not the tenant or extension exists.",
    404: "It is not there.",
    409: "Not possible in the present state.",
    413: "The body is over `server.max_body_bytes`, or the batch over 500 events.",
    422: "The input is invalid; `errors` names each place.",
    429: "The caller asks too often (`server.rate_limit_per_second` and its kin). Repeat after `Retry-After` seconds.",
    503: "The store is not available, or has no room. Repeat after `Retry-After` seconds.",
}

_ABOUT = """The push gateway between a telephone system and its sleeping mobile apps: events in, a decision with its
reason by each user's presence, push notifications out.

Every answer carries `X-Request-Id`, the caller's own when it sent one. Times are RFC 3339 in UTC. Errors are
`application/problem+json` (RFC 9457). Unknown fields in requests are refused (422); in events they are ignored."""


def openapi_document(routes: Sequence[Route] = ROUTES) -> JsonObject:
    """The document as JSON. The same for every configuration."""
    schemas = _Schemas(routes)
    paths: dict[str, JsonObject] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "PBX push gateway",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": section} for section in dict.fromkeys(str(route.section) for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "responses": {f"Problem{status}": _problem(status, schemas) for status in _PROBLEMS},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


class _Schemas:
    """Schemas of all bodies of the table, generated together so that they share their definitions."""

    def __init__(self, routes: Sequence[Route]) -> None:
        kinds = {(name, mode): kind for name, mode, kind in _named_types(routes)}
        inputs = [(name, mode, TypeAdapter(kind)) for (name, mode), kind in kinds.items()]
        self._by_key, whole = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
        self.definitions: JsonObject = dict(sorted(whole.get("$defs", {}).items()))

    def of(self, kind: Any, mode: Mode) -> JsonObject:
        """The schema of a type."""
        return self._by_key[repr(kind), mode]


def _named_types(routes: Sequence[Route]) -> Iterator[tuple[str, Mode, Any]]:
    yield repr(ProblemAnswer), "serialization", ProblemAnswer
    for route in routes:
        for kind in route.body.values():
            yield repr(kind), "validation", kind
        if route.query is not None:
            yield repr(route.query), "validation", route.query
        for answer in route.answers.values():
            if answer.model is not None:
                yield repr(answer.model), "serialization", answer.model


def _operation(route: Route, schemas: _Schemas) -> JsonObject:
    operation: JsonObject = {
        "operationId": route.name,
        "tags": [str(route.section)],
        "summary": route.summary,
        "security": _security(route.access),
        "parameters": [*_path_parameters(route), *_query_parameters(route, schemas)],
        "responses": _responses(route, schemas),
    }
    if route.description:
        operation["description"] = route.description
    if route.body:
        content = {media: {"schema": schemas.of(kind, "validation")} for media, kind in route.body.items()}
        content[next(iter(route.body))]["example"] = route.example
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _security(access: Access) -> list[dict[str, list[str]]]:
    admin: dict[str, list[str]] = {"adminKey": []}
    match access:
        case Open():
            return []
        case Operations():
            return [{}, admin]
        case Admin():
            return [admin]
        case HookSender():
            return [{"standardWebhooks": []}, {"yeastarSignature": []}, {"tenantKey": ["events"]}, admin]
        case EventSender():
            return [{"standardWebhooks": []}, {"tenantKey": ["events"]}, admin]
        case OfTenant():
            app: list[dict[str, list[str]]] = [{"userToken": []}] if access.app else []
            return [{"tenantKey": sorted(scope.value for scope in access.scopes)}, *app, admin]


def _path_parameters(route: Route) -> Iterator[JsonObject]:
    for name in re.findall(r"\{(\w+)\}", route.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1} | _PATTERNS.get(name, {}),
        }


def _query_parameters(route: Route, schemas: _Schemas) -> Iterator[JsonObject]:
    if route.query is None:
        return
    schema = schemas.of(route.query, "validation")
    if "$ref" in schema:
        schema = schemas.definitions[schema["$ref"].rpartition("/")[2]]
    for name, one in schema.get("properties", {}).items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": one}


def _responses(route: Route, schemas: _Schemas) -> JsonObject:
    responses = {str(status): _response(answer, schemas) for status, answer in route.answers.items()}
    for status in _problem_statuses(route):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    return dict(sorted(responses.items()))


def _response(answer: Answer, schemas: _Schemas) -> JsonObject:
    response: JsonObject = {"description": answer.means, "headers": {"X-Request-Id": {"schema": {"type": "string"}}}}
    if answer.model is not None:
        response["content"] = {answer.media: {"schema": schemas.of(answer.model, "serialization")}}
    elif answer.media != JSON:
        response["content"] = {answer.media: {"schema": {"type": "string"}}}
    return response


def _problem_statuses(route: Route) -> Iterator[int]:
    if not isinstance(route.access, Open):
        yield from (401, 403, 429)
    if route.body:
        yield from (400, 413, 422)
    if route.query is not None or re.search(r"\{(extension|event_id|push_id)\}", route.path):
        yield 422
    if route.may_be_missing:
        yield 404
    if route.may_conflict:
        yield 409
    if "{" in route.path or isinstance(route.access, Admin):
        yield 503


def _problem(status: int, schemas: _Schemas) -> JsonObject:
    response: JsonObject = {
        "description": _PROBLEMS[status],
        "content": {CONTENT_TYPE: {"schema": schemas.of(ProblemAnswer, "serialization")}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return response
