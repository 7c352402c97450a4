"""The console: the channel that every bot has beside its platforms, for `botrunner chat` and the test console.

Rules: a console message walks the real pipeline and is really charged; whoever asked waits for the answer and
gets it with its figures. What is asked while nobody waits any more is answered all the same and kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Capabilities, Deliver, Delivery, DeliveryState, Pressure, Report
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, Sender, SendResult, Sent

CAPABILITIES = Capabilities(max_text=1_000_000, pressure=Pressure.REFUSE, collects=True, reports=True)
CONSOLE = "console"
"""The channel's name; no platform may be called so."""


@dataclass(frozen=True, slots=True)
class ConsoleAnswer:
    """What the bot said, and the turn's figures (`runner.dispatch.report`)."""

    text: str
    report: Mapping[str, Any]


DeliverTo = Callable[[str, str, InboundMessage], Awaitable[Delivery]]


class Console:
    """An adapter inside the process; one serves all bots."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._waiting: dict[str, asyncio.Future[OutboundMessage]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Answers are collected."""
        return CAPABILITIES

    async def ask(
        self, deliver: DeliverTo, bot: str, user: str, text: str, timeout_s: float, task: str = ""
    ) -> ConsoleAnswer | Delivery:
        """Say something to a bot and wait for its answer; a Delivery where it was not taken.

        Args:
            task: what the message is declared as; empty: as the bot's messages are.

        Raises:
            TimeoutError: no answer within `timeout_s`, or before the console was closed.
        """
        event = self._new_id()
        command = text[1:].split(maxsplit=1)[0].lower() if text.startswith("/") and text[1:].strip() else None
        message = InboundMessage(event, ChatRef(user), Sender(user), text, command=command, task=task)
        future: asyncio.Future[OutboundMessage] = asyncio.get_running_loop().create_future()
        self._waiting[event] = future
        try:
            delivery = await deliver(bot, CONSOLE, message)
            if delivery.state is not DeliveryState.ACCEPTED:
                return delivery
            await asyncio.wait((future,), timeout=timeout_s)
            if not future.done() or future.cancelled():
                raise TimeoutError
            answer = future.result()
        finally:
            del self._waiting[event]
        return ConsoleAnswer(answer.text, answer.report)

    async def run(self, deliver: Deliver, report: Report) -> None:
        """There is no connection to hold."""

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand the answer to whoever waits for it."""
        future = self._waiting.get(message.in_reply_to or "")
        if future is not None and not future.done():
            future.set_result(message)
        return Sent()

    async def show_working(self, chat: ChatRef) -> None:
        """Nothing: whoever asked is waiting."""

    async def who_am_i(self) -> str:
        """The console itself."""
        return CONSOLE

    async def close(self) -> None:
        """Let those who wait go; what they asked is answered all the same and kept."""
        for future in self._waiting.values():
            future.cancel()
