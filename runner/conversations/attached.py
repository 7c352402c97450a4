"""How the text of a file stands in a message. Pure."""

from __future__ import annotations

_LONGEST_NAME = 100


def file_header(name: str | None) -> str:
    """The line above the text of a file of that name."""
    return f"[File {file_name(name)}]"


def file_name(name: str | None) -> str:
    """The file's name on one line, not longer than a name is."""
    return " ".join((name or "without a name").split())[:_LONGEST_NAME]
