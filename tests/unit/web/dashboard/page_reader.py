"""Reads a page strictly: each element is closed where it must be, nothing is closed that is not open."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Element:
    """An element with its attributes, what is in it and where it stands."""

    tag: str
    given: dict[str, str | None]
    parent: "Element | None" = None
    children: list["Element"] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def all(self, *tags: str) -> Iterator["Element"]:
        """Elements of these kinds inside, in the page's order; all where none is named."""
        for child in self.children:
            if not tags or child.tag in tags:
                yield child
            yield from child.all(*tags)

    def text(self) -> str:
        """All words inside, with single spaces."""
        return " ".join(" ".join((*self.words, *(child.text() for child in self.children))).split())

    def above(self) -> Iterator["Element"]:
        """What it stands in, from near to far."""
        if self.parent is not None:
            yield self.parent
            yield from self.parent.above()


class PageReader(HTMLParser):
    """Builds the tree of a page; `faults` says what is not well formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.faults: list[str] = []
        self._at = self.root
        self.feed(html)
        self.close()
        if self._at is not self.root:
            self.faults.append(f"<{self._at.tag}> is never closed")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> has an attribute twice: {names}")
        element = Element(tag, dict(attrs), self._at)
        self._at.children.append(element)
        if tag not in VOID:
            self._at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._at.children.append(Element(tag, dict(attrs), self._at))
        if not any(one.tag == "svg" for one in (self._at, *self._at.above())):
            self.faults.append(f"<{tag}/> closes itself outside a drawing")

    def handle_endtag(self, tag: str) -> None:
        if tag != self._at.tag or self._at.parent is None:
            self.faults.append(f"line {self.getpos()[0]}: </{tag}> inside <{self._at.tag}>")
            return
        self._at = self._at.parent

    def handle_data(self, data: str) -> None:
        self._at.words.append(data)


def read(html: str) -> Element:
    """The tree of a page that is well formed."""
    reader = PageReader(html)
    assert not reader.faults, reader.faults
    return reader.root
