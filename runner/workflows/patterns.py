"""Regular expressions that cannot hang: RE2, whose time grows with the text and with nothing else.

Rules: a pattern is compiled when the workflow is read, within a memory limit, and a bad one is a fault of the
workflow. RE2 has neither look-around nor back references: that is what keeps it linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner.workflows.expressions import ExpressionError

MAX_PATTERN = 1_000
"""Characters."""

MAX_SEARCHED = 200_000
"""Characters of a text that are looked at; what comes after them is not."""

_MEMORY_BYTES = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. Two are equal when their sources are."""

    source: str
    compiled: Any

    def __eq__(self, other: object) -> bool:
        """By source."""
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        """By source."""
        return hash(self.source)

    def is_in(self, text: str) -> bool:
        """Whether it matches anywhere in the text."""
        return self.compiled.search(_sound(text[:MAX_SEARCHED])) is not None


def compiled(source: str) -> Pattern:
    """Compile a pattern. Raises ExpressionError for one that RE2 does not take."""
    if len(source) > MAX_PATTERN:
        raise ExpressionError(f"a pattern has at most {MAX_PATTERN} characters, this one {len(source)}")
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - three megabytes, only for who matches

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    try:
        return Pattern(source, re2.compile(_sound(source), options))
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ExpressionError(f"not a regular expression of RE2: {said}") from None


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs, which have no bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")
