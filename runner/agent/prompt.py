"""From a bot and a history to the request of one step. Pure.

Rules: the system prompt is the operator's text and nothing else; nothing that changes from turn to turn
(time, counters, names) stands before the history, so that the prefix stays byte-identical and the provider's
cache keeps hitting. What is to be cached is chosen afterwards, by `caching`.
"""

from __future__ import annotations

from runner.bots import Bot, ModelChoice
from runner.conversations.models import Message
from runner.money.prices import Price
from runner.ports.dialogue import ModelRequest, ToolSpec


def build_request(
    bot: Bot,
    choice: ModelChoice,
    messages: tuple[Message, ...],
    tools: tuple[ToolSpec, ...],
    price: Price | None,
) -> ModelRequest:
    """The request of one step. `choice`: the model to ask, `price` its row."""
    takes_temperature = price is None or price.limits.temperature
    return ModelRequest(
        choice=choice,
        system=bot.system_prompt,
        messages=messages,
        tools=tools,
        max_output_tokens=bot.limits.max_output_tokens,
        temperature=bot.temperature if takes_temperature else None,
    )
