"""From a bot and a history to the request of one step. Pure.

Rules: the system prompt is the operator's text and nothing else; nothing that changes from turn to turn
(time, counters, names) stands before the history, so that the prefix stays byte-identical and the provider's
cache keeps hitting. What is cached: `cache_writes`.
"""

from __future__ import annotations

from runner.bots import Bot
from runner.conversations.models import Message
from runner.money.prices import CacheWrites, Price
from runner.ports.dialogue import ModelRequest, ToolSpec

BYTES_PER_TOKEN = 4
"""A middling figure, for choosing whether caching can pay; never for a bound."""
DEFAULT_MIN_CACHEABLE = 1024


def build_request(
    bot: Bot, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], price: Price | None
) -> ModelRequest:
    """The request of one step."""
    takes_temperature = price is None or price.limits.temperature
    return ModelRequest(
        choice=bot.choice,
        system=bot.system_prompt,
        messages=messages,
        tools=tools,
        max_output_tokens=bot.limits.max_output_tokens,
        temperature=bot.temperature if takes_temperature else None,
        cache=cache_writes(bot, messages, tools, price),
    )


def cache_writes(
    bot: Bot, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], price: Price | None
) -> CacheWrites:
    """What the provider is asked to cache.

    `auto`: five minutes, where the row has a price for it and the request is not below the smallest prefix
    that the model caches (below it nothing is cached and the mark only costs a wider bound).
    """
    if bot.prompt_cache == "off" or price is None or price.rates.cache_write_5m is None:
        return CacheWrites.NONE
    if bot.prompt_cache != "auto":
        return CacheWrites(bot.prompt_cache)
    least = price.limits.min_cacheable_tokens or DEFAULT_MIN_CACHEABLE
    size = len(bot.system_prompt) + sum(len(str(tool.parameters)) + len(tool.description) for tool in tools)
    size += sum(len(str(message)) for message in messages)
    return CacheWrites.MINUTES if size >= least * BYTES_PER_TOKEN else CacheWrites.NONE
