"""The id of a bot that is made from outside. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

RESERVED = frozenset({"setup", "templates", "webhook"})
"""Words that stand in the place of an id in the API's own paths."""
LONGEST = 63
MOST_TRIED = 100
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """The name in small letters and digits, words joined by `-`; `bot` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = _NOT_IN_IDS.sub("-", plain).strip("-")[:LONGEST].rstrip("-")
    return "bot" if not made else f"{made}-bot" if made in RESERVED else made


def candidates(name: str) -> Iterator[str]:
    """`shop`, `shop-2`, `shop-3` and so on."""
    made = slug(name)
    yield made
    for number in range(2, MOST_TRIED + 1):
        end = f"-{number}"
        yield made[: LONGEST - len(end)] + end
