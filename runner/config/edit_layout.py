"""Where each value of a YAML text stands: what an edit needs to change one of them and nothing beside it. Pure.

Rules: offsets count the characters of the text; a value's span has its anchor and tag in it and ends with its own
last character, so that comments and empty lines behind it are outside; an alias stands where it is written and not
where it points to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML, events

from runner.config.document import DEEPEST, masked

_BLOCKS = frozenset({"|", ">"})


@dataclass(frozen=True, slots=True)
class Spot:
    """One value.

    Attributes:
        kind: `plain`: on one or more lines, quoted or not; `block`: after `|` or `>`.
        start: its first character.
        end: behind its last one; the same as `start` where nothing is written.
        column: of its first character, from 0.
        flow: written in {braces} or [brackets].
        pairs: the entries of a mapping.
    """

    kind: Literal["plain", "block", "map", "list", "alias"]
    start: int
    end: int
    column: int
    flow: bool = False
    pairs: tuple[Pair, ...] = ()

    def entry(self, key: str | int) -> Pair | None:
        """The entry of that key that is written here, not merged in."""
        return next((pair for pair in self.pairs if pair.name == str(key)), None)


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry of a mapping. `colon`: the offset behind its colon."""

    name: str | None
    key: Spot
    colon: int
    value: Spot


def layout(text: str) -> Spot | None:
    """The document's value; None for an empty text. Raises what ruamel.yaml does."""
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    yaml.composer.warn_double_anchors = False
    reading = _Reading(text, iter(yaml.parse(masked(text))))
    for event in reading.events:
        if isinstance(event, events.DocumentStartEvent):
            return reading.spot(next(reading.events))
    return None


class _Reading:
    """The events of one text, on their way to spots."""

    def __init__(self, text: str, parsed: Iterator[Any]) -> None:
        self._text = text
        self.events = parsed

    def spot(self, event: Any) -> Spot:  # noqa: ANN401 - ruamel's events have no common typed face
        start, end = event.start_mark.index, event.end_mark.index
        column = int(event.start_mark.column)
        if isinstance(event, events.AliasEvent):
            return Spot("alias", start, end, column)
        if isinstance(event, events.ScalarEvent):
            if event.style in _BLOCKS:
                return Spot("block", start, start + len(self._text[start:end].rstrip()), column)
            return Spot("plain", start, end, column)
        flow = bool(event.flow_style)
        if isinstance(event, events.MappingStartEvent):
            pairs, closed = self._pairs()
            end = closed if flow else pairs[-1].value.end
            return Spot("map", start, end, pairs[0].key.column if pairs else column, flow, pairs)
        items, closed = self._items()
        return Spot("list", start, closed if flow else items[-1].end, column, flow)

    def _pairs(self) -> tuple[tuple[Pair, ...], int]:
        """The entries up to the mapping's end, and the offset behind its brace."""
        pairs: list[Pair] = []
        for event in self.events:
            if isinstance(event, events.MappingEndEvent):
                return tuple(pairs), event.end_mark.index
            name = event.value if isinstance(event, events.ScalarEvent) else None
            key = self.spot(event)
            value = self.spot(next(self.events))
            colon = self._text.find(":", key.end) + 1
            if value.start == value.end:  # its mark is where the next thing begins
                value = Spot("plain", colon, colon, value.column)
            pairs.append(Pair(name, key, colon, value))
        raise ValueError("a mapping without an end")

    def _items(self) -> tuple[list[Spot], int]:
        items: list[Spot] = []
        for event in self.events:
            if isinstance(event, events.SequenceEndEvent):
                return items, event.end_mark.index
            item = self.spot(event)
            if item.start == item.end:
                dash = self._text.rfind("-", 0, item.start) + 1
                item = Spot("plain", dash, dash, item.column)
            items.append(item)
        raise ValueError("a list without an end")
