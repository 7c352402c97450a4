"""News as text: in pieces that NOTIFY takes, read again as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ports.fleet import News, NewsKind
from runner.store.postgres.news import MOST_BYTES, news_from, payloads

KINDS = [kind for kind in NewsKind if kind is not NewsKind.GAP]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.text(max_size=300)), max_size=60), st.integers(1, 2**31 - 1)
)
def test_what_is_told_is_heard(told: list[tuple[NewsKind, str]], daemon: int) -> None:
    pieces = payloads(daemon, [News(kind, text) for kind, text in told])
    assert all(len(piece.encode()) <= MOST_BYTES for piece in pieces)
    assert all("\0" not in piece for piece in pieces)
    heard = [news_from(piece) for piece in pieces]
    assert {whose for whose, _ in heard} <= {daemon}
    assert [news for _, some in heard for news in some] == [News(kind, text, daemon) for kind, text in told]


def test_what_is_too_long_to_be_told_is_a_gap() -> None:
    pieces = payloads(3, [News(NewsKind.WORK), News(NewsKind.LANE, "ü" * MOST_BYTES), News(NewsKind.SENDS)])
    heard = [news for piece in pieces for news in news_from(piece)[1]]
    assert heard == [News(NewsKind.WORK, "", 3), News(NewsKind.GAP), News(NewsKind.SENDS, "", 3)]


def test_nothing_is_told_of_nothing() -> None:
    assert payloads(3, []) == []


def test_what_a_newer_daemon_tells_of_is_left_out() -> None:
    assert news_from(json.dumps([3, [["weather", "rain"], ["work", ""]]])) == (
        3,
        [News(NewsKind.WORK, "", 3)],
    )


@pytest.mark.parametrize(
    "payload", ["", "hello", "7", "[1]", '{"a": 1}', "[null, []]", '[1, [["work"]]]', "[1, 5]"]
)
def test_what_is_not_ours_is_nothing(payload: str) -> None:
    assert news_from(payload) == (0, [])
