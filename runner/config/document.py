"""YAML to plain values, with the line of each.

Rules: YAML 1.2 as ruamel.yaml composes it; only its plain kinds become values (text, numbers, true, false,
null, lists, mappings), keys are always text. A key may be there once; `<<` merges, its own keys win. Aliases
may be used freely, up to a bound that no real file reaches. A reference such as ${NAME} needs no quotes, not
even inside {braces}, where YAML alone would take its braces for its own. A fault of syntax is the only
problem of a file; all other faults leave a document that can be looked at further.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runner.config.problems import Path, Problem, dotted

Plain: TypeAlias = Any
"""A plain value: text, number, true, false, None, a list of plain values, or a dict from text to them."""

DEEPEST = 60
MOST_VALUES = 100_000
_REFERENCE = re.compile(r"\$\{[^{}\n]*\}")
_MASK = str.maketrans("{},[]", "\ue000\ue001\ue002\ue003\ue004")
_UNMASK = {to: chr(of) for of, to in _MASK.items()}
"""Characters for private use take the place of those that mean something to YAML: positions stay the same."""
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """A file as plain values.

    Attributes:
        file: its name, for problems.
        data: the values; None where the file is empty or could not be read as YAML.
        lines: the line of each value, counted from 1.
        problems: what was wrong with it as YAML.
    """

    file: str
    data: Plain = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """The line of this path, or of the nearest one above it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _TooMuch(Exception):
    """More depth or more values than a real file has."""


def compose(text: str) -> Node | None:
    """The tree of nodes, each with its place in the text; None for an empty text. Raises what ruamel.yaml does."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    yaml.composer.warn_double_anchors = False
    root: Node | None = yaml.compose(masked(text))
    return root


def masked(text: str) -> str:
    """The text with its references made harmless to YAML; unchanged where it uses private characters itself."""
    if "${" not in text or any(chr(code) in text for code in _UNMASK):
        return text
    return _REFERENCE.sub(lambda found: found[0].translate(_MASK), text)


def read_document(text: str, file: str) -> Document:
    """Read one YAML text. Never raises: a fault of syntax is a problem of the document."""
    document = Document(file)
    try:
        root = compose(text)
        document.data = None if root is None else _Builder(document, masked(text) != text).value(root, ())
    except MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        words = ": ".join(str(part) for part in (fault.context, fault.problem) if part)
        line = mark.line + 1 if mark else 0
        document.problems = [Problem(file, line, "", f"not valid YAML: {words.translate(_UNMASK)}")]
    except _TooMuch as fault:
        document.problems = [Problem(file, 0, "", str(fault))]
    except Exception as fault:  # noqa: BLE001 - what a pure-Python reader raises on odd input has no common root
        document.problems = [Problem(file, 0, "", f"not valid YAML ({type(fault).__name__})")]
    return document


class _Builder:
    """Turns nodes into values and notes their lines."""

    def __init__(self, document: Document, masked: bool) -> None:  # noqa: FBT001 - private
        self._document = document
        self._masked = masked
        self._built = 0

    def value(self, node: Node, path: Path) -> Plain:
        self._built += 1
        if len(path) > DEEPEST or self._built > MOST_VALUES:
            raise _TooMuch("aliases make this file too deep or too large")
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        raise _TooMuch("a kind of YAML node that nobody knows")

    def _scalar(self, node: ScalarNode, path: Path) -> Plain:
        text = self._text(node)
        kind = str(node.tag).removeprefix(_TAG)
        read = _READERS.get(kind)
        if read is None:
            self._fault(path, node, f"YAML's {kind} has no meaning here")
            return None
        try:
            return read(text)
        except ValueError:
            return text

    def _text(self, node: ScalarNode) -> str:
        text: str = node.value
        return text.translate(_UNMASK) if self._masked else text

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        first: dict[str, int] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._fault(path, key_node, "a key must be plain text")
                continue
            key = self._text(key_node)
            if str(key_node.tag) == f"{_TAG}merge":
                merged.append(value_node)
                continue
            if key in first:
                self._fault((*path, key), key_node, f"is there twice, in lines {first[key]} and {line}")
                continue
            first[key] = line
            self._document.lines[(*path, key)] = line
            own[key] = self.value(value_node, (*path, key))
        for source in merged:
            self._merge(source, own, path)
        return own

    def _merge(self, source: Node, into: dict[str, Any], path: Path) -> None:
        """Add what `<<` names, nearest first; keys that are there already stay."""
        parts = source.value if isinstance(source, SequenceNode) else [source]
        for part in parts:
            if not isinstance(part, MappingNode):
                self._fault(path, part, "<< merges mappings only")
                continue
            kept = set(into)
            scratch = Document(self._document.file)
            inner = _Builder(scratch, self._masked)
            inner._built = self._built
            extra = inner.value(part, path)
            self._built = inner._built
            self._document.problems += scratch.problems
            into.update({key: value for key, value in extra.items() if key not in kept})
            for place, line in scratch.lines.items():
                if len(place) > len(path) and place[len(path)] not in kept:
                    self._document.lines.setdefault(place, line)

    def _fault(self, path: Path, node: Node, message: str) -> None:
        line = node.start_mark.line + 1
        self._document.problems.append(Problem(self._document.file, line, dotted(path), message))


def _whole(text: str) -> int:
    """A whole number as YAML writes it."""
    digits = text.replace("_", "").lstrip("+-")
    number = int(digits, 0 if digits[:2] in {"0x", "0o", "0b"} else 10)
    return -number if text.startswith("-") else number


def _fraction(text: str) -> float:
    """A number with a fraction as YAML writes it."""
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


_READERS: Mapping[str, Callable[[str], Plain]] = {
    "str": str,
    "timestamp": str,
    "value": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() in {"true", "yes", "on", "y"},
    "int": _whole,
    "float": _fraction,
}
"""How the text of each plain kind is read; a text that turns out not to be one stays text."""
