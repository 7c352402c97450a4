"""The shipped price files as data: a quick reader of the little YAML that they are written in.

Rules: the files are YAML, and tests/unit/config/test_price_books.py has the real parser read the same out of
them. This reader exists because the daemon reads a book at each start, and takes a tenth of the parser's time.
It knows comment lines, `key: "text"`, `provider:` and `  model: {…}` over any number of lines, with plain words,
whole numbers, true, false and quoted texts inside the braces. All else is refused, never guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')
_BARE = re.compile(r"-?(?:0|[1-9][0-9]*)|true|false")
_KEY = re.compile(r'( *)("[^"\\]*"|[^\s{}\[\],:"#]+):(?: +(.*))?')
_ROW_INDENT = "  "


class UnreadableBook(ValueError):
    """A price file that is not written as described above: a fault of this package."""


@dataclass(frozen=True, slots=True)
class BookText:
    """A price file, read but not understood.

    Attributes:
        head: the texts at the top, such as `version`.
        providers: provider → model (or `every`) → what is in its braces.
    """

    head: Mapping[str, str]
    providers: Mapping[str, Mapping[str, Mapping[str, object]]]


def read_text(text: str) -> BookText:
    """Read a whole price file.

    Raises:
        UnreadableBook: naming the line.
    """
    head: dict[str, str] = {}
    providers: dict[str, dict[str, Mapping[str, object]]] = {}
    rows: dict[str, Mapping[str, object]] = {}
    for number, statement in _statements(text):
        match = _KEY.fullmatch(statement)
        if match is None:
            raise UnreadableBook(f"line {number}: not understood")
        indent, key, value = match[1], match[2].strip('"'), match[3] or ""
        if key in (rows if indent else {**head, **providers}):
            raise UnreadableBook(f"line {number}: {key} is there twice")
        if indent == _ROW_INDENT and providers:
            rows[key] = _mapping(number, value)
        elif indent:
            raise UnreadableBook(f"line {number}: {key} is indented, but not as a row of a provider")
        elif value:
            head[key] = _text(number, value)
        else:
            rows = providers[key] = {}
    return BookText(head, providers)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement on one line, with the number of the line that it starts on."""
    start, parts, depth = 0, list[str](), 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if depth == 0:
            start = number
        parts.append(line if depth == 0 else line.strip())
        depth += line.count("{") - line.count("}")
        if depth == 0:
            yield start, " ".join(parts)
            parts.clear()
    if parts:
        raise UnreadableBook(f"line {start}: a brace is missing")


def _mapping(number: int, text: str) -> Mapping[str, object]:
    value = _json(number, _SCALAR.sub(_quoted, text))
    if not isinstance(value, dict):
        raise UnreadableBook(f"line {number}: braces expected")
    return value


def _text(number: int, text: str) -> str:
    value = _json(number, text)
    if not isinstance(value, str):
        raise UnreadableBook(f"line {number}: a quoted text expected")
    return value


def _json(number: int, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise UnreadableBook(f"line {number}: not understood") from None


def _quoted(match: re.Match[str]) -> str:
    word = match[0]
    return word if word.startswith('"') or _BARE.fullmatch(word) else json.dumps(word)
