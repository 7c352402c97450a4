"""What is wrong with a file, as values: all of it at once, each with its line and its path.

    bots.yaml:14: bots.support.llm_modle: unknown field, did you mean llm_model?
    file      line dotted path            message

Rules: a problem keeps the file from being used, a warning does not; the text of neither ever shows a value
that came from outside the file (`Sealed` takes such values out of texts that others wrote).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Where in the file: keys and indexes from the top, such as ("bots", "support", "tools", 0)."""

HIDDEN = "***"
SHORTEST_TELLTALE = 4
"""Texts shorter than this are part of ordinary words: only where they stand in quotes are they taken out."""


def dotted(path: Path) -> str:
    """`bots.support.tools[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `line` counts from 1; 0 where the fault is the file as a whole."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """As it is shown: `bots.yaml:14: bots.support.name: required`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Problems:
    """The file cannot be used: everything that was found, by line."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        """One problem a line."""
        return "\n".join(map(str, self.problems))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By line, then path; the same problem once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.path, p.message)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean llm_model?` where one of the known words is near, else nothing."""
    near = nearest(word, known)
    return f", did you mean {near}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, or None."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def one_of(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@dataclass(slots=True)
class Sealed:
    """The values that must not show, because they came from outside the file."""

    texts: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Never show this text."""
        if text:
            self.texts.add(text)

    def hide(self, message: str) -> str:
        """The message without any of the sealed texts."""
        for text in sorted(self.texts, key=len, reverse=True):
            message = message.replace(text if len(text) >= SHORTEST_TELLTALE else repr(text), HIDDEN)
        return message
