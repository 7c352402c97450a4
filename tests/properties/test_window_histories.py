"""Any trim of any history is legal, and between two trims what is sent begins with the same bytes."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runner.bots import ConversationRules
from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
    message_to_json,
)
from runner.conversations.window import first_kept, plain_marks

TOOLS_USED = st.lists(st.integers(1, 3), max_size=4)
"""A turn: how many tools each of its steps called."""
TURNS = st.lists(TOOLS_USED, min_size=1, max_size=30)
RULES = st.builds(
    lambda most, keep, context: ConversationRules(max_messages=most, keep_messages=keep, context=context),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from(["blocks", "sliding"]),
)


def said(number: int, tools: Sequence[int]) -> list[Message]:
    """What a turn adds to the history after the user's message."""
    messages: list[Message] = []
    for step, calls in enumerate(tools):
        made = tuple(ToolCall(f"{number}.{step}.{n}", "look", "{}") for n in range(calls))
        messages += [
            AssistantMessage("", made),
            ToolMessage(tuple(ToolResult(call.id, call.name, "seen") for call in made)),
        ]
    return [*messages, AssistantMessage(f"answer {number}")]


def sent_over_time(turns: Sequence[Sequence[int]], rules: ConversationRules) -> list[list[Message]]:
    """What each turn's first call sends; the window's start is kept from turn to turn, as in the store."""
    history: list[Message] = []
    sent = []
    for number, tools in enumerate(turns):
        history.append(UserMessage(f"question {number}"))
        history = history[first_kept(history, plain_marks(rules)) :]
        sent.append(list(history))
        history += said(number, tools)
    return sent


def assert_legal(messages: Sequence[Message]) -> None:
    assert isinstance(messages[0], UserMessage)
    for before, message in pairwise(messages):
        if isinstance(message, ToolMessage):
            assert isinstance(before, AssistantMessage)
            assert [r.call_id for r in message.results] == [c.id for c in before.tool_calls]
        elif isinstance(before, AssistantMessage):
            assert not before.tool_calls


@given(TURNS, RULES)
def test_whatever_is_sent_is_legal_and_within_the_limit(
    turns: list[list[int]], rules: ConversationRules
) -> None:
    for number, messages in enumerate(sent_over_time(turns, rules)):
        assert_legal(messages)
        assert len(messages) <= rules.max_messages
        assert messages[-1] == UserMessage(f"question {number}"), (
            "the message being answered is never dropped"
        )


@given(TURNS, RULES)
def test_between_two_moves_the_prefix_is_the_same_to_the_byte(
    turns: list[list[int]], rules: ConversationRules
) -> None:
    sent = sent_over_time(turns, rules)
    for number, (earlier, later) in enumerate(pairwise(sent)):
        whole = [*earlier, *said(number, turns[number]), UserMessage(f"question {number + 1}")]
        if len(whole) <= rules.max_messages:
            before = [message_to_json(message) for message in earlier]
            assert [message_to_json(message) for message in later][: len(before)] == before
        elif rules.context == "blocks":
            low = max(1, min(rules.keep_messages, rules.max_messages))
            start = len(whole) - len(later)
            asked = max(n for n, message in enumerate(whole[:start]) if isinstance(message, UserMessage))
            assert len(later) <= low or (len(later) <= rules.max_messages and asked < len(whole) - low)
            assert len(later) * 2 >= low or asked == 0 or len(whole) - asked > rules.max_messages


@given(TURNS, RULES)
def test_a_turn_that_is_run_again_sends_the_same(turns: list[list[int]], rules: ConversationRules) -> None:
    for messages in sent_over_time(turns, rules):
        assert first_kept(messages, plain_marks(rules)) == 0


@given(TURNS, RULES, st.integers(0, 200))
def test_a_history_that_begins_anywhere_is_made_legal(
    turns: list[list[int]], rules: ConversationRules, cut: int
) -> None:
    """A start in the middle of a turn, as another version's rules or a lower limit may leave it."""
    history: list[Message] = []
    for number, tools in enumerate(turns):
        history += [UserMessage(f"question {number}"), *said(number, tools)]
    history = [*history[min(cut, len(history)) :], UserMessage("now")]
    start = first_kept(history, plain_marks(rules))
    assert_legal(history[start:])
    assert 1 <= len(history) - start <= rules.max_messages
