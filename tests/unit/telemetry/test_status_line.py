"""The daemon in one line."""

import asyncio
from collections.abc import Iterator

import pytest

from adapters.contract import ConnectionState
from runner.errors import StoreError
from runner.money.amounts import ZERO, Money, from_usd
from runner.telemetry.status_line import BotState, StatusLine, status_text
from runner.testing.clock import ManualClock


class Told:
    """A notifier that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ready(self) -> None: ...
    def reloading(self) -> None: ...
    def stopping(self) -> None: ...

    def status(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ("connections", "spent", "line"),
    [
        ([], ZERO, "0 bots up, 0.00 USD today"),
        ([BotState("a", "up")], from_usd("1.23"), "1 bot up, 1.23 USD today"),
        ([BotState("a", "up"), BotState("b", "up")], from_usd("12.3000001"), "2 bots up, 12.31 USD today"),
        (
            [
                BotState("a", "up"),
                BotState("support", "refused", "the token is not valid"),
                BotState("b", "up"),
            ],
            Money(1),
            "2 bots up, 1 refused (support: the token is not valid), 0.01 USD today",
        ),
        (
            [BotState("a", "connecting", "soon"), BotState("b", "down", "no way"), BotState("c", "degraded")],
            ZERO,
            "0 bots up, 1 connecting, 1 degraded (c), 1 down (b: no way), 0.00 USD today",
        ),
        (
            [BotState("a", "refused", "x" * 200), BotState("b", "refused", "y")],
            ZERO,
            f"0 bots up, 2 refused (a: {'x' * 80}; b: y), 0.00 USD today",
        ),
    ],
)
def test_the_line(connections: list[BotState], spent: Money, line: str) -> None:
    assert status_text(connections, spent) == line


def test_a_bot_is_as_its_worst_connection_is() -> None:
    two = [BotState("a", "refused", "no"), BotState("a", "up")]
    for order in (two, two[::-1]):
        assert status_text(order, ZERO) == "0 bots up, 1 refused (a: no), 0.00 USD today"


def test_what_holds_for_all_comes_first() -> None:
    assert status_text([], ZERO, "bots.yaml was not taken").startswith("bots.yaml was not taken, 0 bots up")


@pytest.mark.parametrize("state", ConnectionState)
def test_every_state_has_its_place(state: ConnectionState) -> None:
    assert state in status_text([BotState("a", state)], ZERO)


async def test_it_is_told_again_and_again_and_a_store_that_fails_ends_nothing() -> None:
    clock, told = ManualClock(), Told()
    answers: Iterator[str | StoreError] = iter(["one", StoreError("the disk is full"), "two"])

    async def tell() -> str:
        answer = next(answers)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(StatusLine(told, clock, tell).run())
        for lines in (["one"], ["one"], ["one", "two"]):
            await clock.asleep()
            assert told.lines == lines
            clock.advance(10.0)
        telling.cancel()


async def test_it_is_told_sooner_at_the_start() -> None:
    clock, told = ManualClock(), Told()

    async def tell() -> str:
        return "well"

    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(StatusLine(told, clock, tell).run())
        for _ in range(6):
            await clock.asleep()
            clock.advance(10.0)
        telling.cancel()
    assert clock.sleeps == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
