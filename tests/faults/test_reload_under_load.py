"""Promise: fifty reloads under load, some of a faulty file, lose nothing, double nothing and leave nothing behind."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.observer import ConfigRefused, ConfigReloaded
from runner.ports.reloads import Unusable
from runner.testing.model_script import Say
from tests.faults.reload_house import ADA, EVE, House, house

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(240)]

FIRST, ALL = 10, 50
"""Reloads until what is open is counted the first time, and the last time."""
CALLERS = 6
CHATS = 5
SPARE = 2 * (CALLERS + 2 * CHATS)
"""Both ends of connections that may be open at one moment and not at another: one for each that can be at work."""


class Load:
    """Callers and chatters who go on until they are told to stop, and what they were answered."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.over = False
        self.said = 0
        self.answers: Counter[str] = Counter()
        self.strange: list[str] = []

    async def call(self, name: str) -> None:
        """Ask the shop one thing after another; asked again with the same id where it was not answered."""
        pause, number = SystemClock(), 0
        while not self.over:
            event = f"{name}-{number}"
            status, told = await self.home.ask(f"say {event}", name, event)
            if status == 200:
                self.answers[event] += 1
                number += 1
            elif status in {404, 429, 503, 504}:
                await pause.sleep(0.01)
            else:
                self.strange.append(f"{status} {told}")
                return
        self.said += number

    async def chat(self, token: str) -> int:
        """Write to a bot on Telegram, in several chats, a bounded lot ahead of its answers; returns how often."""
        pause, number = SystemClock(), 0
        account = self.home.telegram.account(token)
        while not self.over:
            if number - len(account.sent) < 2 * CHATS:
                account.say(f"{token} {number}", user_id=number % CHATS + 1)
                number += 1
            await pause.sleep(0.01)
        return number


async def reloads(home: House, numbers: range) -> list[str]:
    """By turns: another prompt, another cap, a bot off, on, and a faulty file; returns what went otherwise."""
    wrong = []
    for number in numbers:
        kind = number % 5
        old, new = (
            (f"You sell{'.' * (number // 5 + 1)}", f"You sell{'.' * (number // 5 + 2)}"),
            (f"spending_cap_cents: {500 + number - 1}", f"spending_cap_cents: {500 + number + 4}"),
            ("enabled: true", "enabled: false"),
            ("enabled: false", "enabled: true"),
            ("bots:\n", "botz:\n"),
        )[kind]
        outcome = await home.change(old, new)
        if isinstance(outcome, Unusable) != (kind == 4):
            wrong.append(f"{number}: {outcome}")
        if kind == 4:
            home.edit("botz:\n", "bots:\n")
    return wrong


async def quiet(home: House) -> None:
    """Wait until everything is answered and sent, and who left is gone."""
    pause = SystemClock()
    while True:
        figures = await home.daemon.store.figures()
        busy = sum(figures.waiting.values()) + sum(
            count for state, count in figures.outbox.items() if state in {"pending", "sending"}
        )
        if not busy and not [name for name in home.tasks() if name.startswith("leaving")]:
            return
        await pause.sleep(0.02)


async def test_fifty_reloads_under_load(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        home.model._standing = Say("Fine.")
        await home.change("You sell.", "You sell.\n    spending_cap_cents: 500")
        await home.ask("warm", "nobody")
        load = Load(home)
        async with asyncio.TaskGroup() as tasks:
            for number in range(CALLERS):
                tasks.create_task(load.call(f"caller{number}"))
            chatters = {token: tasks.create_task(load.chat(token)) for token in (ADA, EVE)}
            wrong = await reloads(home, range(FIRST))
            first = home.open()
            wrong += await reloads(home, range(FIRST, ALL))
            last = home.open()
            load.over = True
        for token in (ADA, EVE):
            await home.telegram.account(token).drained()
        await quiet(home)

        assert wrong == []
        assert load.strange == []
        assert load.said == len(load.answers) > ALL, "callers were served all the while"
        for token, chatter in chatters.items():
            asked = Counter(str(number % CHATS + 1) for number in range(chatter.result()))
            sent = Counter(message.chat_id for message in home.telegram.account(token).sent)
            assert sent == asked, "each message has one answer, off and on"
        said = 1 + load.said + sum(chatter.result() for chatter in chatters.values())
        assert len(home.model.bill) == said, "and was paid once"
        assert home.telegram.account(ADA).calls["getMe"] == 1, "who did not change did not notice"
        assert len(home.observer.of(ConfigReloaded)) >= ALL * 4 // 5
        assert home.observer.of(ConfigRefused)
        assert home.tasks() == [
            f"connection {name}" for name in ("ada/telegram", "eve/telegram", "shop/custom")
        ]
        assert last <= first + SPARE, "what is open does not grow"
        assert home.daemon.roster._leaving == []
