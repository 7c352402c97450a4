"""Markdown as Telegram shows it: the text, and what lies on which part of it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.entities import MOST_ENTITIES, MOST_UNITS, rendered
from adapters.testing.telegram_rules import check_text
from adapters.text import split, utf16_units


def covered(text: str, entity: dict[str, Any]) -> str:
    raw = text.encode("utf-16-le")
    return raw[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")


def seen(markdown: str) -> tuple[str, list[tuple[str, ...]]]:
    """The text, and each entity's kind, words, and link or language."""
    text, entities = rendered(markdown)
    check_text(text, entities)
    found = []
    for entity in entities:
        more = [entity[name] for name in ("url", "language") if name in entity]
        found.append((entity["type"], covered(text, entity), *more))
    return text, found


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("plain, as it is", "plain, as it is", []),
        ("🎉 **b🎉** *e* ~~s~~ `c`", "🎉 b🎉 e s c",
         [("bold", "b🎉"), ("italic", "e"), ("strikethrough", "s"), ("code", "c")]),
        ("***both***", "both", [("bold", "both"), ("italic", "both")]),
        ("# Title **strong**\ntext", "Title strong\ntext", [("bold", "Title strong")]),
        ("[here](https://a.b/c?d=e)", "here", [("text_link", "here", "https://a.b/c?d=e")]),
        ("![a cat](http://a.b/c.png)", "a cat", [("text_link", "a cat", "http://a.b/c.png")]),
        ("[](http://a.b) ![](http://c.d)", "http://a.b http://c.d", []),
        ("<https://a.b> <me@a.b>", "https://a.b me@a.b", []),
        ("[a](http://localhost/) [b](tg://user?id=1)", "a (http://localhost/) b (tg://user?id=1)", []),
        ("[me](mailto:a@b.c)", "me (a@b.c)", []),
        ("[`f()`](http://a.b)", "f()", [("text_link", "f()", "http://a.b")]),
        ("[![i](http://i.j)](http://a.b)", "i", [("text_link", "i", "http://a.b")]),
        ("**before `code` after**", "before code after",
         [("bold", "before "), ("code", "code"), ("bold", " after")]),
        ("Take:\n- one\n  - deep\n- two\n\n3. three\n4. four\n\nend",
         "Take:\n• one\n  • deep\n• two\n\n3. three\n4. four\n\nend", []),
        ("- [ ] open", "• [ ] open", []),
        ("> said\n> > deeper `c`\n\nafter", "said\ndeeper c\n\nafter",
         [("blockquote", "said\ndeeper c"), ("code", "c")]),
        ("so:\n```python\nif x:\n    y\n```\ndone", "so:\nif x:\n    y\ndone",
         [("pre", "if x:\n    y", "python")]),
        ("- a\n  ```\n  x\n  y\n  ```", "• a\n  x\ny", [("pre", "x\ny")]),
        ("    indented", "indented", [("pre", "indented")]),
        ("| a | bb |\n|---|---|\n| **c** | d |", "a | bb\n- | --\nc | d", [("pre", "a | bb\n- | --\nc | d")]),
        ("| a |\n|---|\n| b | lost? |", "| a |\n|---|\n| b | lost? |", [("pre", "| a |\n|---|\n| b | lost? |")]),
        ("a\n\n---\n\nb", "a\n\n———\n\nb", []),
        ("vector<int> & <b>x</b> \\* 2*3*4 &lt;", "vector<int> & <b>x</b> * 234 <", [("italic", "3")]),
        ("[a]: http://b.c\n\n[a] and [^1]", "[a]: http://b.c\n\n[a] and [^1]", []),
        ("###\n\n**x**", "x", [("bold", "x")]),
        ("unclosed **bold and `code", "unclosed **bold and `code", []),
        ("``````", "``````", []),
    ],
)  # fmt: skip
def test_what_becomes_of_markdown(markdown: str, text: str, entities: list[tuple[str, ...]]) -> None:
    assert seen(markdown) == (text, entities)


def test_a_wide_table_is_a_row_a_line() -> None:
    wide = "word " * 10
    text, entities = seen(f"| a | b |\n|---|---|\n| {wide}| {wide}|")
    assert text == f"a – b\n{wide.strip()} – {wide.strip()}"
    assert not entities


def test_what_would_not_fit_goes_as_it_came() -> None:
    table = "| " + "a" * 40 + " | b |\n|---|---|\n" + "| x | y |\n" * 300
    assert utf16_units(table) <= MOST_UNITS
    assert seen(table) == (table, [])


def test_there_are_no_more_entities_than_telegram_takes() -> None:
    assert len(seen("*a* " * 200)[1]) == MOST_ENTITIES


PIECES = (
    "a|b c|🎉|ä|*|**|_|__|~~|`|```|```py\n|[|](|](http://a.b)|)|![|# |> |- |1. |   |\n|\n\n|<b>|@x|http://c.d|\\"
    "|---|~~~|&amp;|\t"
)
TABLE = ["| a | b |\n|---|---|\n| ", " | "]
MARKDOWN = st.lists(st.sampled_from([*PIECES.split("|"), *TABLE]), max_size=60).map("".join)


@given(MARKDOWN)
def test_whatever_it_is_telegram_takes_it(markdown: str) -> None:
    text, entities = rendered(markdown)
    if markdown.strip():
        check_text(text, entities)
    if "```" not in markdown and "~~~" not in markdown and "](" not in markdown:
        letters = Counter(filter(str.isalpha, markdown.replace("&amp;", "")))
        shown = Counter(filter(str.isalpha, text))
        assert letters <= shown


@given(MARKDOWN)
def test_each_part_of_a_long_text_is_taken(markdown: str) -> None:
    for part in split(markdown * 40, 500, "utf16"):
        check_text(*rendered(part))
