"""From a store's sums and transcripts to pages: nothing is lost, nothing is added, and gaps are shown as such."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
    message_to_json,
)
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.usage import Usage
from runner.ports.books import UsageSum, add_up
from runner.ports.reports import ConversationLine, Transcript, TranscriptTurn
from runner.web.dashboard.figures import Breakdown, Cap, Series
from runner.web.dashboard.filling import (
    UNNAMED,
    cache_figures,
    cap_of,
    conversation_row,
    report_of,
    said_in,
    shares,
    spend_days,
    tokens_of,
    usage_row,
)
from runner.web.dashboard.views import ToolRun

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")
LINE = ConversationLine("c1", "shop", "telegram", "tom", 1, 2, 1, 4, Money(30), Money(4))


def a_sum(*key: str, cost: int = 0, calls: int = 1, asked: int = 0, cached: int = 0) -> UsageSum:
    return UsageSum(key, Money(cost), calls, usage=Usage(asked, 1, cache_read_tokens=cached))


def test_days_without_a_sum_are_there_and_sums_of_other_days_are_not() -> None:
    sums = [
        a_sum("2026-11-22", "chat", cost=5),
        a_sum("2026-11-20", "", cost=3),
        a_sum("2026-11-19", "chat", cost=9),
    ]
    shown = spend_days(sums, DAYS)
    assert shown.days == DAYS
    assert shown.series == (Series(UNNAMED, (3, 0, 0)), Series("chat", (0, 0, 5)))


@given(
    st.lists(st.tuples(st.sampled_from(DAYS), st.sampled_from("abc"), st.integers(0, 10**15)), max_size=20)
)
def test_days_hold_all_that_was_spent(spent: list[tuple[str, str, int]]) -> None:
    assert spend_days([a_sum(day, name, cost=cost) for day, name, cost in spent], DAYS).total() == sum(
        cost for _, _, cost in spent
    )


@given(st.lists(st.integers(0, 10**15), max_size=12), st.integers(1, 5))
def test_shares_hold_all_that_was_spent(costs: list[int], most: int) -> None:
    listed = shares([a_sum(f"u{at}", cost=cost) for at, cost in enumerate(costs)], most, lambda key: key[0])
    assert len(listed) <= most + 1
    assert sum(one.cost for one in listed) == sum(costs)
    assert sum(one.calls for one in listed) == len(costs)


def test_rows_and_their_total() -> None:
    sums = [a_sum("a", cost=2, calls=3, asked=10, cached=4), a_sum("b", cost=5, asked=7)]
    assert usage_row(sums[0]).key == ("a",)
    total = usage_row(add_up(sums))
    assert (total.cost, total.calls, total.tokens_input, total.tokens_output, total.cache_read) == (
        7,
        4,
        17,
        2,
        4,
    )
    assert usage_row(add_up([])).cost == 0


def test_a_day_without_input_has_no_hit_rate() -> None:
    cache = cache_figures([a_sum(DAYS[0], asked=3, cached=2), a_sum(DAYS[2])], DAYS)
    assert cache.daily == (66, None, None)
    assert (cache.read_tokens, cache.input_tokens) == (2, 3)


def test_a_counter_against_its_limit() -> None:
    assert cap_of(Counter(Money(5), Money(2), Money(1)), Money(9)) == Cap(
        Money(5), Money(1), Money(2), Money(9)
    )


def a_turn(*messages: str, report: str = "{}", stop: str = "answered", calls: int = 1) -> TranscriptTurn:
    return TranscriptTurn("t1", "tom", stop, 7, report, messages, calls, 100, 20, Money(30), Money(4))


def test_a_turn_is_a_question_and_an_answer_with_its_tools_and_figures() -> None:
    report = {
        "tool_calls": [
            {"toolName": "look", "arguments": {"a": "ü"}, "result": "found", "latencyMs": 12, "success": False}
        ],
        "tokens": {"cache_read": 60},
        "latency_ms": 900,
        "loop_iterations": 2,
        "route": {"provider": "p", "model": "m", "route": "small", "reason": "short"},
        "token_breakdown": {"systemPrompt": 1, "toolDefinitions": 2, "conversationHistory": 3, "currentMessage": 4,
                            "toolResults": 5, "llmOutput": 6, "total": 21},
    }  # fmt: skip
    messages: list[Message] = [
        UserMessage("where?"),
        AssistantMessage("I look.", (ToolCall("1", "look", "{}"),)),
        ToolMessage((ToolResult("1", "look", "found"),)),
        AssistantMessage("Here."),
    ]
    talk = Transcript(LINE, (a_turn(*map(message_to_json, messages), report=json.dumps(report)),))
    asked, answer = said_in(talk)
    assert (asked.role, asked.text, asked.figures) == ("user", "where?", None)
    assert (answer.role, answer.text, answer.stop_reason) == ("bot", "I look.\n\nHere.", "")
    assert answer.tools == (ToolRun("look", '{"a": "ü"}', "found", 12, ok=False),)
    took = answer.figures
    assert took is not None
    assert (took.tokens_input, took.tokens_output, took.cost, took.cache_read) == (100, 20, 34, 60)
    assert (took.provider, took.model, took.route, took.route_reason) == ("p", "m", "small", "short")
    assert took.breakdown == Breakdown(1, 2, 3, 4, 5, 6)
    assert tokens_of(talk) == 120
    assert conversation_row(LINE, 120).cost == 34


def test_what_ended_early_says_so_and_what_called_no_model_has_no_figures() -> None:
    turn = a_turn(message_to_json(UserMessage("hi")), report="not json", stop="budget", calls=0)
    _, answer = said_in(Transcript(LINE, (turn,)))
    assert (answer.text, answer.stop_reason, answer.figures) == ("(no text)", "budget", None)


def test_a_command_that_said_nothing_is_a_question_only() -> None:
    turn = a_turn(message_to_json(UserMessage("/reset")), stop="command", calls=0)
    assert [one.role for one in said_in(Transcript(LINE, (turn,)))] == ["user"]
    assert said_in(Transcript(LINE, (a_turn(stop="command", calls=0),))) == ()


def test_a_report_that_is_none_is_empty() -> None:
    assert [report_of(text) for text in ("", "[1]", "{", '{"a": 1}')] == [{}, {}, {}, {"a": 1}]
