"""Where a turn's input tokens went: which part of what was sent is how much of what the provider counted. Pure.

Rule: providers count a request as a whole; its parts share that count by their length in bytes, to the token, so
that the parts always add up to what was paid. A part that is sent again with each step counts each time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from runner.agent.loop import LoopResult
from runner.conversations.models import AssistantMessage, Message, ToolMessage, UserMessage
from runner.ports.dialogue import ToolSpec

SYSTEM = "systemPrompt"
TOOLS = "toolDefinitions"
HISTORY = "conversationHistory"
CURRENT = "currentMessage"
RESULTS = "toolResults"
OUTPUT = "llmOutput"
TOTAL = "total"
_WRAPPING = 16
"""Bytes of a message that are not its words, about."""


def token_breakdown(
    system: str, tools: Sequence[ToolSpec], asked: Sequence[Message], result: LoopResult
) -> dict[str, int]:
    """Tokens by part. `asked`: the history as the model saw it, the user's message last.

    What the model said between its tools is sent again together with their results, and counted there.
    """
    steps = len(result.replies)
    sizes = {
        SYSTEM: steps * _bytes(system),
        TOOLS: steps * sum(_spec_bytes(tool) for tool in tools),
        HISTORY: steps * sum(_message_bytes(message) for message in asked[:-1]),
        CURRENT: steps * sum(_message_bytes(message) for message in asked[-1:]),
        RESULTS: _between(result, steps),
    }
    used = result.usage
    parts = shared_out(used.input_tokens, sizes)
    return {**parts, OUTPUT: used.output_tokens, TOTAL: used.total_tokens}


def shared_out(tokens: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Share tokens out by size; what is left over by rounding goes to the largest remainders."""
    whole = sum(sizes.values())
    if whole == 0:
        return dict.fromkeys(sizes, 0)
    parts = {name: tokens * size // whole for name, size in sizes.items()}
    left = tokens - sum(parts.values())
    by_rest = sorted(sizes, key=lambda name: -(tokens * sizes[name] % whole))
    for name in by_rest[:left]:
        parts[name] += 1
    return parts


def _between(result: LoopResult, steps: int) -> int:
    """What was said and found between the steps: two messages a step, each sent with all steps after it."""
    return sum(
        _message_bytes(message) * max(0, steps - 1 - number // 2)
        for number, message in enumerate(result.messages)
    )


def _spec_bytes(tool: ToolSpec) -> int:
    return _bytes(tool.name) + _bytes(tool.description) + _bytes(json.dumps(tool.parameters))


def _message_bytes(message: Message) -> int:
    """Its words; how they are wrapped up is alike for all."""
    match message:
        case UserMessage(text):
            return _WRAPPING + _bytes(text)
        case AssistantMessage(text, calls):
            return _WRAPPING + _bytes(text) + sum(_bytes(call.arguments) for call in calls)
        case ToolMessage(results):
            return sum(_WRAPPING + _bytes(result.text) for result in results)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
