"""What is wrong with a request, field by field, in words for whoever wrote it. Pure.

Rule: never the value itself: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_WORDS = {
    "missing": "required",
    "extra_forbidden": "unknown field",
    "string_type": "must be text",
    "string_unicode": "must be Unicode text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "list_type": "must be a list",
}


def faults_of(error: ValidationError) -> list[Mapping[str, str]]:
    """All faults, each with its field's path, such as `tools[0].url`."""
    return [
        fault(dotted(detail["loc"]), _message(detail))
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def fault(field: str, message: str) -> Mapping[str, str]:
    """One fault, as answers hold it."""
    return {"field": field, "message": message}


def dotted(path: Iterable[str | int]) -> str:
    """`tools[0].url`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(detail: ErrorDetails) -> str:
    words = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    return _WORDS.get(detail["type"]) or words[:1].lower() + words[1:]
