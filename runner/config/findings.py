"""What has been found so far while one document is looked at.

Rules: a place where a reference led nowhere is reported once and not complained about again; whoever words
a message puts values of the file in by `shown`, and texts that others wrote through `sealed.hide`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.config.document import Document
from runner.config.problems import HIDDEN, Path, Problem, Problems, Sealed, dotted, in_order


@dataclass(slots=True)
class Findings:
    """Problems and warnings of one document, with what is needed to place and to word them.

    Attributes:
        missing: where references led nowhere.
    """

    document: Document
    sealed: Sealed = field(default_factory=Sealed)
    missing: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, *, at: Path | None = None) -> None:
        """Something that keeps the file from being used; `at`: another place whose line is shown."""
        if path not in self.missing and at not in self.missing:
            self.problems.append(self._found(path, message, at))

    def warn(self, path: Path, message: str, *, at: Path | None = None) -> None:
        """Something odd."""
        self.warnings.append(self._found(path, message, at))

    def where(self, *places: Path) -> Path:
        """The first of these places that the file has, else the last one."""
        return next((place for place in places if place in self.document.lines), places[-1])

    def shown(self, text: str) -> str:
        """A value of the file as a message may show it."""
        return HIDDEN if text in self.sealed.texts else text

    def failed(self) -> Problems | None:
        """All problems in order, or None where there are none."""
        every: Iterable[Problem] = (*self.document.problems, *self.problems)
        found = in_order(every)
        return Problems(found, self.ordered_warnings()) if found else None

    def ordered_warnings(self) -> tuple[Problem, ...]:
        """The warnings, by line."""
        return in_order(self.warnings)

    def _found(self, path: Path, message: str, at: Path | None) -> Problem:
        line = self.document.line_of(path if at is None else at)
        return Problem(self.document.file, line, dotted(path), message)
