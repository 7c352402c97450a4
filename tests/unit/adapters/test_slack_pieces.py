"""What of an unfinished answer may be streamed: what stays as it is, whatever follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.messages import ChatKind, ChatRef, OutboundMessage
from adapters.slack.pieces import can_stream, edit_fields, rest, settled, stop_fields
from adapters.slack.wire import harmless, sent_key

WRITTEN = st.lists(
    st.sampled_from(
        [
            "a",
            "bc",
            " ",
            "\n",
            "\u2028",
            "\x1f",
            "<",
            "&",
            "@",
            "@here",
            "!",
            "channel",
            "<!here>",
            "&#0060;",
            "lt;",
            "\\",
            "🎉",
            ";",
        ]
    ),
    max_size=40,
).map("".join)


@given(WRITTEN, st.data())
def test_a_settled_piece_stays_so_whatever_follows(text: str, data: st.DataObject) -> None:
    whole = text.strip("\n").rstrip()
    sofar = text[: data.draw(st.integers(0, len(text)))]
    piece = settled(sofar)
    assert harmless(whole).startswith(piece)
    assert piece == piece.strip()
    left = rest(whole, piece)
    assert left is not None
    assert piece + left == harmless(whole)
    assert not piece or (left and not left[0].isspace())


@given(WRITTEN)
def test_pieces_only_grow(text: str) -> None:
    shown = ""
    for end in range(len(text) + 1):
        piece = settled(text[:end])
        if piece.startswith(shown):
            shown = piece
        else:
            assert shown.startswith(piece), "less may be settled, never something else"


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("", ""),
        ("\n\n", ""),
        ("a", ""),
        ("ab", "a"),
        ("hello wor", "hello wo"),
        ("hello w", "hell"),
        ("hello  ", "hell"),
        ("  code", ""),
        ("\n\nhello", "hell"),
        ("ask <", "as"),
        ("ask me<!chan", "ask me"),
        ("ask @here ", "as"),
        ("ask @here now", "ask \uff20here no"),
        ("mail a@b now", "mail a@b no"),
    ],
)
def test_what_is_settled(text: str, piece: str) -> None:
    assert settled(text) == piece


def test_another_text_has_no_rest() -> None:
    assert rest("hello world", "hello w") == "orld"
    assert rest("help", "hello w") is None
    assert rest("<!here>", "") == harmless("<!here>")


def message(thread: str | None = "1780000000.000100", **details: object) -> OutboundMessage:
    return OutboundMessage("k1", ChatRef("C1", ChatKind.GROUP, thread), "<!here> text", "e", details)


def test_a_stream_is_in_a_thread_and_for_somebody() -> None:
    assert can_stream(message(asker="U7", team="T1"))
    assert not can_stream(message(None, asker="U7", team="T1"))
    assert not can_stream(message(asker="U7", team=""))
    assert not can_stream(message(team="T1"))
    assert not can_stream(message(asker=7, team="T1"))


def test_only_the_whole_is_found_by_its_key() -> None:
    assert sent_key(stop_fields(message(), "")) == sent_key(edit_fields(message(), whole=True)) == "k1"
    assert "markdown_text" not in stop_fields(message(), "")
    assert "metadata" not in edit_fields(message(), whole=False)
    assert edit_fields(message(), whole=False)["text"] == harmless("<!here> text")
