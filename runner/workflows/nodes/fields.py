"""Reads the `data` of one node: each field once, with a fault for whatever is not as it should be.

Rules: reading goes on after a fault, with a value that does no harm, so that all faults are found at once; what
was read that way is never run, for a workflow with faults has no graph. Fields that nobody asked for are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from runner.workflows.conditions import Condition, condition
from runner.workflows.expressions import ExpressionError, Json, Template, Tree, template, text_of, tree
from runner.workflows.faults import Faults, Path, did_you_mean, one_of, shown

MAX_NAMES = 50
"""Items of a list of names."""

_NAME = re.compile(r"[^\W\d][\w-]{0,63}")
_Value = TypeVar("_Value")
_NOTHING = Template("", ())


@dataclass(slots=True)
class Fields:
    """The fields of one mapping.

    Attributes:
        path: where the mapping stands.
    """

    path: Path
    data: Mapping[str, Json]
    faults: Faults
    asked: dict[str, None] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------- texts

    def text(self, name: str, *, longest: int = 20_000) -> str:
        """A text that must be there and not blank; taken as it stands."""
        value = self._value(name, required=True)
        if value is None:
            return ""
        if not isinstance(value, str):
            hint = "" if isinstance(value, Mapping | Sequence) else ": put it in quotes"
            return self._wrong(name, f"a text{hint}", "")
        if not value.strip():
            return self._fault(name, "must not be empty", "")
        if len(value) > longest:
            return self._fault(name, f"has at most {longest} characters, this one {len(value)}", "")
        return value

    def optional_text(self, name: str, *, longest: int = 20_000) -> str | None:
        """A text, or None where it is not given."""
        return self.text(name, longest=longest) if self.has(name) else None

    def optional_word(self, name: str, *, longest: int = 200) -> str | None:
        """A text, or what YAML makes of one that stands without quotes: `true`, `5`; or None."""
        value = _word(self._value(name))
        return (
            value
            if isinstance(value, str) and 0 < len(value) <= longest
            else self.optional_text(name, longest=longest)
        )

    def name(self, name: str) -> str:
        """A name of a variable: a letter, then letters, digits, _ and -."""
        value = self.text(name)
        if value and not _NAME.fullmatch(value):
            return self._fault(name, f"{shown(value)} is not a name: a letter, then letters, digits, _", "")
        return value

    def optional_name(self, name: str) -> str | None:
        """A name of a variable, or None."""
        return self.name(name) if self.has(name) else None

    def choice(self, name: str, words: Sequence[str], *, default: str | None = None) -> str:
        """One of a few words."""
        if default is not None and not self.has(name):
            return default
        value = self.text(name)
        if value and value not in words:
            return self._fault(
                name, f"{shown(value)} is none of {one_of(words)}{did_you_mean(value, words)}", words[0]
            )
        return value or words[0]

    def names(self, name: str, *, required: bool = True) -> tuple[str, ...]:
        """A list of texts, each once, none blank; empty where it is optional and not given."""
        value = self._value(name, required=required)
        if value is None:
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            return self._wrong(name, "a list", ())
        if not value or len(value) > MAX_NAMES:
            return self._fault(name, f"has 1 to {MAX_NAMES} items, not {len(value)}", ())
        found: dict[str, None] = {}
        for number, item in enumerate(value):
            text = _word(item)
            if not isinstance(text, str) or not text.strip():
                self.faults.add((*self.path, name, number), "must be a text that is not empty")
            elif text in found:
                self.faults.add((*self.path, name, number), f"{shown(text)} stands there twice")
            else:
                found[text] = None
        return tuple(found)

    # -------------------------------------------------------------------------------------- expressions

    def template(self, name: str) -> Template:
        """A text with variables in it, that must be there."""
        return self._parsed(name, self.text(name, longest=_ANY), template, _NOTHING)

    def optional_template(self, name: str) -> Template | None:
        """A text with variables in it, or None."""
        return self.template(name) if self.has(name) else None

    def condition(self, name: str) -> Condition | None:
        """A condition that must be there; None only after a fault."""
        return self._parsed(name, self.text(name, longest=_ANY), condition, None)

    def tree(self, name: str) -> Tree:
        """Any JSON, its texts with variables in them; None where it is not given."""
        return self._parsed(name, self._value(name), tree, None)

    def tree_mapping(self, name: str) -> Mapping[str, Tree]:
        """A mapping with variables in its texts; empty where it is not given."""
        value = self._value(name)
        if value is not None and not isinstance(value, Mapping):
            return self._wrong(name, "a mapping", {})
        found = self._parsed(name, value, tree, None)
        return found if isinstance(found, Mapping) else {}

    def mapping(self, name: str) -> Mapping[str, Json]:
        """A mapping that must be there, as it stands."""
        value = self._value(name, required=True)
        if value is None:
            return {}
        return value if isinstance(value, Mapping) else self._wrong(name, "a mapping", {})

    def parsed(self, name: str, parse: Callable[[str], _Value]) -> _Value | None:
        """A text that must be there, parsed by something that raises ExpressionError; None after a fault."""
        return self._parsed(name, self.text(name), parse, None)

    # ------------------------------------------------------------------------------------------ numbers

    def whole(self, name: str, least: int, most: int, *, default: int) -> int:
        """A whole number within bounds."""
        found = self.optional_whole(name, least, most)
        return default if found is None else found

    def optional_whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, or None."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            return self._fault(name, f"must be a whole number from {least} to {most}", None)
        return value

    def optional_number(self, name: str, least: float, most: float) -> float | None:
        """A number within bounds, or None."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            return self._fault(name, f"must be a number from {least:g} to {most:g}", None)
        return float(value)

    # -------------------------------------------------------------------------------------------- others

    def has(self, name: str) -> bool:
        """Whether it is given."""
        return self._value(name) is not None

    def exactly_one(self, *names: str) -> None:
        """A fault unless one of these is given, and only one."""
        if sum(self.has(name) for name in names) != 1:
            self.faults.add(self.path, f"needs {one_of(names)}, exactly one of them")

    def fault(self, name: str, message: str) -> None:
        """A fault of a field that only its node can see."""
        self.faults.add((*self.path, name), message)

    def end(self) -> None:
        """All fields have been asked for: whatever else is there is unknown."""
        for name in self.data:
            if name not in self.asked:
                self.fault(name, f"unknown field{did_you_mean(name, self.asked)}")

    def _value(self, name: str, *, required: bool = False) -> Json:
        self.asked[name] = None
        value = self.data.get(name)
        if required and value is None:
            self.fault(name, "required")
        return value

    def _parsed(self, name: str, value: Json, parse: Callable[..., _Value], otherwise: _Value) -> _Value:
        if value is None or value == "":
            return otherwise
        try:
            return parse(value)
        except ExpressionError as error:
            return self._fault(name, str(error), otherwise)

    def _wrong(self, name: str, wanted: str, otherwise: _Value) -> _Value:
        return self._fault(name, f"must be {wanted}", otherwise)

    def _fault(self, name: str, message: str, otherwise: _Value) -> _Value:
        self.fault(name, message)
        return otherwise


def _word(value: Json) -> Json:
    """The text that a truth value or a whole number was written as."""
    return text_of(value) if isinstance(value, int) else value


_ANY = 10**9
"""The expression has a limit of its own."""
