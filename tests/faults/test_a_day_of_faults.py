"""A day's worth of faults on all five platforms at once, over the real daemon: each message is answered once.

Each connection is dropped over and over while users write; each webhook is delivered one to three times, some
of them late; in the end there is one connection a bot. The same, while the daemon itself is killed: each message
is answered, and twice only where the store lists it. $BOTRUNNER_DROPS and $BOTRUNNER_KILLS set how often.
"""

import asyncio
import gc
import os
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from adapters.testing.telegram_state import Account, Fault, FaultKind
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.five_platforms import Customers, Side, Town, all_answered, town
from tests.faults.reckoning import AHEAD, PRICES, books, check_bill, listed, say_again, until_answered

DROPS = int(os.environ.get("BOTRUNNER_DROPS", "5"))
KILLS = int(os.environ.get("BOTRUNNER_KILLS", "6"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
SAID_EACH = 3
ECHO = """
defaults: {llm_provider: echo, llm_model: echo, rate_limit_per_minute: null, system_prompt: Repeat.}
"""
MODEL = """
providers: {house: {kind: openai, base_url: "%s/v1", api_key: key}}
%s
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
"""


async def a_day(side: Side, rng: random.Random) -> None:
    for _ in range(DROPS):
        for _ in range(SAID_EACH):
            side.write()
            await asyncio.sleep(rng.uniform(0, 0.05))
        await side.dropped()
        await asyncio.sleep(rng.uniform(0.05, 0.3))


async def drop_poll(tele: Account, rng: random.Random) -> None:
    """One poll is cut, a later one is not: polls cut in a row are rightly made ever more seldom."""
    polls = tele.calls["getUpdates"]
    tele.fail("getUpdates", Fault(rng.choice([FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])))
    await tele.called("getUpdates", polls + 2)


def sides_of(place: Town, customers: Customers, rng: random.Random) -> list[Side]:
    def again() -> None:
        place.what.copies = rng.randint(1, 3)

    return place.sides(customers, lambda: drop_poll(place.tele, rng), again)


@pytest.mark.faults
@pytest.mark.timeout(120 + DROPS * 6)
async def test_each_message_is_answered_once(tmp_path: Path, unused_tcp_port: int) -> None:
    rng = random.Random(SEED)
    async with town() as place:
        with Daemon(tmp_path, place.config(unused_tcp_port, ECHO)) as daemon:
            await daemon.start()
            await daemon.ready()
            await place.subscribe(daemon)
            await place.connected()
            customers = Customers(place.session, daemon, rng)
            sides = sides_of(place, customers, rng)
            async with asyncio.timeout(60 + DROPS * 5):
                await asyncio.gather(*(a_day(side, rng) for side in sides))
                await all_answered(sides)
                await asyncio.gather(*customers.tasks)
                await place.what.drained()
                await place.connected()
            await daemon.stop()
    for side in sides:
        assert Counter(side.times().values()) == {1: DROPS * SAID_EACH}, side.name


async def write_until(over: asyncio.Event, side: Side, rng: random.Random) -> None:
    while not over.is_set():
        if len(side.said) - len(side.read()) < AHEAD:
            side.write()
        if rng.random() < 0.1:
            await side.dropped()
        await asyncio.sleep(rng.uniform(0, 0.2))


async def kill_over_and_over(daemon: Daemon, rng: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        daemon.kill()
        await daemon.gone()
        await daemon.start()
        if rng.random() < 0.8:
            await daemon.ready()
    await daemon.ready()


@pytest.fixture
def cut_connections() -> Iterator[None]:
    """Connections of the test's own client that a kill cut in the making are let go of here, where that is expected."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.mark.faults
@pytest.mark.usefixtures("cut_connections")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.timeout(150 + KILLS * 6)
async def test_with_the_daemon_killed_each_message_is_answered(tmp_path: Path, unused_tcp_port: int) -> None:
    rng = random.Random(SEED)
    model = ModelServer(standing=say_again)
    async with town() as place:
        top = MODEL % (await model.start(), PRICES)
        with Daemon(tmp_path, place.config(unused_tcp_port, top)) as daemon:
            await daemon.start()
            await daemon.ready()
            await place.subscribe(daemon)
            await place.connected()
            customers = Customers(place.session, daemon, rng)
            customers.patient = True
            sides = sides_of(place, customers, rng)
            for side in sides:
                side.write()
            await all_answered(sides)  # Discord does not tell of direct chats that were never heard of
            place.what.copies = 2
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for side in sides:
                    group.create_task(write_until(over, side, rng))
                await kill_over_and_over(daemon, rng)
                over.set()
            lost = await until_answered(daemon, lambda: not_answered(sides))
            async with asyncio.timeout(60):
                await asyncio.gather(*customers.tasks)
                await place.what.drained()
                await place.connected()
            await daemon.stop()
            rows, doubled = await books(daemon), await listed(daemon)
        await model.stop()
    print(f"given up and listed {len(lost)}")
    _check_doubles(sides, doubled)
    check_bill(rows, model)


def not_answered(sides: Sequence[Side]) -> set[str]:
    """The answers that nobody has read yet."""
    return {f"re {word}" for side in sides for word, times in side.times().items() if times == 0}


def _check_doubles(sides: Sequence[Side], known: Counter[str]) -> None:
    for side in sides:
        again = {word: times - 1 for word, times in side.times().items() if times > 1}
        print(f"kills {KILLS}, {side.name}: {len(side.said)} said, {len(again)} answered twice and listed")
        assert all(known[f"re {word}"] >= times for word, times in again.items()), (side.name, again, known)
