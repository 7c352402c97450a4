"""The console: whoever asked gets its own answer; nobody waits for ever, and nothing is left behind."""

import asyncio
from itertools import count

import pytest

from adapters.contract import Delivery, DeliveryState
from adapters.messages import InboundMessage, OutboundMessage, Sent
from runner.dispatch.console import CONSOLE, Console, ConsoleAnswer
from runner.testing.pipeline import pipeline
from runner.testing.scenes import a_bot


class Desk:
    """A flow behind a console, which answers when it is told to."""

    def __init__(self, state: DeliveryState = DeliveryState.ACCEPTED) -> None:
        numbers = count(1)
        self.console = Console(lambda: f"e{next(numbers)}")
        self.state = state
        self.told: list[tuple[str, str, InboundMessage]] = []
        self.heard = asyncio.Event()
        self.wanted = 1

    async def deliver(self, bot: str, channel: str, message: InboundMessage) -> Delivery:
        self.told.append((bot, channel, message))
        if len(self.told) >= self.wanted:
            self.heard.set()
        return Delivery(self.state, 2.5)

    async def ask(self, text: str, user: str = "ada", timeout_s: float = 30.0) -> ConsoleAnswer | Delivery:
        return await self.console.ask(self.deliver, "shop", user, text, timeout_s)

    async def answer(self, message: InboundMessage, text: str) -> None:
        out = OutboundMessage("k", message.chat, text, in_reply_to=message.event_id, report={"steps": 1})
        assert await self.console.send(out) == Sent()


async def test_each_gets_the_answer_to_what_it_asked() -> None:
    desk = Desk()
    desk.wanted = 3
    async with asyncio.TaskGroup() as tasks:
        asking = [
            tasks.create_task(desk.ask(text, user)) for text, user in (("a", "x"), ("b", "x"), ("c", "y"))
        ]
        await desk.heard.wait()
        for _, _, message in reversed(desk.told):
            await desk.answer(message, f"re {message.text}")
    assert [task.result() for task in asking] == [ConsoleAnswer(f"re {t}", {"steps": 1}) for t in "abc"]
    assert {channel for _, channel, _ in desk.told} == {CONSOLE}


@pytest.mark.parametrize("state", [s for s in DeliveryState if s is not DeliveryState.ACCEPTED])
async def test_what_is_not_taken_is_not_waited_for(state: DeliveryState) -> None:
    desk = Desk(state)
    assert await desk.ask("hello") == Delivery(state, 2.5)
    await desk.answer(desk.told[0][2], "late")


async def test_nobody_waits_longer_than_told_and_a_late_answer_finds_nobody() -> None:
    desk = Desk()
    with pytest.raises(TimeoutError):
        await desk.ask("hello", timeout_s=0.0)
    await desk.answer(desk.told[0][2], "late")


async def test_a_closed_console_lets_all_go() -> None:
    desk = Desk()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await desk.ask("hello")

    desk.wanted = 2
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        tasks.create_task(ask())
        await desk.heard.wait()
        await desk.console.close()
    await desk.answer(desk.told[0][2], "late")


async def test_who_gives_up_leaves_nothing_behind() -> None:
    desk = Desk()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(desk.ask("hello"))
        await desk.heard.wait()
        asking.cancel()
    assert asking.cancelled()
    await desk.answer(desk.told[0][2], "late")


async def test_a_second_answer_is_no_trouble() -> None:
    desk = Desk()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(desk.ask("hello"))
        await desk.heard.wait()
        await desk.answer(desk.told[0][2], "first")
        await desk.answer(desk.told[0][2], "second")
    assert asking.result() == ConsoleAnswer("first", {"steps": 1})


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("hello", None),
        ("/reset", "reset"),
        ("/RESET now", "reset"),
        ("/", None),
        ("/ ", None),
        ("a /reset", None),
        ("/\tx y", "x"),
    ],
)
async def test_a_command_is_known_by_its_slash(text: str, command: str | None) -> None:
    desk = Desk(DeliveryState.IGNORED)
    await desk.ask(text)
    assert desk.told[0][2].command == command


async def test_it_walks_the_real_pipeline() -> None:
    async with pipeline(a_bot()) as walk:
        console = Console(lambda: "c1")
        walk.roster.adapters["bot", CONSOLE] = console
        said = await console.ask(walk.inbox.deliver, "bot", "ada", "hello", 5.0)
        assert isinstance(said, ConsoleAnswer)
        assert said.text == "Hello from the fake model."
        assert said.report["tokens"]["output"] > 0
        assert await console.who_am_i() == CONSOLE
        assert console.capabilities.collects
