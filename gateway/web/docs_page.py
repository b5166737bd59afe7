"""The OpenAPI document, and the same as a page to read. Needs nothing from the internet, and no script."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any

import orjson
from aiohttp import web

from gateway.web.keys import DOCUMENT

_STYLE = """
:root { color-scheme: light dark; --edge: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav ul { columns: 2; padding-left: 1rem; } nav li { break-inside: avoid; }
section { border: 1px solid var(--edge); border-radius: .5rem; padding: 0 1rem; margin: 1rem 0; }
h3 { font-size: 1rem; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4rem; font-weight: 700; }
code, pre { font: .875rem/1.4 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid var(--edge); }
"""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


async def get_openapi(request: web.Request) -> web.Response:
    """`GET /openapi.json`."""
    return web.Response(body=orjson.dumps(request.app[DOCUMENT]), content_type="application/json")


async def get_docs(request: web.Request) -> web.Response:
    """`GET /docs`."""
    return web.Response(
        text=page(request.app[DOCUMENT]),
        content_type="text/html",
        headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"},
    )


def page(document: dict[str, Any]) -> str:
    """The document as HTML."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        *(f"<p>{_text(paragraph)}</p>" for paragraph in info["description"].split("\n\n")),
        '<p>For machines: <a href="/openapi.json">openapi.json</a></p><nav><ul>',
        *(f'<li><a href="#{escape(tag["name"])}">{escape(tag["name"])}</a></li>' for tag in document["tags"]),
        '<li><a href="#schemas">Schemas</a></li></ul></nav>',
        *_proofs(document),
        *(part for tag in document["tags"] for part in _chapter(document, tag["name"])),
        '<h2 id="schemas">Schemas</h2>',
        *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
        "</body></html>",
    ]
    return "\n".join(parts)


def _proofs(document: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Who may call</h2><table>"
    for name, scheme in document["components"]["securitySchemes"].items():
        yield f"<tr><th>{escape(name)}</th><td>{_text(scheme['description'])}</td></tr>"
    yield "</table>"


def _chapter(document: dict[str, Any], tag: str) -> Iterator[str]:
    yield f'<h2 id="{escape(tag)}">{escape(tag)}</h2>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield from _operation(document, path, method, operation)


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{escape(operation["operationId"])}">'
    yield f'<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>'
    yield f"<p>{_text(operation['summary'])}</p>"
    if "description" in operation:
        yield f"<p>{_text(operation['description'])}</p>"
    yield f"<p>Proof: {_security(operation['security'])}</p>"
    queries = [one for one in operation["parameters"] if one["in"] == "query"]
    if queries:
        yield f"<p>Query: {_text(', '.join('`' + one['name'] + '`' for one in queries))}</p>"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body: <code>{escape(media)}</code> {_link(content['schema'])}</p>"
        if "example" in content:
            yield _json(content["example"])
    yield "<table>"
    for status, response in operation["responses"].items():
        yield _response(document, status, response)
    yield "</table></section>"


def _response(document: dict[str, Any], status: str, response: dict[str, Any]) -> str:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    links = " ".join(_link(content["schema"]) for content in response.get("content", {}).values())
    return f"<tr><th>{status}</th><td>{_text(response['description'])} {links}</td></tr>"


def _security(security: list[dict[str, list[str]]]) -> str:
    if not security:
        return "none needed"
    return " or ".join(_requirement(one) for one in security)


def _requirement(requirement: dict[str, list[str]]) -> str:
    if not requirement:
        return "an address within <code>server.open_to</code>"
    named = (f"<code>{escape(name)}</code>" + _scopes(scopes) for name, scopes in requirement.items())
    return " and ".join(named)


def _scopes(scopes: list[str]) -> str:
    return f" ({escape(' + '.join(scopes))})" if scopes else ""


def _link(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(_link(one) for one in schema[word])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_link(schema['items'])}"
    return escape(str(schema.get("type", "")))


def _schema(name: str, schema: dict[str, Any]) -> str:
    shown = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    heading = f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
    return f"{heading}<p>{_text(schema.get('description', ''))}</p>{_json(shown)}</section>"


def _json(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _text(text: str) -> str:
    """Text with `code` in backticks."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
