r"""Texts with variables in them: `Dear {{order.customer.name}}`. Pure.

    {{order.items[0].name}}   a name, then keys and indexes; also order.items.0.name and order["odd key"]
    {{order.items.length}}    how many, where there is no key of that name
    \{{                       two braces that are meant as such

Rules: texts are parsed when the workflow is read, and faults are found there. What is put in is never looked at
again, so a variable that holds braces stays as it is. What is not there is empty: null as a value, nothing in a
text. Whatever the text and the variables are, nothing but ExpressionError comes out, and it ends in time
proportional to both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.errors import BotrunnerError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value of a workflow."""

Variables: TypeAlias = Mapping[str, Json]

MAX_TEMPLATE = 50_000
"""Characters of a text with variables in it."""

MAX_RENDERED = 200_000
"""Characters of a text with its variables put in."""

_MOST_PARTS = 500
_PATH = re.compile(r"[^\W\d][\w-]*")
_STEP = re.compile(r"""\.([\w-]+)|\[(?:([0-9]+)|"([^"\]]*)"|'([^'\]]*)')\]""")
_LONGEST_INDEX = 9
_WHOLE_FLOAT = 2**53


class ExpressionError(BotrunnerError):
    """An expression that cannot be used, or a value too large for it; one sentence."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`order.items[0]`: the variable, then the steps from it."""

    name: str
    steps: tuple[str, ...] = ()

    def value(self, variables: Variables) -> Json:
        """What is there, or None."""
        found = variables.get(self.name)
        for step in self.steps:
            found = _inside(found, step)
        return found


@dataclass(frozen=True, slots=True)
class Template:
    """A text with references in it.

    Attributes:
        source: as it was written.
        parts: texts and references, in order.
    """

    source: str
    parts: tuple[str | Reference, ...]

    def text(self, variables: Variables) -> str:
        """With the variables put in. Raises ExpressionError where that is too long."""
        pieces: list[str] = []
        length = 0
        for part in self.parts:
            pieces.append(part if isinstance(part, str) else text_of(part.value(variables)))
            length += len(pieces[-1])
            if length > MAX_RENDERED:
                raise ExpressionError(f"with its variables the text is longer than {MAX_RENDERED} characters")
        return "".join(pieces)

    def value(self, variables: Variables) -> Json:
        """The value itself where the whole text is one reference, else as `text`."""
        match self.parts:
            case [Reference() as only]:
                return only.value(variables)
            case _:
                return self.text(variables)


Tree: TypeAlias = "Template | bool | int | float | tuple[Tree, ...] | Mapping[str, Tree] | None"
"""JSON whose texts are templates, such as the arguments of a tool."""


def template(source: str) -> Template:
    """Parse a text. Raises ExpressionError for braces that hold no reference."""
    if len(source) > MAX_TEMPLATE:
        raise ExpressionError(f"a text has at most {MAX_TEMPLATE} characters, this one {len(source)}")
    parts: list[str | Reference] = []
    plain = ""
    at = 0
    while (opens := source.find("{{", at)) >= 0:
        if source[:opens].endswith("\\"):
            plain += source[at : opens - 1] + "{{"
            at = opens + 2
            continue
        closes = source.find("}}", opens)
        if closes < 0:
            raise ExpressionError("{{ without }}; write \\{{ for two braces that are meant as such")
        plain += source[at:opens]
        parts += [*([plain] if plain else []), reference(source[opens + 2 : closes])]
        plain = ""
        at = closes + 2
    plain += source[at:]
    if len(parts) > _MOST_PARTS:
        raise ExpressionError(f"a text has at most {_MOST_PARTS // 2} variables in it")
    return Template(source, (*parts, *([plain] if plain else [])))


def reference(source: str) -> Reference:
    """Parse what stands between two pairs of braces. Raises ExpressionError."""
    text = source.strip()
    name = _PATH.match(text)
    if name is None:
        raise ExpressionError(f"{{{{{_short(text)}}}}} is not a variable, such as {{{{order.status}}}}")
    steps: list[str] = []
    at = name.end()
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ExpressionError(
                f"{{{{{_short(text)}}}}} is not a variable: {_short(text[at:])!r} is not understood"
            )
        steps.append(next(group for group in step.groups() if group is not None))
        at = step.end()
    return Reference(name.group(), tuple(steps))


def tree(source: Json) -> Tree:
    """JSON with all its texts parsed. Raises ExpressionError, also for JSON that is nested too deeply."""
    try:
        return _tree(source)
    except RecursionError:
        raise ExpressionError("nested too deeply") from None


def filled(source: Tree, variables: Variables) -> Json:
    """The JSON with its variables put in; a text that is one reference becomes the value it refers to."""
    match source:
        case Template():
            return source.value(variables)
        case tuple():
            return [filled(each, variables) for each in source]
        case Mapping():
            return {key: filled(each, variables) for key, each in source.items()}
        case _:
            return source


def text_of(value: Json) -> str:
    """A value as a text shows it: nothing for null, `true`, `3`, JSON for lists and mappings."""
    match value:
        case None:
            return ""
        case str():
            return value
        case float() if value.is_integer() and abs(value) < _WHOLE_FLOAT:
            return str(int(value))
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        raise ExpressionError("a variable cannot be put into a text: it is nested too deeply") from None


def _inside(value: Json, step: str) -> Json:
    """One step further, or None."""
    if isinstance(value, Mapping):
        return value.get(step)
    if not isinstance(value, str | Sequence):
        return None
    if step == "length":
        return len(value)
    if isinstance(value, str) or not (step.isascii() and step.isdigit() and len(step) <= _LONGEST_INDEX):
        return None
    return value[int(step)] if int(step) < len(value) else None


def _tree(source: Json) -> Tree:
    match source:
        case str():
            return template(source)
        case Mapping():
            return {str(key): _tree(each) for key, each in source.items()}
        case Sequence():
            return tuple(_tree(each) for each in source)
        case _:
            return source


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


_MOST_SHOWN = 40
