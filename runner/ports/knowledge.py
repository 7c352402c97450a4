"""Files that bots may look things up in, and what was found in them.

Rules: a collection is a name for files that the operator has written down; nothing of a user's is ever in one. What
is found is bounded: a passage has `MAX_PASSAGE` characters at most, an answer `MOST_FOUND` passages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MOST_COLLECTIONS = 20
MOST_FILES = 500
"""Files of one collection."""
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_COLLECTION_BYTES = 16 * 1024 * 1024
MAX_PASSAGE = 1500
MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Collection:
    """Files under one name.

    Attributes:
        folder: where relative patterns start.
        patterns: paths with `*`, `?` and `**`, as bots.yaml has them.
    """

    name: str
    folder: Path
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file. `source`: the file and the heading; `score`: the higher the better, for this query only."""

    text: str
    source: str
    score: float


@dataclass(frozen=True, slots=True)
class NotFound:
    """Nothing could be looked up: there is no such collection, or it cannot be read. A sentence part."""

    why: str


class Knowledge(Protocol):
    """Looks things up; `runner.store.knowledge.library.Library` is one."""

    async def search(self, collection: str, query: str, most: int) -> tuple[Passage, ...] | NotFound:
        """The passages that fit best, the best first.

        Args:
            query: a user's words; none of them means anything to whoever searches.
            most: 1 to `MOST_FOUND`.
        """
