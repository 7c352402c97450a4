"""From a bot and a history to one request."""

from dataclasses import replace

import pytest

from runner.agent.prompt import build_request
from runner.conversations.models import AssistantMessage, Message, UserMessage
from runner.money.prices import CacheWrites, ModelLimits, Rates
from runner.ports.dialogue import ToolSpec
from runner.testing.scenes import CHOICE, a_bot, a_price

HELLO: tuple[Message, ...] = (UserMessage("hello"),)
LOOK = (ToolSpec("look", "looks", {"type": "object"}),)
CACHED = a_price(Rates(100, 400, 10, 125, 200))


def test_a_request_is_the_bot_and_what_was_said() -> None:
    bot = a_bot(temperature=0.5)
    request = build_request(bot, HELLO, LOOK, a_price())
    assert (request.choice, request.system, request.messages, request.tools) == (
        CHOICE,
        "You are brief.",
        HELLO,
        LOOK,
    )
    assert (request.max_output_tokens, request.temperature) == (8192, 0.5)


def test_a_model_that_takes_no_temperature_is_sent_none() -> None:
    price = a_price(limits=ModelLimits(temperature=False))
    assert build_request(a_bot(temperature=0.5), HELLO, (), price).temperature is None


def test_the_same_turn_makes_the_same_request() -> None:
    bot = a_bot()
    assert build_request(bot, HELLO, LOOK, CACHED) == build_request(bot, HELLO, LOOK, CACHED)


@pytest.mark.parametrize(
    ("said", "marks"),
    [
        ({}, CacheWrites.NONE),  # too short for the model to cache
        ({"system_prompt": "x" * 4096}, CacheWrites.MINUTES),
        ({"system_prompt": "x" * 4096, "prompt_cache": "off"}, CacheWrites.NONE),
        ({"prompt_cache": "5m"}, CacheWrites.MINUTES),
        ({"prompt_cache": "1h"}, CacheWrites.HOUR),
    ],
)
def test_what_is_asked_to_be_cached(said: dict[str, str], marks: CacheWrites) -> None:
    assert build_request(a_bot(**said), HELLO, (), CACHED).cache is marks


def test_the_history_counts_for_what_can_be_cached() -> None:
    long = (UserMessage("x" * 3000), AssistantMessage("y" * 1500), UserMessage("more"))
    assert build_request(a_bot(), long, (), CACHED).cache is CacheWrites.MINUTES
    needs_more = replace(CACHED, limits=ModelLimits(min_cacheable_tokens=4096))
    assert build_request(a_bot(), long, (), needs_more).cache is CacheWrites.NONE


@pytest.mark.parametrize("price", [None, a_price()])
def test_what_has_no_price_for_caching_is_not_cached(price: object) -> None:
    bot = a_bot(prompt_cache="1h", system_prompt="x" * 10_000)
    assert build_request(bot, HELLO, (), price).cache is CacheWrites.NONE  # type: ignore[arg-type]
