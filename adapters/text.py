"""Long replies in parts that a platform takes. Pure.

    split(text, limit, units) ─▶ parts, each of 1 to `limit` units, in order

Rules: a part ends at the best place in its last three quarters: a blank line, else a line, else a sentence, else
a word; where there is none of these it ends anywhere but inside what a reader sees as one character. A fenced
code block that must be cut is closed in one part and opened again, with its language, in the next. Nothing but
white space at the cuts is lost; no part is blank; a blank text has no parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)[ \t]*([^\n`]*)$", re.MULTILINE)
_CUTS = (
    re.compile(r"\n(?:[ \t]*\n)+"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])"),
    re.compile(r"\s+"),
)
_JOINER = "\u200d"
_LONGEST_CHARACTER = 64
_ROOM_FOR_TEXT = 16


def utf16_units(text: str) -> int:
    """Length as Telegram counts it: characters beyond the basic plane are two."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, limit: int, units: str = "characters") -> list[str]:
    """Cut a text into parts.

    Args:
        limit: the longest part, in `units`; at least 2, for a character may have two.
        units: "utf16" or "characters".
    """
    count: Callable[[str], int] = utf16_units if units == "utf16" else len
    parts: list[str] = []
    rest, opening = text.strip("\n").rstrip(), ""
    while rest.strip():
        if count(opening + rest) <= limit:
            parts.append(opening + rest)
            break
        part, rest, opening = _first(rest, opening, limit, count)
        if part.strip():
            parts.append(part)
    return parts


def _first(rest: str, opening: str, limit: int, count: Callable[[str], int]) -> tuple[str, str, str]:
    """The first part, what is left, and the fence that the next part has to open."""
    room = limit - count(opening)
    end, after = _cut(rest, _fitting(rest, room, count))
    fence = _open_fence(opening + rest[:end])
    if fence is None:
        return opening + rest[:end].rstrip(), rest[after:], ""
    closing = "\n" + fence[0]
    reopening = f"{fence[0]}{fence[1]}\n"
    if limit < count(closing) + count(reopening) + _ROOM_FOR_TEXT:
        return opening + rest[:end].rstrip(), rest[after:], ""  # too little room for fences: plain cuts
    end, after = _cut(rest, _fitting(rest, room - count(closing), count))
    fence = _open_fence(opening + rest[:end])
    if fence is None:  # the shorter cut is before the fence
        return opening + rest[:end].rstrip(), rest[after:], ""
    body = (opening + rest[:end]).rstrip()
    if body == f"{fence[0]}{fence[1]}".rstrip():
        return "", rest[after:], reopening  # nothing in it yet
    return body + closing, rest[after:], reopening


def _fitting(text: str, room: int, count: Callable[[str], int]) -> int:
    """The most characters of the text that fit into the room."""
    most = min(len(text), max(1, room))
    while most > 1 and (over := count(text[:most]) - room) > 0:
        most -= max(1, over // 2)
    return max(1, most)


def _cut(text: str, fits: int) -> tuple[int, int]:
    """Where to end, at most at `fits`, and where to go on."""
    if fits >= len(text):
        return len(text), len(text)
    for place in _CUTS:
        last = None
        for found in place.finditer(text, fits // 4, min(len(text), fits + 1)):
            if 0 < found.start() <= fits:
                last = found
        if last is not None:
            return last.start(), last.end()
    end = fits
    while end > max(1, fits - _LONGEST_CHARACTER) and _belongs(text[end - 1], text[end]):
        end -= 1
    if _belongs(text[end - 1], text[end]):
        end = fits  # longer than any real character
    return end, end


def _belongs(left: str, right: str) -> bool:
    """Whether the two are parts of one character as a reader sees it."""
    flags = ("\U0001f1e6", "\U0001f1ff")
    return bool(
        unicodedata.combining(right)
        or _JOINER in (left, right)
        or "\ufe00" <= right <= "\ufe0f"
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or (flags[0] <= left <= flags[1] and flags[0] <= right <= flags[1])
        or (left == "\r" and right == "\n")
    )


def _open_fence(text: str) -> tuple[str, str] | None:
    """The fence that is open at the end of the text, with its language."""
    opened: tuple[str, str] | None = None
    for found in _FENCE.finditer(text):
        mark, language = found[1], found[2].strip()
        if opened is None:
            opened = mark, language
        elif mark[0] == opened[0][0] and len(mark) >= len(opened[0]) and not language:
            opened = None
    return opened
