"""Markdown, as models write it, as a text with Telegram's entities. Pure.

    text ──markdown-it-py──▶ tokens ──▶ plain text + [{type, offset, length, …}]      offsets in UTF-16 units

Rules: no text is lost, whatever it looks like (`vector<int>` stays). Entities are nested as Telegram wants it: one
holds the other or they are apart, code holds nothing and only a quote holds code; quotes are not nested. A link
leads to http or https, never to a user, whom it would call. A text that would become longer than a message, or
blank, is sent as it came.

| Markdown            | Telegram                    | Markdown          | Telegram                            |
|---------------------|-----------------------------|-------------------|-------------------------------------|
| **strong**, heading | bold                        | `code`            | code                                |
| *em*                | italic                      | ```block```       | pre with its language               |
| ~~gone~~            | strikethrough               | table             | pre; a row a line where it is wide  |
| [text](url)         | text_link                   | - item, 1. item   | • item, 1. item                     |
| ![alt](url)         | text_link                   | > quote           | blockquote                          |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.markup import is_marked, parser
from adapters.text import utf16_units

if TYPE_CHECKING:  # loaded with the first reply that has markup in it
    from markdown_it.token import Token

MOST_UNITS = 4096
MOST_ENTITIES = 100
"""Telegram leaves out what comes after these."""
_RULE = "———"
_WIDEST_TABLE = 60
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")
_LINKED = re.compile(r"https?://[^\s/?#]+\.[^\s/?#]+(?:[/?#]\S*)?")
"""Telegram makes no link to a host without a dot."""
_STYLES: Mapping[str, str] = {"strong_open": "bold", "em_open": "italic", "s_open": "strikethrough"}
_LEAVES = frozenset({"inline", "fence", "code_block", "hr", "table_open"})
_STEP = "  "
_BETWEEN = " | "

Entity = dict[str, Any]


def rendered(text: str) -> tuple[str, list[Entity]]:
    """The text as Telegram shows it, and its entities; the text as it came where that would not fit."""
    if not is_marked(text):
        return text, []
    writer = _Writer(text.split("\n"))
    writer.blocks(parser().parse(text))
    shown = "".join(writer.pieces)
    if not shown.strip() or writer.units > MOST_UNITS:
        return text, []
    entities = sorted(writer.entities, key=lambda entity: (entity["offset"], -entity["length"]))
    return shown, entities[:MOST_ENTITIES]


class _Writer:
    """One text on its way. Line breaks between blocks are those of the source, at most one blank line."""

    __slots__ = ("_indent", "_line", "_lists", "_open", "_source", "entities", "pieces", "units")

    def __init__(self, source: Sequence[str]) -> None:
        self.pieces: list[str] = []
        self.units = 0
        self.entities: list[Entity] = []
        self._source = source
        self._open: list[Entity | None] = []
        self._indent = ""
        self._lists: list[int | None] = []
        self._line = 0

    def blocks(self, tokens: Sequence[Token]) -> None:
        """Write blocks, one below another."""
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.map is not None and token.nesting >= 0 and token.type != "inline":
                self._go_to(token.map[0])
            if token.type == "table_open":
                end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
                self._table(tokens[at:end])
                at = end
            else:
                self._write(token)
            if token.map is not None and token.type in _LEAVES:
                self._line = token.map[1] - 1
            at += 1

    def _write(self, token: Token) -> None:
        way = _WAYS.get(token.type)
        if way is not None:
            way(self, token)
        elif token.children:
            for child in token.children:
                self._write(child)
        else:
            self._put(token.content)

    # ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────
    def heading(self, token: Token) -> None:
        self._begin({"type": "bold"})

    def quote(self, token: Token) -> None:
        self._begin({"type": "blockquote"})

    def list_(self, token: Token) -> None:
        self._lists.append(int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None)

    def end_list(self, token: Token) -> None:
        self._lists.pop()

    def item(self, token: Token) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        self._put("• " if number is None else f"{number}. ")
        self._indent += _STEP

    def end_item(self, token: Token) -> None:
        self._indent = self._indent.removesuffix(_STEP)

    def code_block(self, token: Token) -> None:
        language = _LANGUAGE.match(token.info.strip())
        self._pre(token.content.rstrip("\n"), language[0] if language else None)

    def rule(self, token: Token) -> None:
        self._put(_RULE)

    def _table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(_words(token))
        first, end = tokens[0].map or (0, 0)
        written = "\n".join(self._source[first:end])
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        if _letters(written) > sum(_letters(cell) for row in rows for cell in row):
            self._pre(written, None)  # a row with more cells than the first, which the parser drops
        elif sum(widths) + len(_BETWEEN) * len(widths) > _WIDEST_TABLE:
            self._put("\n".join(" – ".join(cell for cell in row if cell) for row in rows))
        else:
            rows.insert(1, ["-" * width for width in widths])
            lines = (_BETWEEN.join(map(str.ljust, row, widths)).rstrip() for row in rows)
            self._pre("\n".join(lines), None)

    # ── spans ────────────────────────────────────────────────────────────────────────────────────────────────
    def style(self, token: Token) -> None:
        self._begin({"type": _STYLES[token.type]})

    def end(self, token: Token) -> None:
        entity = self._open.pop()
        if entity is not None:
            self._add(entity)

    def break_(self, token: Token) -> None:
        self._put("\n")

    def code_span(self, token: Token) -> None:
        if self._is_open("text_link"):
            self._put(token.content)  # where it leads is worth more than how it looks
        else:
            self._code({"type": "code"}, token.content)

    def link(self, token: Token) -> None:
        url = str(token.attrs.get("href", ""))
        self._begin({"type": "text_link", "url": "" if token.markup == "autolink" else url})

    def end_link(self, token: Token) -> None:
        entity = self._open.pop()
        if entity is None:
            return
        url = entity["url"]
        if self.units == entity["offset"]:
            self._put(url)
        elif _LINKED.fullmatch(url):
            self._add(entity)
        elif url:
            self._put(f" ({url.removeprefix('mailto:')})")

    def image(self, token: Token) -> None:
        url = str(token.attrs.get("src", ""))
        if not self._is_open("text_link"):
            self._begin({"type": "text_link", "url": url})
            self._put(_words(token))
            self.end_link(token)
        else:
            self._put(_words(token))

    # ── text ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _go_to(self, line: int) -> None:
        """Begin a block that begins on this line of the source."""
        if self.units and line > self._line:
            self._put("\n" if line == self._line + 1 else "\n\n")
        self._line = line

    def _put(self, text: str) -> None:
        if self._indent and "\n" in text:
            text = text.replace("\n", f"\n{self._indent}")
        self.pieces.append(text)
        self.units += utf16_units(text)

    def _is_open(self, kind: str) -> bool:
        return any(entity is not None and entity["type"] == kind for entity in self._open)

    def _begin(self, entity: Entity) -> None:
        """Open an entity here; one inside of its own kind is none."""
        self._open.append(None if self._is_open(entity["type"]) else {**entity, "offset": self.units})

    def _add(self, entity: Entity) -> None:
        """An entity that began at its offset ends here."""
        length = self.units - entity["offset"]
        if length > 0:
            self.entities.append({**entity, "length": length})

    def _pre(self, content: str, language: str | None) -> None:
        indent, self._indent = self._indent, ""
        self._code({"type": "pre"} if language is None else {"type": "pre", "language": language}, content)
        self._indent = indent

    def _code(self, entity: Entity, content: str) -> None:
        """Code: what is open around it, but for a quote, ends before it and goes on after it."""
        around = [open_ for open_ in self._open if open_ is not None and open_["type"] != "blockquote"]
        for open_ in around:
            self._add(open_)
        start = self.units
        self._put(content)
        self._add({**entity, "offset": start})
        for open_ in around:
            open_["offset"] = self.units


def _words(token: Token) -> str:
    """The bare text of what is in a token, on one line."""
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.children:
        return "".join(map(_words, token.children))
    return token.content


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


_WAYS: Mapping[str, Callable[[_Writer, Token], None]] = {
    "heading_open": _Writer.heading,
    "heading_close": _Writer.end,
    "blockquote_open": _Writer.quote,
    "blockquote_close": _Writer.end,
    "bullet_list_open": _Writer.list_,
    "ordered_list_open": _Writer.list_,
    "bullet_list_close": _Writer.end_list,
    "ordered_list_close": _Writer.end_list,
    "list_item_open": _Writer.item,
    "list_item_close": _Writer.end_item,
    "fence": _Writer.code_block,
    "code_block": _Writer.code_block,
    "hr": _Writer.rule,
    **dict.fromkeys(_STYLES, _Writer.style),
    **{name.replace("_open", "_close"): _Writer.end for name in _STYLES},
    "softbreak": _Writer.break_,
    "hardbreak": _Writer.break_,
    "code_inline": _Writer.code_span,
    "link_open": _Writer.link,
    "link_close": _Writer.end_link,
    "image": _Writer.image,
}
