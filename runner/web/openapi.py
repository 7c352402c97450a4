"""The admin API as an OpenAPI 3.1 document, made from the declarations that also route and validate. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from runner.web.calls import Answer, AnyCall, Shown, refusals_of

_PLACE = re.compile(r"\{([a-z_]+)(?::[^}]*)?\}")
_REFERENCE = "#/components/schemas/{model}"
Document = dict[str, Any]


class Detail(Shown):
    """One fault. `field`: its path, such as `tools[0].url`; empty: the request as a whole."""

    field: str
    message: str


class Trouble(Shown):
    """What was refused, and why. `code` is for programs."""

    code: str
    message: str
    details: list[Detail]


class Refusal(Shown):
    """Every error looks like this."""

    error: Trouble


def openapi(
    calls: Sequence[AnyCall], version: str, schemas: Mapping[str, Any], url: str | None = None
) -> Document:
    """The document.

    Args:
        calls: all that is documented.
        version: of the program.
        schemas: more definitions, by name, that the calls' own schemas refer to.
        url: where the API is reached from outside, if that is known.
    """
    models = list(dict.fromkeys(_models(calls)))
    references, definitions = models_json_schema(models, ref_template=_REFERENCE)
    named = {model: dict(references[model, mode]) for model, mode in models}
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        path = _PLACE.sub(r"{\1}", call.path)
        paths.setdefault(path, {})[call.method.lower()] = _operation(call, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "botrunner",
            "version": version,
            "description": "Bots, what they say and what they cost. Money: `usd` fields are exact decimal texts.",
        },
        "servers": [{"url": url or "/"}],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), **_moved(schemas)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Made by `botrunner token --scope read` or `--scope admin`.",
                }
            },
        },
    }


def _models(calls: Iterable[AnyCall]) -> Iterable[tuple[type[BaseModel], JsonSchemaMode]]:
    yield Refusal, "serialization"
    for call in calls:
        if call.has_body and call.body_schema is None:
            yield call.body, "validation"
        for answer in call.answers.values():
            if answer.shown is not None:
                yield answer.shown, "serialization"


def _operation(call: AnyCall, named: Mapping[type[BaseModel], Any]) -> Document:
    made: Document = {
        "summary": call.summary,
        "operationId": _PLACE.sub(r"\1", f"{call.method.lower()}{call.path}").replace("/", "_"),
        "tags": [call.group],
        "parameters": [*_in_path(call), *_in_query(call)],
        "security": [{"token": []}] if call.scope is not None else [],
        "responses": {
            **{str(status): _answer(answer, named) for status, answer in call.answers.items()},
            **{
                str(status): {
                    "description": why,
                    "content": {"application/json": {"schema": named[Refusal]}},
                    **({"headers": {"Retry-After": _RETRY}} if status in {429, 503} else {}),
                }
                for status, why in refusals_of(call).items()
            },
        },
    }
    if call.scope is not None:
        made["description"] = f"Needs a token of scope `{call.scope}`."
    if call.has_body:
        schema = call.body_schema or named[call.body]
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _moved(schema)}}}
    return made


_RETRY = {
    "description": "In how many seconds to ask again.",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}


def _answer(answer: Answer, named: Mapping[type[BaseModel], Any]) -> Document:
    made: Document = {"description": answer.description}
    if answer.shown is not None or answer.schema is not None:
        schema = _moved(answer.schema) if answer.schema is not None else named[answer.shown]  # type: ignore[index]
        made["content"] = {answer.content_type: {"schema": schema}}
    elif answer.content_type != "application/json":
        made["content"] = {answer.content_type: {"schema": {"type": "string"}}}
    for other in answer.also:
        made["content"][other] = {"schema": {"type": "string"}}
    if answer.headers:
        made["headers"] = {
            name: {"description": says, "schema": {"type": "string"}} for name, says in answer.headers.items()
        }
    return made


def _in_path(call: AnyCall) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PLACE.findall(call.path)
    ]


def _in_query(call: AnyCall) -> list[Document]:
    if not call.has_query:
        return []
    schema = call.query.model_json_schema(ref_template=_REFERENCE)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": part,
            **({"description": part["description"]} if "description" in part else {}),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _moved(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The schema with its references to where the document keeps definitions."""
    if isinstance(part, list):
        return [_moved(item) for item in part]
    if not isinstance(part, Mapping):
        return part
    return {
        key: str(value).replace("#/$defs/", "#/components/schemas/", 1) if key == "$ref" else _moved(value)
        for key, value in part.items()
    }
