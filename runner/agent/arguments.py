"""A tool call's arguments, from the model's text to checked values. Pure.

Rules: whatever a model writes, the answer is a value: the arguments, or one sentence that tells the model what
to write instead. Of JSON schema the words are kept that declare arguments: `type`, `enum`, `required`,
`properties`, `items`; an argument that is not declared is refused unless `additionalProperties` says otherwise,
so that no text in a chat can add a parameter that the operator did not think of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHARS = 256 * 1024
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class BadArguments:
    """The arguments cannot be used; `why` is for the model."""

    why: str


def read_arguments(text: str, schema: Mapping[str, Any]) -> dict[str, Any] | BadArguments:
    """The arguments as an object that keeps to the schema. An empty text is an empty object."""
    if len(text) > MAX_CHARS:
        return BadArguments(f"the arguments are longer than {MAX_CHARS} characters")
    try:
        arguments = json.loads(text.strip() or "{}", parse_constant=_no_number)
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return BadArguments("the arguments are not valid JSON")
    if not isinstance(arguments, dict):
        return BadArguments("the arguments must be one JSON object")
    problem = _problem(arguments, {"additionalProperties": False, **schema, "type": "object"}, "", 0)
    return arguments if problem is None else BadArguments(problem)


def properties_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The declared arguments; a schema that declares them in no sensible way declares none."""
    declared = schema.get("properties")
    return declared if isinstance(declared, Mapping) else {}


def required_by(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that must be given."""
    names = schema.get("required")
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return value.is_integer() if isinstance(value, float) else _is_number(value)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_integer,
}


def _problem(value: Any, schema: object, where: str, depth: int) -> str | None:  # noqa: ANN401 - any JSON value
    """What is wrong with a value, or None; the first thing is enough."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    name = f"`{where}`" if where else "the arguments"
    allowed = schema.get("type")
    types = [allowed] if isinstance(allowed, str) else allowed
    if isinstance(types, list) and not any(_TYPES.get(str(kind), _anything)(value) for kind in types):
        return f"{name} must be of type {' or '.join(map(str, types))}"
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        return f"{name} must be one of {json.dumps(choices, ensure_ascii=False, default=str)}"
    if isinstance(value, dict):
        return _object_problem(value, schema, where, depth)
    if isinstance(value, list):
        inner = (_problem(v, schema.get("items"), f"{where}[{i}]", depth + 1) for i, v in enumerate(value))
        return next((problem for problem in inner if problem is not None), None)
    return None


def _object_problem(
    value: Mapping[str, Any], schema: Mapping[str, Any], where: str, depth: int
) -> str | None:
    properties = properties_of(schema)
    dot = f"{where}." if where else ""
    for key in required_by(schema):
        if key not in value:
            return f"`{dot}{key}` is missing"
    for key, inner in value.items():
        if key in properties:
            problem = _problem(inner, properties[key], f"{dot}{key}", depth + 1)
            if problem is not None:
                return problem
        elif schema.get("additionalProperties", True) is False:
            known = ", ".join(f"`{dot}{name}`" for name in properties) or "none"
            return f"there is no argument `{dot}{key[:100]}`; there are: {known}"
    return None


def _anything(_: object) -> bool:
    return True
