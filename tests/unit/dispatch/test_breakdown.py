"""Where a turn's tokens went."""

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.loop import LoopResult
from runner.agent.replies import PaidReply
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.dispatch.breakdown import shared_out, token_breakdown
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply, StopReason, ToolSpec

CALL = ToolCall("c", "look", "{}")


def paid(given_tokens: int, said: int) -> PaidReply:
    return PaidReply(ModelReply("x"), Usage(given_tokens, said), Money(1), "p", "m")


@given(st.integers(0, 10**9), st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), max_size=6))
def test_the_parts_are_the_whole(tokens: int, sizes: dict[str, int]) -> None:
    parts = shared_out(tokens, sizes)
    assert parts.keys() == sizes.keys()
    assert sum(parts.values()) == (tokens if sum(sizes.values()) else 0)
    assert all(parts[name] == 0 for name, size in sizes.items() if size == 0)


def test_a_fresh_hello_costs_its_prompt_and_itself() -> None:
    result = LoopResult(StopReason.ANSWERED, "hi", (), (paid(100, 7),))
    parts = token_breakdown("p" * 64, (), (UserMessage("h" * 20),), result)
    assert parts == {
        "systemPrompt": 64,
        "toolDefinitions": 0,
        "conversationHistory": 0,
        "currentMessage": 36,
        "toolResults": 0,
        "llmOutput": 7,
        "total": 107,
    }


def test_tools_and_history_have_their_parts() -> None:
    between = (AssistantMessage("", (CALL,)), ToolMessage((ToolResult("c", "look", "r" * 500),)))
    result = LoopResult(StopReason.ANSWERED, "hi", between, (paid(1000, 5), paid(2000, 6)))
    tool = ToolSpec("look", "d" * 100, {"type": "object"})
    history = (UserMessage("before " * 20), AssistantMessage("so it was"), UserMessage("now"))
    parts = token_breakdown("be kind", (tool,), history, result)
    assert all(parts[name] > 0 for name in parts)
    assert parts["toolResults"] > parts["conversationHistory"] > parts["currentMessage"]
    assert parts["total"] == 3011
    assert sum(parts.values()) == 2 * parts["total"]


def test_nothing_was_asked() -> None:
    parts = token_breakdown("be kind", (), (UserMessage("hi"),), LoopResult(StopReason.BUDGET))
    assert set(parts.values()) == {0}
