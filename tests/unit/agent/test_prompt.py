"""From a bot and a history to one request."""

from runner.agent.prompt import build_request
from runner.conversations.models import Message, UserMessage
from runner.money.prices import ModelLimits
from runner.ports.dialogue import ToolSpec
from runner.testing.scenes import CHOICE, a_bot, a_price

HELLO: tuple[Message, ...] = (UserMessage("hello"),)
LOOK = (ToolSpec("look", "looks", {"type": "object"}),)


def test_a_request_is_the_bot_and_what_was_said() -> None:
    bot = a_bot(temperature=0.5)
    request = build_request(bot, CHOICE, HELLO, LOOK, a_price())
    assert (request.choice, request.system, request.messages, request.tools) == (
        CHOICE,
        "You are brief.",
        HELLO,
        LOOK,
    )
    assert (request.max_output_tokens, request.temperature) == (8192, 0.5)


def test_a_model_that_takes_no_temperature_is_sent_none() -> None:
    price = a_price(limits=ModelLimits(temperature=False))
    assert build_request(a_bot(temperature=0.5), CHOICE, HELLO, (), price).temperature is None


def test_the_same_turn_makes_the_same_request() -> None:
    bot = a_bot()
    assert build_request(bot, CHOICE, HELLO, LOOK, a_price()) == build_request(
        bot, CHOICE, HELLO, LOOK, a_price()
    )
