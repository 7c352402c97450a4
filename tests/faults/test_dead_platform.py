"""Promise: what is said for a platform that is away is kept, tried ever more seldom, and sent once and in order.

A whole daemon on real sockets with Telegram, whose server goes away for ten minutes of a manual clock while turns are
running. How each adapter comes back is tried by its own `test_*_connection` and `test_slack_sockets`.
"""

from collections import defaultdict
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.mail import OutboxState
from runner.ports.observer import ConnectionChanged, SendEnded
from runner.testing.clock import ManualClock
from runner.testing.model_script import Say
from tests.faults.reload_house import ADA, House, house

pytestmark = pytest.mark.faults

USERS, EACH = 3, 3
ALL = USERS * EACH
AWAY_S = 600
STEP_S = 2.0
MOST_TRIES = 18
"""In ten minutes: after 1, 2, 4, 8, 16, 32 and then every 60 seconds."""


async def stored(home: House, waiting: int, pending: int) -> None:
    """Wait until so many messages are not answered, and so many answers are not sent."""
    pause = SystemClock()
    while True:
        figures = await home.daemon.store.figures()
        unsent = figures.outbox.get("pending", 0) + figures.outbox.get("sending", 0)
        if (sum(figures.waiting.values()), unsent) == (waiting, pending):
            return
        await pause.sleep(0.005)


async def let(home: House, clock: ManualClock, seconds: float) -> None:
    """Let that much time pass, in small steps; who sends has tried before the next."""
    pause = SystemClock()
    for _ in range(round(seconds / STEP_S)):
        clock.advance(STEP_S)
        home.daemon.outbox._look.set()
        await pause.sleep(0.002)


async def test_ten_minutes_away(tmp_path: Path) -> None:
    clock = ManualClock()
    async with house(tmp_path, clock=clock) as home:
        account = home.telegram.account(ADA)
        home.model._standing = lambda body: Say(f"re {body['messages'][-1]['content']}", latency_s=5.0)
        for number in range(ALL):
            account.say(f"{number}", user_id=number % USERS + 1)
        await stored(home, ALL, 0)
        await home.asked(USERS)
        await home.telegram.stop()
        for turn in range(EACH):
            await home.time.asleep(USERS)
            home.time.advance(5.0)
            if turn + 1 < EACH:
                await home.asked(USERS * (turn + 2))
        await stored(home, 0, ALL)

        await let(home, clock, AWAY_S)
        tries = [row.tries for row in await home.daemon.store.outgoing(OutboxState.PENDING, ALL)]
        assert len(tries) == ALL, "nothing is given up"
        assert max(tries) <= MOST_TRIES
        assert sum(tries) <= USERS * MOST_TRIES, "only the first of each chat is tried"
        states = [event.state for event in home.observer.of(ConnectionChanged) if event.bot == "ada"]
        assert states[-1] == "down"

        await home.telegram.start()
        while len(account.sent) < ALL:
            await let(home, clock, STEP_S)
        await stored(home, 0, 0)
        heard = defaultdict(list)
        for message in account.sent:
            heard[message.chat_id].append(message.text)
        assert heard == {
            str(user + 1): [f"re {user + USERS * turn}" for turn in range(EACH)] for user in range(USERS)
        }
        assert {event.fate for event in home.observer.of(SendEnded)} == {"later", "sent"}
        while home.daemon.roster.connections("ada")[0].state != "up":
            await let(home, clock, STEP_S)
        assert len(home.model.bill) == ALL
