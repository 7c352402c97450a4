"""Markdown, as models write it, in the markup of a chat. Pure.

    text ──markdown-it-py──▶ tree ──Dialect──▶ what the platform shows        render(text, DISCORD, limit)

Rules: nothing that a reader could read is lost: what a platform cannot show (tables, images, deep headings) is
written in a plainer way. What the model wrote as plain text stays plain: it neither becomes markup nor a mention
of everyone (`@everyone`, `@here`, `<@id>`, `<!channel>`), on platforms that know an escape. Code is left as it is.
A text that would grow over the limit goes out as it came: platforms must be told to ping nobody besides.

| Markdown      | DISCORD              | WHATSAPP        | PLAIN         |
|---------------|----------------------|-----------------|---------------|
| **strong**    | **strong**           | *strong*        | strong        |
| *em*          | *em*                 | _em_            | em            |
| ~~gone~~      | ~~gone~~             | ~gone~          | gone          |
| # heading     | # heading, 4–6: bold | *heading*       | heading       |
| [text](url)   | [text](<url>)        | text (url)      | text (url)    |
| ![alt](url)   | [alt](url)           | alt (url)       | alt (url)     |
| - item        | - item               | - item          | • item        |
| table         | code block           | code block      | a row a line  |
| ---           | ───                  | ───             | ───           |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded with the first reply that has markup in it
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

_MARKED = re.compile(
    r"[\\`*_\[\]<>#!|~&@=]|https?://|^\s*[-+]|^\s*\d{1,9}[.)]|^(?: {4}|\t)| {2}$", re.MULTILINE
)
_URL = re.compile(r"https?://[^\s<>]+")
_DEEPEST = 100
_RULE = "───"
_WIDEST_TABLE = 120
_NOTHING = "\u200b"

_DISCORD_SPECIAL = re.compile(
    r"[*`|~]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore inside a word is harmless
    r"|\\(?=[^\w\s])"
    r"|<(?=[@#!/:a-zA-Z])"
    r"|\](?=\()"
)
_DISCORD_LINE = re.compile(r"^(\s*)(#{1,3}(?=\s)|-#|>|[-+](?=\s)|\d+(?=\.\s))", re.MULTILINE)
_PING = re.compile(r"@(?=everyone|here\b)", re.IGNORECASE)
_SLACK_PING = re.compile(r"<(?=[!@#])")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The marks of one platform.

    Attributes:
        strong, em, strike: what stands before and after, the same on both sides.
        spans_lines: whether a mark may begin on one line and end on another.
        headings: up to which level `#` is a heading; deeper ones are strong.
        fences: whether there are code blocks; languages: whether these may name their language.
        links: whether a link may have a text of its own.
        bullet: what an item of a list begins with.
        text: makes plain text safe.
    """

    strong: str
    em: str
    strike: str
    text: Callable[[str], str]
    spans_lines: bool = True
    headings: int = 0
    fences: bool = True
    languages: bool = False
    links: bool = False
    quote: str = "> "
    bullet: str = "- "


def safe(text: str) -> str:
    """The same text, but nobody is pinged by it: for text that is sent without being rendered."""
    return _SLACK_PING.sub(f"<{_NOTHING}", _PING.sub(f"@{_NOTHING}", text))


def _discord_text(text: str) -> str:
    """Plain text for Discord: its marks escaped, apart from what is inside of a bare address."""
    parts, last = [], 0
    for url in _URL.finditer(text):
        parts += [_DISCORD_SPECIAL.sub(r"\\\g<0>", text[last : url.start()]), url[0]]
        last = url.end()
    parts.append(_DISCORD_SPECIAL.sub(r"\\\g<0>", text[last:]))
    return _PING.sub(f"@{_NOTHING}", "".join(parts))


def _discord_line(text: str) -> str:
    """What would begin a heading, a list or a quote at the start of a line that is none."""
    return _DISCORD_LINE.sub(lambda found: f"{found[1]}{_escaped_start(found[2])}", text)


def _escaped_start(mark: str) -> str:
    return f"{mark}\\" if mark.isdigit() else f"\\{mark}"


DISCORD = Dialect(
    strong="**", em="*", strike="~~", text=_discord_text, headings=3, languages=True, links=True
)
WHATSAPP = Dialect(strong="*", em="_", strike="~", text=safe, spans_lines=False)
PLAIN = Dialect(strong="", em="", strike="", text=safe, fences=False, quote="", bullet="• ")


def render(text: str, dialect: Dialect, limit: int | None = None, count: Callable[[str], int] = len) -> str:
    """Show a Markdown text in a dialect.

    Args:
        limit: the longest result, as `count` counts it. One that would be longer is `safe(text)` instead; and
            where only the few characters that make it safe are too many, the text as it came.
    """
    if not is_marked(text):
        return text
    shown = _Renderer(dialect, text).blocks(_tree(text).children)
    if shown.strip() and (limit is None or count(shown) <= limit):
        return shown
    bare = safe(text)
    return bare if limit is None or count(bare) <= limit else text


def is_marked(text: str) -> bool:
    """Whether there can be any markup in a text; where not, it need not be parsed."""
    return _MARKED.search(text) is not None


@cache
def parser() -> MarkdownIt:
    """Reads Markdown as models write it, without losing any of it: HTML and unused references are plain text."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - see above

    # Without references: a definition that nothing refers to would vanish.
    return (
        MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
        .enable(["table", "strikethrough"])
        .disable(["reference", "html_block", "html_inline"])
    )


def _tree(text: str) -> SyntaxTreeNode:
    from markdown_it.tree import SyntaxTreeNode  # noqa: PLC0415 - see above

    return SyntaxTreeNode(parser().parse(text))


class _Renderer:
    """One text in one dialect."""

    __slots__ = ("_dialect", "_source", "_strong")

    def __init__(self, dialect: Dialect, source: str) -> None:
        self._dialect = dialect
        self._source = source
        self._strong = False

    def blocks(self, nodes: Sequence[SyntaxTreeNode], *, between: str = "\n\n") -> str:
        """Blocks one below another."""
        shown, before = "", ""
        for node in nodes:
            block = self._block(node)
            if block.strip():
                shown += block if not shown else ("\n" if before == "heading" else between) + block
                before = node.type
        return shown

    def _block(self, node: SyntaxTreeNode) -> str:
        way = _BLOCKS.get(node.type)
        if way is not None:
            return way(self, node)
        return self.blocks(node.children) if node.children else self._dialect.text(node.content)

    def quote(self, node: SyntaxTreeNode) -> str:
        return _prefixed(self.blocks(node.children), self._dialect.quote)

    def rule(self, node: SyntaxTreeNode) -> str:
        return _RULE

    def code_block(self, node: SyntaxTreeNode) -> str:
        return self._code(node.content, node.info)

    def paragraph(self, node: SyntaxTreeNode) -> str:
        shown = self.inline(node)
        return _discord_line(shown) if self._dialect.headings else shown

    def heading(self, node: SyntaxTreeNode) -> str:
        level = int(node.tag[1:])
        if level <= self._dialect.headings:
            return f"{'#' * level} {self.inline(node)}"
        self._strong = True
        shown = self.inline(node)
        self._strong = False
        return self._wrapped(shown, self._dialect.strong)

    def list_(self, node: SyntaxTreeNode) -> str:
        ordered = node.type == "ordered_list"
        first = int(node.attrs.get("start", 1)) if ordered else 0
        items = []
        for number, item in enumerate(node.children, first):
            mark = f"{number}. " if ordered else self._dialect.bullet
            # Two spaces are one level everywhere; more would be code in Markdown and nothing elsewhere.
            inside = self.blocks(item.children, between="\n")
            items.append(mark + inside.replace("\n", "\n" + " " * (3 if ordered else 2)))
        return "\n".join(items)

    def _code(self, content: str, info: str) -> str:
        body = content.rstrip("\n")
        if not self._dialect.fences:
            return self._dialect.text(body)
        language = re.match(r"[\w+#-]*", info.strip()) if self._dialect.languages else None
        fence_free = body.replace("```", f"`{_NOTHING}``")
        return f"```{language[0] if language else ''}\n{fence_free}\n```"

    def table(self, node: SyntaxTreeNode) -> str:
        plain = _Renderer(_CELLS, "")
        rows = [
            [plain.inline(cell).replace("\n", " ") for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        first, end = node.map or (0, 0)
        written = "\n".join(self._source.split("\n")[first:end])
        if _letters(written) > sum(_letters(cell) for row in rows for cell in row):
            return self._code(
                safe(written), ""
            )  # a row with more cells than the first, which the parser drops
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        if not self._dialect.fences or sum(widths) + 3 * len(widths) > _WIDEST_TABLE:
            return "\n".join(self._dialect.text(" – ".join(cell for cell in row if cell)) for row in rows)
        rows.insert(1, ["-" * width for width in widths])
        lines = [
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return self._code("\n".join(lines), "")

    def inline(self, node: SyntaxTreeNode) -> str:
        return "".join(self._span(child) for child in _inline_nodes(node))

    def _span(self, node: SyntaxTreeNode) -> str:
        way = _SPANS.get(node.type)
        if way is not None:
            return way(self, node)
        return self.inline(node) if node.children else self._dialect.text(node.content)

    def break_(self, node: SyntaxTreeNode) -> str:
        return "\n"

    def marked(self, node: SyntaxTreeNode) -> str:
        if node.type == "strong" and self._strong:
            return self.inline(node)
        marks = {"strong": self._dialect.strong, "em": self._dialect.em, "s": self._dialect.strike}
        return self._wrapped(self.inline(node), marks[node.type])

    def _wrapped(self, shown: str, mark: str) -> str:
        if self._dialect.spans_lines or "\n" not in shown:
            return f"{mark}{shown}{mark}" if shown else ""
        return "\n".join(f"{mark}{line}{mark}" if line.strip() else line for line in shown.split("\n"))

    def code_span(self, node: SyntaxTreeNode) -> str:
        content = node.content
        if not self._dialect.fences:
            return self._dialect.text(content)
        if "`" not in content:
            return f"`{content}`"
        return (
            f"`` {content.replace('``', f'`{_NOTHING}`')} ``"
            if self._dialect.links
            else self._dialect.text(content)
        )

    def link(self, node: SyntaxTreeNode) -> str:
        image = node.type == "image"
        url = str(node.attrs.get("src" if image else "href", ""))
        label = "".join(_words(node)).strip()
        address = url if _URL.fullmatch(url) else self._dialect.text(url.removeprefix("mailto:"))
        if not label or url in (label, f"mailto:{label}"):
            return address
        shown = self._dialect.text(node.content) if image else self.inline(node)
        if self._dialect.links and url.startswith(("https://", "http://")) and ")" not in url:
            return f"[{shown}]({url if image else f'<{url}>'})"
        return f"{shown} ({address})" if url else shown


_Way = Callable[[_Renderer, "SyntaxTreeNode"], str]
_BLOCKS: Mapping[str, _Way] = {
    "paragraph": _Renderer.paragraph,
    "inline": _Renderer.paragraph,
    "heading": _Renderer.heading,
    "bullet_list": _Renderer.list_,
    "ordered_list": _Renderer.list_,
    "blockquote": _Renderer.quote,
    "fence": _Renderer.code_block,
    "code_block": _Renderer.code_block,
    "table": _Renderer.table,
    "hr": _Renderer.rule,
}
_SPANS: Mapping[str, _Way] = {
    "softbreak": _Renderer.break_,
    "hardbreak": _Renderer.break_,
    "strong": _Renderer.marked,
    "em": _Renderer.marked,
    "s": _Renderer.marked,
    "code_inline": _Renderer.code_span,
    "link": _Renderer.link,
    "image": _Renderer.link,
}


_CELLS = Dialect(strong="", em="", strike="", text=safe, fences=False)
"""Inside of a code block nothing is markup."""


def _inline_nodes(node: SyntaxTreeNode) -> Iterable[SyntaxTreeNode]:
    """The spans of a block, through the `inline` node that the parser puts between."""
    for child in node.children:
        if child.type == "inline":
            yield from child.children
        else:
            yield child


def _words(node: SyntaxTreeNode) -> Iterable[str]:
    if node.type == "image" or not node.children:
        yield node.content
    else:
        for child in node.children:
            yield from _words(child)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _prefixed(text: str, prefix: str) -> str:
    return "\n".join(f"{prefix}{line}" for line in text.split("\n")) if prefix else text
