"""Which model a node asks, and what it asks it: the same for all nodes that make one call.

Rules: a node that names no model asks the bot's own. A name is that of a model of the bot's provider where the prices
know one, else `provider/model`, else again the bot's provider's. The system prompt is the bot's, so that all of its
calls begin alike.
"""

from __future__ import annotations

from runner.bots import Bot, ModelChoice
from runner.conversations.models import UserMessage
from runner.money.estimate import OUTPUT_FLOOR, OUTPUT_FLOOR_THINKING
from runner.money.prices import PriceBook
from runner.ports.dialogue import ModelRequest

TEMPERATURE = 0.3
"""Of a node that does not say; where the model takes one at all."""


def choice_of(own: ModelChoice, named: str | None, book: PriceBook) -> ModelChoice:
    """The model that a node asks. `own`: the bot's."""
    if named is None:
        return own
    provider, slash, model = named.partition("/")
    if not slash or book.find(own.provider, named) is not None:
        return ModelChoice(own.provider, named)
    return ModelChoice(provider, model)


def request_of(
    bot: Bot,
    choice: ModelChoice,
    prompt: str,
    max_tokens: int | None = None,
    temperature: float = TEMPERATURE,
) -> ModelRequest:
    """One prompt, as what the user says. `max_tokens`: no more than the bot's limit is asked for."""
    limit = bot.limits.max_output_tokens
    return ModelRequest(
        choice,
        system=bot.system_prompt,
        messages=(UserMessage(prompt),),
        max_output_tokens=limit if max_tokens is None else min(max_tokens, limit),
        temperature=temperature,
    )


def brief(choice: ModelChoice, book: PriceBook) -> int:
    """Output tokens that are enough for a word."""
    price = book.find(choice.provider, choice.model)
    thinks = price is not None and price.limits.thinks
    return OUTPUT_FLOOR_THINKING if thinks else OUTPUT_FLOOR
