"""A user's words as a query of FTS5. Pure.

Rules: only letters and digits of what was written get into the query, each word in quotes, so that none of FTS5's own
words and signs can be meant; any of the words may be found, those that are rare count most (bm25); longer words are
also found where they begin another.
"""

from __future__ import annotations

import re

MOST_WORDS = 32
_LONGEST_WORD = 64
_READ = 4_000
_BEGINS = 4
"""Words of that many letters also stand for what begins with them."""
_WORD = re.compile(r"[^\W_]+")


def match_of(query: str) -> str:
    """The expression for MATCH; empty where there is no word in the query."""
    words: dict[str, None] = {}
    for word in _WORD.findall(query[:_READ]):
        words[word[:_LONGEST_WORD].lower()] = None
        if len(words) == MOST_WORDS:
            break
    return " OR ".join(f'"{word}" *' if len(word) >= _BEGINS else f'"{word}"' for word in words)
