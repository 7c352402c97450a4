"""CSV that a spreadsheet opens: what users wrote must not be calculated there."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula."""
    return text.startswith(_STARTS)
