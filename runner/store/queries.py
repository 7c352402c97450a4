"""The SQL, in named blocks of .sql files.

Rules: a block begins with `-- name: <name>` and ends at the next one; other comments before the first block
are the file's own; names are unique over all files of a folder. Python holds no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

Queries = Mapping[str, str]

_MARK = "-- name: "


def load_queries(folder: Path) -> Queries:
    """Read all blocks of a folder's files.

    Raises:
        ValueError: two blocks have one name.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        for name, text in _blocks(path.read_text(encoding="utf-8")):
            if name in found:
                raise ValueError(f"{path.name}: there are two queries named {name}")
            found[name] = text
    return MappingProxyType(found)


def _blocks(text: str) -> list[tuple[str, str]]:
    _, *blocks = ("\n" + text).split("\n" + _MARK)
    return [(name.strip(), body.strip()) for name, _, body in (block.partition("\n") for block in blocks)]
