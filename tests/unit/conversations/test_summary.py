"""Which messages are summed up when, what is asked, and where the head stands."""

import pytest

from runner.conversations.models import (
    AssistantMessage,
    Message,
    Picture,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
)
from runner.conversations.summary import (
    HEADING,
    MOST_ASKED,
    MOST_HEAD,
    MOST_OF_ONE,
    cut,
    dropped_next,
    summary_request,
    with_head,
)
from runner.conversations.window import Marks, first_kept

BLOCKS = Marks(low=4, high=10)


def said(turns: int) -> list[Message]:
    """So many turns of a question and its answer."""
    return [
        message
        for number in range(turns)
        for message in (UserMessage(f"q{number}"), AssistantMessage(f"a{number}"))
    ]


def with_tools(number: int) -> list[Message]:
    """A turn of four messages."""
    call = ToolCall(f"call-{number}", "lookup", f'{{"order":{number}}}')
    return [
        UserMessage(f"q{number}"),
        AssistantMessage("", (call,)),
        ToolMessage((ToolResult(call.id, call.name, "sent on Monday"),)),
        AssistantMessage(f"a{number}"),
    ]


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("turns", "dropped"), [(0, 0), (1, 0), (3, 0), (4, 8), (5, 8)])
def test_the_window_is_summed_up_a_turn_before_it_moves(turns: int, dropped: int) -> None:
    """Of ten messages at most: with four turns in it, the next but one moves it."""
    history = said(turns)
    assert list(dropped_next(history, BLOCKS)) == history[:dropped]


def test_a_turn_is_taken_to_be_as_long_as_the_latest() -> None:
    history = [*said(1), *with_tools(1)]
    assert len(history) + 4 + 1 > BLOCKS.high
    assert list(dropped_next(history, BLOCKS)) == history[:6]
    assert dropped_next([*with_tools(0), *said(1)], BLOCKS) == ()


@pytest.mark.parametrize("turns", [with_tools, lambda _: said(1)])
@pytest.mark.parametrize(
    "marks", [BLOCKS, Marks(10, 10), Marks(2, 3), Marks(1, 1), Marks(9, 12), Marks(30, 20)]
)
def test_what_was_summed_up_is_where_the_window_moves_to(turns: object, marks: Marks) -> None:
    """Turn by turn: whenever the window moves, what it drops was summed up before, to the message."""
    assert callable(turns)
    window: list[Message] = []
    prepared: int | None = None
    moves = 0
    for number in range(12):
        asked = [*window, UserMessage("next")]
        start = first_kept(asked, marks, prepared)
        if start:
            assert start == prepared
            moves += 1
            prepared = None
        elif prepared is not None:
            assert isinstance(asked[prepared], UserMessage)
        window = [*window[start:], *turns(number)]
        if prepared is None:
            prepared = len(dropped_next(window, marks)) or None
    assert moves > 1


@pytest.mark.parametrize("marks", [BLOCKS, Marks(10, 10), Marks(9, 12), Marks(6, 20)])
def test_between_turns_of_one_length_the_window_moves_as_without_summaries(marks: Marks) -> None:
    window: list[Message] = []
    prepared: int | None = None
    for _ in range(40):
        asked = [*window, UserMessage("next")]
        start = first_kept(asked, marks, prepared)
        assert start == first_kept(asked, marks)
        prepared = None if start else prepared
        window = [*window[start:], *said(1)]
        prepared = prepared or len(dropped_next(window, marks)) or None


def test_nothing_is_dropped_that_is_not_there() -> None:
    assert dropped_next([], BLOCKS) == ()
    assert dropped_next([AssistantMessage("left alone")] * 12, BLOCKS) == ()


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────
def test_all_that_was_said_is_asked_about() -> None:
    asked = summary_request("", [UserMessage("where is it?", name="Ada"), *with_tools(7)]).text
    assert asked == (
        "The messages:\n"
        "User Ada: where is it?\n"
        "User: q7\n"
        'Assistant:  (calls lookup {"order":7})\n'
        "Tool lookup: sent on Monday\n"
        "Assistant: a7"
    )


def test_the_old_head_goes_on_in_the_new_one() -> None:
    asked = summary_request("Ada waits for order 7.", said(1)).text
    assert (
        asked
        == "The earlier summary:\nAda waits for order 7.\n\nThe messages after it:\nUser: q0\nAssistant: a0"
    )


def test_what_is_asked_is_bounded() -> None:
    long = UserMessage("x" * 100_000)
    many = ToolMessage(tuple(ToolResult(f"c{n}", "t", "y" * 100_000) for n in range(900)))
    assert len(summary_request("", [long]).text) <= MOST_OF_ONE + 20
    assert len(summary_request("z" * 100_000, [long, many] * 5_000).text) <= MOST_ASKED + MOST_HEAD + 200
    assert len(summary_request("", [UserMessage("z" * 150)] * 40).text) > 40 * 150, "short ones are whole"


def test_of_too_many_the_latest_are_asked_about() -> None:
    asked = summary_request("", [UserMessage(f"m{n} " + "x" * 300) for n in range(1_000)]).text
    assert "m999 " in asked
    assert "m0 " not in asked


@pytest.mark.parametrize(
    ("text", "most", "found"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "ab […]"), ("abc", 2, " […]")]
)
def test_a_text_is_cut_visibly(text: str, most: int, found: str) -> None:
    assert cut(text, most) == found


# ── the head ─────────────────────────────────────────────────────────────────────────────────────────────
def test_without_a_head_the_window_is_as_it_is() -> None:
    assert with_head("", said(2)) == tuple(said(2))
    assert with_head("of nothing", []) == ()


def test_the_head_stands_in_the_first_message() -> None:
    picture = Picture("image/png", "AAAA")
    history: list[Message] = [UserMessage("and now?", "Ada", (picture,)), AssistantMessage("now this")]
    first, *rest = with_head("Ada waits.", history)
    assert first == UserMessage(f"{HEADING}\nAda waits.\n[End of the summary]\n\nand now?", "Ada", (picture,))
    assert rest == history[1:]
    assert with_head("Ada waits.", [*history, UserMessage("later")])[0] == first, "the prefix stays as it is"


def test_where_the_window_begins_otherwise_the_head_stands_before_it() -> None:
    first, second = with_head("Ada waits.", [AssistantMessage("hello")])
    assert (first.role, second) == ("user", AssistantMessage("hello"))
