"""A mapping against its model: what pydantic found, in our words, at our lines.

Rules: never the value itself, since it may be a secret; a text that a validator of a platform wrote is shown
without sealed values. A field that is not known is matched against those that are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from runner.config.document import Plain
from runner.config.findings import Findings
from runner.config.problems import Path, Sealed, did_you_mean, nearest

Model = TypeVar("Model", bound=BaseModel)

_WORDS = {
    "missing": "required",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (name: value)",
    "model_type": "must be a mapping (name: value)",
    "model_attributes_type": "must be a mapping (name: value)",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "decimal_parsing": "must be a number",
    "url_parsing": "must be a URL",
}
_OWN_WORDS = {"value_error", "assertion_error", "whole_number"}
_PATTERNS = {
    r"^https?://[^\s/]+[^\s]*$": "must be a URL that starts with http:// or https://",
    r"^[A-Za-z0-9_-]{1,64}$": "must be 1 to 64 letters, digits, _ or -",
    r"^[a-z0-9_-]{1,64}$": "must be 1 to 64 of a-z, 0-9, _ and -",
    r"^[a-z0-9_-]{0,64}$": "must be at most 64 of a-z, 0-9, _ and -",
}


def shape(
    model: type[Model],
    data: Plain,
    findings: Findings,
    *places: Path,
) -> tuple[Model | None, frozenset[str]]:
    """The model of `data`, and which of its fields are in doubt.

    Faulty fields are reported, then left at their defaults so that the rest can be looked at; with them are
    in doubt the fields that a mistyped name was probably meant to be. None: it cannot be made at all.

    Args:
        model: what `data` must be.
        data: plain values.
        findings: takes the problems.
        places: where in the file `data` is; a field is reported at the first place that has it.
    """
    doubtful: set[str] = set()
    for _ in range(3):
        try:
            return model.model_validate(data), frozenset(doubtful)
        except ValidationError as fault:
            details = fault.errors(include_url=False)
        for detail in details:
            if not detail["loc"] or str(detail["loc"][0]) not in doubtful:
                _report(model, data, detail, findings, places)
        faulty = {str(detail["loc"][0]) for detail in details if detail["loc"]}
        if not isinstance(data, dict) or not faulty & data.keys():
            break
        doubtful |= faulty | {near for name in faulty if (near := nearest(name, model.model_fields))}
        data = {key: value for key, value in data.items() if key not in faulty}
    return None, frozenset(doubtful)


def _report(
    model: type[BaseModel],
    data: Plain,
    detail: ErrorDetails,
    findings: Findings,
    places: Sequence[Path],
) -> None:
    inside = _real_path(data, detail["loc"], missing=detail["type"] == "missing")
    place = (
        findings.where(*((*p, inside[0]) for p in places), (*places[0], *inside[:1])) if inside else places[0]
    )
    findings.problem((*place, *inside[1:]), _message(model, inside, detail, findings.sealed))


def _real_path(data: Plain, loc: Sequence[int | str], *, missing: bool) -> Path:
    """The location without the parts that pydantic adds for alternatives of a type.

    `missing`: its last part is a field that is not there.
    """
    path: list[int | str] = []
    for number, part in enumerate(loc):
        found, inner = _inside(data, part)
        if found:
            data = inner
        elif number + 1 < len(loc) or not isinstance(data, dict) or not missing:
            continue
        path.append(part)
    return tuple(path)


def _inside(data: Plain, part: int | str) -> tuple[bool, Plain]:
    """Whether there is such a part, and it."""
    if isinstance(data, dict):
        return part in data, data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return True, data[part]
    return False, None


def _message(model: type[BaseModel], path: Path, detail: ErrorDetails, sealed: Sealed) -> str:  # noqa: PLR0911 - one answer a kind
    kind, context = detail["type"], detail.get("ctx", {})
    if detail["input"] is None and kind.endswith("_type"):
        return "must not be empty; leave it out for its default"
    if kind == "extra_forbidden":
        return "unknown field" + did_you_mean(str(path[-1]), _fields_at(model, path[:-1]))
    if kind in {"literal_error", "enum"}:
        words = str(context["expected"]).replace("'", "")
        return f"must be {words}" + did_you_mean(str(detail["input"]), re.findall(r"[\w-]+", words))
    if kind == "string_type":
        quotable = isinstance(detail["input"], int | float)
        return "must be text (put it in quotes)" if quotable else "must be text"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"must look like {context['pattern']}")
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"must be a number {_range_at(model, path)}"
    if kind in _OWN_WORDS:
        return sealed.hide(detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "))
    return _WORDS.get(kind) or sealed.hide(detail["msg"][:1].lower() + detail["msg"][1:])


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model that describes the mapping at `path`, as far as models go down."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = _fields(current).get(str(part))
            current = _plain(field.annotation) if field else None
        elif get_origin(current) in {dict, list, Mapping, tuple}:
            current = _plain(get_args(current)[-1])
        else:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _plain(annotation: Any) -> Plain:  # noqa: ANN401 - a type as typing sees it
    """The type without `| None` and what is noted about it; of several, the one that is a mapping with fields."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation
    parts = [_plain(part) for part in get_args(annotation) if part is not type(None)]
    sections = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
    return sections[0] if sections else parts[0] if len(parts) == 1 else annotation


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    found = _model_at(model, path)
    return list(_fields(found)) if found else []


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields by the names that they are written by."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _range_at(model: type[BaseModel], path: Path) -> str:
    """`above 0 and at most 87600`, as the field says."""
    found = _model_at(model, path[:-1])
    field = found.model_fields.get(str(path[-1])) if found else None
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    ends = [
        f"{word} {getattr(part, name):g}"
        for part in (field.metadata if field else [])
        for name, word in words.items()
        if getattr(part, name, None) is not None
    ]
    return ", ".join(ends) or "in range"
