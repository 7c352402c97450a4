"""What a test needs around what it tries: a bot, a price, a message, a tool that is a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.messages import ChatKind, ChatRef, InboundMessage, Sender
from runner.bots import Bot, Channel, ModelChoice
from runner.conversations.models import ToolCall, ToolResult
from runner.money.amounts import Money, from_usd
from runner.money.prices import ModelLimits, Price, PriceBook, Rates
from runner.ports.dialogue import ToolSpec

CHOICE = ModelChoice("fake", "model-1")
RATES = Rates(input=1_000_000, output=4_000_000)
"""One pico-dollar an input token, four an output token: costs can be read off the tokens."""


def a_bot(bot_id: str = "bot", **changes: Any) -> Bot:  # noqa: ANN401 - any field of Bot
    """A bot with one channel, `chat`, and the default of everything else that is not in `changes`."""
    plain = Bot(
        id=bot_id,
        name=bot_id.capitalize(),
        channels=(Channel("chat", "fake", None),),
        system_prompt="You are brief.",
        choice=CHOICE,
    )
    return replace(plain, **changes)


def a_price(rates: Rates = RATES, limits: ModelLimits | None = None) -> Price:
    """The price of `CHOICE`."""
    return Price(CHOICE.model, CHOICE.provider, rates, limits=limits or ModelLimits(), version="test")


def a_book(*prices: Price) -> PriceBook:
    """A book of these prices; of `a_price()` where there are none."""
    return PriceBook("test", {(price.provider, price.model): price for price in prices or (a_price(),)})


def usd(text: str) -> Money:
    """An amount in dollars."""
    return from_usd(text)


def a_message(
    text: str = "hello",
    event_id: str = "e1",
    user: str = "ada",
    chat: str | None = None,
    **changes: Any,  # noqa: ANN401 - any field of InboundMessage
) -> InboundMessage:
    """A message in a direct chat with `user`, or in the group `chat`."""
    kind = ChatKind.DIRECT if chat is None else ChatKind.GROUP
    plain = InboundMessage(event_id, ChatRef(chat or user, kind), Sender(user), text)
    return replace(plain, **changes)


class FunctionToolbox:
    """Tools that are functions of their arguments; a `ValueError` is a failing result.

    Attributes:
        calls: every call that was made, in order.
    """

    def __init__(self, repeatable: bool = True, **tools: Callable[[str], str]) -> None:  # noqa: FBT001, FBT002 - beside tools by name
        self._tools = tools
        self._repeatable = repeatable
        self.calls: list[ToolCall] = []

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """By name."""
        return tuple(ToolSpec(name, name, {"type": "object"}) for name in sorted(self._tools))

    def is_repeatable(self, name: str) -> bool:
        """As told."""
        return self._repeatable

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Call the function."""
        self.calls.append(call)
        try:
            return ToolResult(call.id, call.name, self._tools[call.name](call.arguments))
        except (KeyError, ValueError) as error:
            return ToolResult(call.id, call.name, str(error), ok=False)
