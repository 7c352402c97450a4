"""The OpenAPI document as a page to read: plain HTML, no script, nothing from elsewhere. Pure.

Rule: every text goes through `_text`, whoever wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_METHODS = ("get", "post", "patch", "delete")
Json = Mapping[str, Any]


def page_of(document: Json) -> str:
    """The page."""
    info = document["info"]
    groups: dict[str, list[tuple[str, str, Json]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                groups.setdefault(item[method]["tags"][0], []).append((method, path, item[method]))
    parts = [
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{_text(info['title'])} API</title>",
        '<link rel=stylesheet href="/static/reference.css"><link rel=icon href="data:,"></head><body>',
        f"<header><h1>{_text(info['title'])} API</h1><p>{_text(info['description'])}</p>",
        f'<p>Version {_text(info["version"])} · <a href="/api/openapi.json">OpenAPI 3.1</a></p>',
        "<nav aria-label=Calls>",
        *(f'<a href="#{_text(group.lower())}">{_text(group)}</a> ' for group in groups),
        '<a href="#schemas">Schemas</a></nav></header><main>',
    ]
    for group, calls in groups.items():
        parts.append(f'<section><h2 id="{_text(group.lower())}">{_text(group)}</h2>')
        parts += [piece for method, path, call in calls for piece in _call(method, path, call)]
        parts.append("</section>")
    parts.append("<section><h2 id=schemas>Schemas</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(
            f'<details id="schema-{_text(name)}"><summary>{_text(name)}</summary>{_schema(schema)}</details>'
        )
    return "\n".join([*parts, "</section></main></body></html>\n"])


def _call(method: str, path: str, call: Json) -> Iterator[str]:
    yield f"<article><h3><b class={method}>{method.upper()}</b> <code>{_text(path)}</code></h3>"
    yield f"<p>{_text(call['summary'])} {_text(call.get('description', ''))}</p>"
    if call["parameters"]:
        yield "<table><caption>Parameters</caption><tr><th>Name<th>In<th>What</tr>"
        for one in call["parameters"]:
            need = "" if one["required"] else " (optional)"
            said = one.get("description") or _kind(one["schema"])
            yield f"<tr><td><code>{_text(one['name'])}</code><td>{_text(one['in'])}{need}<td>{said}</tr>"
        yield "</table>"
    if "requestBody" in call:
        yield f"<p>Body: {_kind(call['requestBody']['content']['application/json']['schema'])}</p>"
    yield "<table><caption>Answers</caption><tr><th>Status<th>What<th>Body</tr>"
    for status, answer in call["responses"].items():
        bodies = [
            _kind(content["schema"]) if kind == "application/json" else _text(kind)
            for kind, content in answer.get("content", {}).items()
        ]
        yield f"<tr><td>{_text(status)}<td>{_text(answer['description'])}<td>{', '.join(bodies)}</tr>"
    yield "</table></article>"


def _schema(schema: Json) -> str:
    properties = schema.get("properties")
    said = f"<p>{_text(schema['description'])}</p>" if "description" in schema else ""
    if not properties:
        return f"{said}<pre tabindex=0>{_text(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
    rows = "".join(
        f"<tr><td><code>{_text(name)}</code>{' *' if name in schema.get('required', ()) else ''}<td>{_kind(part)}"
        f"<td>{_text(part.get('description', ''))}</tr>"
        for name, part in properties.items()
    )
    return f"{said}<table><tr><th>Field<th>Kind<th>What</tr>{rows}</table>"


def _kind(schema: Json) -> str:
    """A schema in a few words, with links to those that it names."""
    if "$ref" in schema:
        name = str(schema["$ref"]).split("/")[3]
        return f'<a href="#schema-{_text(name)}">{_text(name)}</a>'
    if "enum" in schema or "const" in schema:
        return " | ".join(
            f"<code>{_text(json.dumps(value))}</code>" for value in schema.get("enum", [schema.get("const")])
        )
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_kind(part) for part in schema[key]))
    kind = _text(str(schema.get("type", "anything")))
    if "items" in schema:
        return f"list of {_kind(schema['items'])}"
    ends = [f"{word} {schema[key]}" for key, word in _ENDS.items() if key in schema]
    return f"{kind}{' ' + _text(', '.join(ends)) if ends else ''}"


_ENDS = {
    "minimum": "from",
    "maximum": "to",
    "exclusiveMinimum": "above",
    "maxLength": "up to",
    "pattern": "like",
}


def _text(text: str) -> str:
    return escape(text)
