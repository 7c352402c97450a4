"""Changes to the text of a YAML file, and to nothing else in it. Pure.

    Put(where, value)     the value of that path becomes this one; what is missing on the way to it is made
    Remove(where)         the entry of that path goes, with what is in it

Rules: only the characters of the value change, or lines are added or taken out; comments, order, quotes and line
ends stay as the operator wrote them, and a comment behind a value outlives it. A change may have several ways to be
written: each is read again, and the first one that is the old values with that one difference is taken; where there
is none, the place is left to a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.config.document import Plain, read_document
from runner.config.edit_layout import Pair, Spot, layout
from runner.config.edit_writing import INDENT, can_be_written, flow, lines_of
from runner.config.problems import Path, Problem, did_you_mean, dotted

_HEADER = re.compile(r"(?:[&!]\S*\s+)*[|>][+-]?[0-9]?[+-]?")
_MINE = 3
"""Keys down to a bot's field: further down, a field may be written anew as a whole."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set one value; `new`: its entry goes behind the others of its mapping."""

    where: Path
    value: Plain
    new: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Take one entry out."""

    where: Path


Change: TypeAlias = Put | Remove


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


class _Unclear(Exception):
    """The place cannot be edited without touching anything else; the text is the problem's message."""


def with_changes(text: str, file: str, changes: Sequence[Change]) -> str | Problem:
    """The text with all these changes, or why one of them cannot be made."""
    for change in changes:
        made = _changed(text, file, change)
        if isinstance(made, Problem):
            return made
        text = made
    return text


def intended(data: Plain, change: Change) -> Plain:
    """The values with that one difference; what is not on the way is shared, nothing is changed."""
    where = change.where
    if not where:
        return change.value if isinstance(change, Put) else None
    own = data if isinstance(data, dict) else {}
    if len(where) == 1 and isinstance(change, Remove):
        return {key: value for key, value in own.items() if key != where[0]}
    if isinstance(change, Remove) and not isinstance(own.get(str(where[0])), dict):
        return data
    inner = Put(where[1:], change.value) if isinstance(change, Put) else Remove(where[1:])
    return {**own, str(where[0]): intended(own.get(str(where[0])), inner)}


def same(one: Plain, other: Plain) -> bool:
    """Equal, and of the same kinds: 1 is not true, and not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _changed(text: str, file: str, change: Change) -> str | Problem:
    document = read_document(text, file)
    if document.data is None or document.problems:
        return document.problems[0] if document.problems else Problem(file, 0, "", "is empty")
    where = change.where

    def problem(message: str) -> Problem:
        return Problem(file, document.line_of(where), dotted(where), message)

    if isinstance(change, Put) and not can_be_written(change.value):
        return problem("must be Unicode text and finite numbers")
    wanted = intended(document.data, change)
    if same(wanted, document.data):
        return text
    try:
        for edits in _ways(text, document.data, change):
            after = _applied(text, edits)
            again = read_document(after, file)
            if not again.problems and same(again.data, wanted):
                return after
    except _Unclear as fault:
        return problem(str(fault))
    return problem("cannot be changed without touching more of the file; change it by hand")


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _ways(text: str, data: Plain, change: Change) -> Iterator[Sequence[_Edit]]:
    """Ways to write a change, the one that touches least first."""
    root = layout(text)
    yield from _near(text, root, change)
    where = change.where
    if len(where) > _MINE and root is not None:
        whole = intended(data, change)
        for key in where[:-1]:
            whole = whole[key]
        yield from _ways(text, data, Put(where[:-1], whole))


def _near(text: str, root: Spot | None, change: Change) -> Iterator[Sequence[_Edit]]:
    """As `_ways`, at the very place."""
    pairs, here, missing = _way_down(root, change.where)
    if here is None or here.kind != "map":
        return
    entry = here.entry(change.where[-1]) if not missing else None
    if isinstance(change, Remove):
        if entry is not None:
            yield from _taken_out(text, here, entry, pairs[-1] if pairs else None)
        return
    value = change.value
    for key in reversed(missing[1:]):
        value = {str(key): value}
    if entry is not None:
        yield _replaced(text, here, entry, value)
        return
    key = flow(str(missing[0] if missing else change.where[-1]))
    yield from _added(text, here, pairs[-1] if pairs else None, key, Put((), value, change.new))


def _way_down(root: Spot | None, where: Path) -> tuple[list[Pair], Spot | None, Path]:
    """The entries down to the mapping that holds the path's end, that mapping, and which keys it lacks.

    Raises:
        _Unclear: there is no such thing under `bots`, or it is no mapping.
    """
    pairs: list[Pair] = []
    here = root
    for depth, key in enumerate(where[:-1]):
        if here is None or here.kind != "map":
            break
        pair = here.entry(key)
        if pair is None or (pair.value.kind == "plain" and pair.value.start == pair.value.end):
            if depth < _MINE - 1:
                names = [name.name for name in here.pairs if name.name]
                raise _Unclear(f"there is no {dotted(where[: depth + 1])}{did_you_mean(str(key), names)}")
            return pairs, here, where[depth:]
        pairs.append(pair)
        here = pair.value
    if here is None or here.kind != "map":
        if len(where) <= _MINE:
            raise _Unclear(f"{dotted(where[:-1])} is no mapping that a field can be added to")
        return pairs, None, ()
    return pairs, here, ()


def _replaced(text: str, mapping: Spot, entry: Pair, value: Plain) -> list[_Edit]:
    """The entry's value becomes another one; comments on its key's line stay there."""
    old = entry.value
    if mapping.flow:
        return [_Edit(old.start, old.end, flow(value) if old.start < old.end else f" {flow(value)}")]
    newline = _newline(text)
    first, *more = lines_of(value, " " * (mapping.column + len(INDENT)))
    line_end = _line_end(text, entry.colon)
    if old.start >= line_end or old.kind == "block":
        head = old.start + len(_header(text, old)) if old.kind == "block" else entry.colon
        edits = [_Edit(entry.colon, head, first), _Edit(line_end, max(line_end, old.end), "")]
    elif old.start == old.end or not first:
        edits = [_Edit(entry.colon, old.end, first)]
    else:
        edits = [_Edit(old.start, old.end, first.lstrip(" "))]
    behind = _line_end(text, max(old.end, entry.colon))
    body = "".join(f"{newline}{line}" for line in more)
    if body and behind == len(text):
        body += newline  # else a text of several lines would lose its own last line break
    return [*edits, _Edit(behind, behind, body)] if body else edits


def _header(text: str, old: Spot) -> str:
    found = _HEADER.match(text, old.start)
    return "" if found is None else found[0]


def _added(text: str, mapping: Spot, parent: Pair | None, key: str, put: Put) -> Iterator[Sequence[_Edit]]:
    """A new entry of the mapping, in its own style."""
    if mapping.flow:
        start, end = mapping.start, mapping.end
        brace = text.index("{", start) + 1
        more = ", " if mapping.pairs else ""
        if put.new and mapping.pairs:
            last = mapping.pairs[-1].value.end
            yield [_Edit(last, last, f", {key}: {flow(put.value)}")]
        yield [_Edit(brace, brace, f"{key}: {flow(put.value)}{more}")]
        if not mapping.pairs and parent is not None:
            first, *lines = lines_of(put.value, " " * (parent.key.column + 2 * len(INDENT)))
            entry = [f"{' ' * (parent.key.column + len(INDENT))}{key}:{first}", *lines]
            yield [_Edit(start, end, ""), *_after(text, end, entry)]
        return
    indent = " " * mapping.column
    first, *lines = lines_of(put.value, indent + INDENT)
    entry = [f"{indent}{key}:{first}", *lines]
    top = mapping.pairs[0]
    bottom = mapping.pairs[-1].value
    if put.new:
        blank = [""] if len(mapping.pairs) > 1 and _blank_before(text, mapping.pairs[-1].key.start) else []
        yield _after(text, _with_deeper_comments(text, bottom.end, mapping.column), [*blank, *entry])
        yield _after(text, bottom.end, [*blank, *entry])
    elif top.value.kind in {"plain", "alias"} and "\n" not in text[top.key.start : top.value.end]:
        yield _after(text, top.value.end, entry)
    if parent is not None:
        yield _after(text, parent.colon, entry)
    yield _after(text, bottom.end, entry)


def _taken_out(text: str, mapping: Spot, entry: Pair, parent: Pair | None) -> Iterator[Sequence[_Edit]]:
    """The entry goes; comments behind it stay, as lines of their own."""
    start, end = entry.key.start, max(entry.value.end, entry.colon)
    if mapping.flow:
        index = mapping.pairs.index(entry)
        if index + 1 < len(mapping.pairs):
            yield [_Edit(start, mapping.pairs[index + 1].key.start, "")]
        elif index:
            yield [_Edit(mapping.pairs[index - 1].value.end, end, "")]
        yield [_Edit(start, end, "")]
        return
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():
        return
    behind = _line_end(text, end)
    bare = (
        [_Edit(parent.colon, parent.colon, " {}")] if len(mapping.pairs) == 1 and parent is not None else []
    )
    comments = [text[end:behind].strip()]
    if _line_end(text, entry.colon) < end:
        between = text[entry.colon : _line_end(text, entry.colon)].strip()
        comments.insert(0, between[between.find("#") :] if between.startswith("#") else "")
    kept = [f"{text[line:start]}{comment}" for comment in comments if comment.startswith("#")]
    if kept:
        yield [_Edit(line, behind, _newline(text).join(kept)), *bare]
        return
    below = min(len(text), text.find("\n", behind) + 1 or len(text))
    follows = text[below : _line_end(text, below)]
    if _blank_before(text, start) and (not follows.strip() or not follows.startswith(text[line:start])):
        yield [_Edit(text.rfind("\n", 0, line - 1) + 1, below, ""), *bare]
    yield [_Edit(line, below, ""), *bare]


def _after(text: str, place: int, lines: Sequence[str]) -> list[_Edit]:
    """These lines behind the line of that place."""
    end = text.find("\n", place)
    newline = _newline(text)
    if end < 0:
        last = newline if len(lines) > 1 else ""
        return [_Edit(len(text), len(text), newline + newline.join(lines) + last)]
    return [_Edit(end + 1, end + 1, "".join(f"{line}{newline}" for line in lines))]


def _with_deeper_comments(text: str, place: int, column: int) -> int:
    """Behind the comments that follow and are indented further: they belong to what is above them."""
    end = text.find("\n", place)
    while end >= 0:
        follows = text[end + 1 : _line_end(text, end + 1)]
        inside = len(follows) - len(follows.lstrip(" "))
        if not follows.strip() or not follows.lstrip().startswith("#") or inside <= column:
            break
        place, end = end + 1, text.find("\n", end + 1)
    return place


def _blank_before(text: str, start: int) -> bool:
    line = text.rfind("\n", 0, start)
    above = text.rfind("\n", 0, max(line, 0))
    return line > 0 and not text[above + 1 : line].strip()


def _line_end(text: str, place: int) -> int:
    """The offset of that line's end, its line break outside."""
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return end - 1 if end > place and text[end - 1 : end] == "\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
