"""Long replies in parts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text import split, utf16_units

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="`~"), max_size=400)
PIECES = st.lists(
    st.sampled_from(
        [
            "word ",
            "a longer word. ",
            "\n",
            "\n\n",
            "🎉",
            "ünïcode ",
            "x" * 40,
            "👩‍👩‍👧 ",
            "e\u0301",
            "  indented",
        ]
    ),
    max_size=60,
).map("".join)


def words(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_a_short_text_is_one_part() -> None:
    assert split("hello", 10) == ["hello"]
    assert split("1234567890", 10) == ["1234567890"]


@pytest.mark.parametrize("text", ["", " ", "\n\n \t"])
def test_a_blank_text_has_no_parts(text: str) -> None:
    assert split(text, 10) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one two.\n\nthree four. five six", ["one two.", "three four. five six"]),
        ("one two.\nthree four. five six", ["one two.", "three four. five six"]),
        ("one two three. four five six", ["one two three.", "four five six"]),
        ("one two three four five six", ["one two three four five", "six"]),
        ("x" * 30, ["x" * 24, "x" * 6]),
        (
            "一二三四五六七八九。一二三四五六七八九。一二三四五六七八",
            ["一二三四五六七八九。一二三四五六七八九。", "一二三四五六七八"],
        ),
    ],
)
def test_it_cuts_at_the_best_place(text: str, parts: list[str]) -> None:
    assert split(text, 24) == parts


def test_units_are_the_platforms() -> None:
    assert utf16_units("a🎉") == 3
    assert split("🎉" * 6, 6, "characters") == ["🎉" * 6]
    assert split("🎉" * 6, 6, "utf16") == ["🎉" * 3, "🎉" * 3]


@pytest.mark.parametrize("whole", ["e\u0301", "👩‍👩‍👧", "👍🏽", "🇩🇪", "❤️"])
def test_what_looks_like_one_character_stays_one(whole: str) -> None:
    for before in range(1, 12):
        parts = split("x" * before + whole * 3, 12, "utf16")
        assert "".join(parts) == "x" * before + whole * 3
        ends = [part[-1] for part in parts[:-1]]
        starts = [part[0] for part in parts[1:]]
        assert all(end in {"x", whole[-1]} for end in ends)
        assert all(start in {"x", whole[0]} for start in starts)


def test_a_cut_code_block_is_closed_and_opened_again_with_its_language() -> None:
    code = "\n".join(f"    line({number})" for number in range(30))
    parts = split(f"Look:\n\n```python\n{code}\n```\nThat was it.", 120)
    assert len(parts) > 3
    for part in parts:
        assert part.count("```") % 2 == 0
        assert len(part) <= 120
    assert parts[1].startswith("```python\n    line(")
    assert parts[1].endswith("\n```")
    kept = [line for part in parts for line in part.splitlines() if "line(" in line]
    assert kept == code.splitlines()


def test_a_tilde_fence_and_a_longer_fence_are_fences() -> None:
    for mark in ("~~~", "````"):
        code = "\n".join("some code here" for _ in range(20))
        parts = split(f"{mark}\n{code}\n{mark}", 100)
        assert all(part.startswith(mark) and part.endswith(mark) for part in parts)


@given(text=WORDS | PIECES, limit=st.integers(2, 60), units=st.sampled_from(["utf16", "characters"]))
def test_all_is_there_in_parts_that_fit(text: str, limit: int, units: str) -> None:
    parts = split(text, limit, units)
    count = utf16_units if units == "utf16" else len
    assert words("".join(parts)) == words(text)
    assert all(part.strip() for part in parts)
    assert all(count(part) <= limit for part in parts)


@given(
    chunks=st.lists(st.tuples(st.booleans(), PIECES), max_size=6),
    limit=st.integers(60, 200),
    language=st.sampled_from(["", "python", "c++"]),
)
def test_with_code_too_nothing_is_lost_and_no_part_has_a_fence_left_open(
    chunks: list[tuple[bool, str]], limit: int, language: str
) -> None:
    text = "\n".join(f"```{language}\n{piece}\n```" if code else piece for code, piece in chunks)
    parts = split(text, limit, "utf16")
    assert all(utf16_units(part) <= limit and part.strip() for part in parts)
    assert all(part.count("```") % 2 == 0 for part in parts)
    bare = [words(re.sub(r"```(?:python|c\+\+)?", "", part)) for part in parts]
    assert "".join(bare) == words(re.sub(r"```(?:python|c\+\+)?", "", text))
