"""A file's text, cut into passages that can be found and shown on their own. Pure.

    # Returns            a heading goes into the passages below it, until the next one
    Within 30 days ...   paragraphs are put together up to TARGET characters, longer ones are cut between sentences

Rules: nothing is left out but blank lines; a passage has at most `MAX_PASSAGE` characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runner.ports.knowledge import MAX_PASSAGE

TARGET = 900
_LONGEST_HEADING = 120
_BETWEEN = "\n\n"
_HEADING = re.compile(r"#{1,6}\s+(\S.*)")
_BLANK = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before anybody looked for it. `heading`: the nearest above it; empty: none."""

    heading: str
    text: str


def pieces(text: str) -> Iterator[Piece]:
    """All passages of a text, in order."""
    heading = ""
    gathered: list[str] = []
    room = TARGET
    for block in _blocks(text):
        if isinstance(block, _Heading):
            yield from _joined(heading, gathered)
            heading, gathered, room = block.text, [], TARGET
            continue
        if gathered and len(block) > room:
            yield from _joined(heading, gathered)
            gathered, room = [], TARGET
        gathered.append(block)
        room -= len(block) + len(_BETWEEN)
    yield from _joined(heading, gathered)


@dataclass(frozen=True, slots=True)
class _Heading:
    text: str


def _blocks(text: str) -> Iterator[_Heading | str]:
    """Headings, and paragraphs that are not too long."""
    for paragraph in _BLANK.split(text.replace("\r\n", "\n")):
        lines: list[str] = []
        for line in paragraph.strip().split("\n"):
            heading = _HEADING.fullmatch(line.strip())
            if heading is None:
                lines.append(line.rstrip())
                continue
            yield from _cut("\n".join(lines))
            lines = []
            yield _Heading(heading[1].rstrip("# ")[:_LONGEST_HEADING])
        yield from _cut("\n".join(lines))


def _cut(paragraph: str) -> Iterator[str]:
    """A paragraph in parts of at most `MAX_PASSAGE`: between lines, sentences or words, wherever that can be."""
    rest = paragraph.strip()
    while len(rest) > MAX_PASSAGE:
        end = max(rest.rfind(mark, TARGET // 2, MAX_PASSAGE) + 1 for mark in ("\n", ". ", "? ", "! "))
        end = end or rest.rfind(" ", TARGET // 2, MAX_PASSAGE) + 1 or MAX_PASSAGE
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def _joined(heading: str, gathered: list[str]) -> Iterator[Piece]:
    text = _BETWEEN.join(gathered)
    if text:
        yield Piece(heading, text)
