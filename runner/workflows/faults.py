"""What is wrong with a workflow, as values: all of it at once, each with its path.

nodes[3].data.promt: unknown field, did you mean prompt?
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""From the top of the workflow: ("nodes", 3, "data", "prompt")."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `message` says what is wrong and, where that can be told, what was meant."""

    path: Path
    message: str

    def __str__(self) -> str:
        """As it is shown: `nodes[3].data.prompt: required`."""
        place = dotted(self.path)
        return f"{place}: {self.message}" if place else self.message


@dataclass(slots=True)
class Faults:
    """Collects faults while a workflow is read; the same fault is kept once."""

    found: dict[Fault, None] = field(default_factory=dict)

    def add(self, path: Path, message: str) -> None:
        """Remember one more."""
        self.found[Fault(path, message)] = None

    def in_order(self) -> tuple[Fault, ...]:
        """All of them, by their place in the workflow."""
        return tuple(sorted(self.found, key=lambda fault: _sortable(fault.path)))


def dotted(path: Path) -> str:
    """`nodes[3].data.prompt`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean prompt?` where one of the known words is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else ""


def one_of(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(text: str) -> str:
    """A text of the workflow as a message may show it: short, on one line."""
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…")


_MOST_SHOWN = 60


def _sortable(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Numbers by their size, before names."""
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in path)
