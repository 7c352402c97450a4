"""News as it goes through the database: JSON of whose it is and what, in pieces that NOTIFY takes.

    [7, [["lane", "support|telegram|42"], ["work", ""]]]

Rules: what cannot be read (a kind of a newer daemon) is left out; what is too long to be told is a gap for whoever
listens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from runner.ports.fleet import News, NewsKind

CHANNEL = "botrunner"
MOST_BYTES = 7_900
"""NOTIFY takes less than 8000."""
_FRAME = 24
"""Bytes around the list, at most."""
_KINDS = {str(kind): kind for kind in NewsKind}


def payloads(daemon: int, news: Iterable[News]) -> list[str]:
    """What is sent for these, in order."""
    pieces: list[list[str]] = [[]]
    room = MOST_BYTES - _FRAME
    for one in news:
        text = json.dumps([one.kind, one.text])
        if len(text) > MOST_BYTES - _FRAME:
            text = json.dumps([NewsKind.GAP, ""])
        if len(text) + 2 > room:
            pieces.append([])
            room = MOST_BYTES - _FRAME
        pieces[-1].append(text)
        room -= len(text) + 2
    return [f"[{daemon}, [{', '.join(piece)}]]" for piece in pieces if piece]


def news_from(payload: str) -> tuple[int, list[News]]:
    """Whose it is, and what was told; 0 and nothing where it is not ours."""
    try:
        daemon, told = json.loads(payload)
        return int(daemon), [
            News(_KINDS[kind], str(text), 0 if kind == NewsKind.GAP else int(daemon))
            for kind, text in told
            if kind in _KINDS
        ]
    except (ValueError, TypeError):
        return 0, []
