"""Several daemons on one PostgreSQL under load on all five platforms, while each thing goes wrong that can.

Daemons are killed, one hangs for longer than any time-out, the database is restarted, softly and by a crash, and in
the end all daemons are restarted one after another. Nothing is lost, nothing out of order in a conversation, nothing
paid twice, nothing answered twice but what is listed.

$BOTRUNNER_KILLS sets how often each of it happens (`make faults`).
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.money.reservation import ReservationState
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from runner.testing.postgres_server import PostgresServer
from tests.faults.five_platforms import BOTS, TOKEN, Town, town
from tests.faults.fleet_house import Balancer, Fleet, fleet
from tests.faults.fleet_reckoning import books_at, check_order, listed_at, until_all
from tests.faults.reckoning import PRICES, check_bill

DAEMONS = 4
ROUNDS = max(1, int(os.environ.get("BOTRUNNER_KILLS", "20")) // 20)
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
AHEAD = 12
"""Words that a writer is ahead of its answers at most."""
HANG_S = 14.0
"""Longer than any time-out that a session or a lease has."""
CALM_S = 3.0
STALL_S = 30.0
"""A call that a daemon had under way when it was ended began no longer before that."""
PATIENCE = aiohttp.ClientTimeout(total=25)
CONFIG = """
store: {url: "STORE"}
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


def say_again(body: Mapping[str, Any]) -> Say:
    last = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else last[-1]["text"]
    return Say(text=f"re {text.split()[-1]}", latency_s=0.15)


class Writers:
    """Sixteen who write: on Telegram, Discord, Slack and WhatsApp without waiting, on HTTP one word at a time."""

    def __init__(self, place: Town, house: Fleet, rng: random.Random) -> None:
        self.place = place
        self.house = house
        self.rng = rng
        self.over = asyncio.Event()
        self.said: dict[str, list[str]] = {}
        self.answered: dict[str, set[tuple[str, str]]] = {}
        self.http: list[str] = []

    def read(self) -> list[str]:
        """All that anybody has read, each writer's in its order."""
        place = self.place
        accounts = (place.tele, place.disc, place.slac, place.what)
        return [*(sent.text for account in accounts for sent in account.sent), *self.http]

    def missing(self) -> set[str]:
        """The answers that nobody has read yet."""
        return {f"re {word}" for words in self.said.values() for word in words} - set(self.read())

    async def write_all(self) -> None:
        """Until it is over."""
        place = self.place
        async with asyncio.TaskGroup() as group:
            for user in range(1, 5):
                group.create_task(self._chat(f"tg{user}", lambda w, u=user: place.tele.say(w, user_id=u)))
            for user in range(1, 3):
                group.create_task(self._chat(f"dc{user}", lambda w, u=user: place.disc.say(w, user_id=u)))
                group.create_task(self._chat(f"sl{user}", lambda w, u=user: place.slac.say(w, user=f"U{u}")))
                group.create_task(self._chat(f"wa{user}", self._on_whatsapp(user)))
            for client in range(1, 7):
                group.create_task(self._ask_on(f"cu{client}"))

    def _on_whatsapp(self, user: int) -> Any:
        def say(word: str) -> None:
            self.place.what.copies = 2 if self.rng.random() < 0.1 else 1
            self.place.what.say(word, user=f"49170000000{user}")

        return say

    async def _chat(self, writer: str, say: Any) -> None:
        said = self.said.setdefault(writer, [])
        while not self.over.is_set():
            read = sum(text.startswith(f"re {writer}n") for text in set(self.read()))
            if len(said) - read < AHEAD:
                said.append(f"{writer}n{len(said)}.")
                say(said[-1])
            await asyncio.sleep(self.rng.uniform(0.1, 0.4))

    async def _ask_on(self, writer: str) -> None:
        said = self.said.setdefault(writer, [])
        while not self.over.is_set():
            said.append(f"{writer}n{len(said)}.")
            word = said[-1]
            copies = 2 if self.rng.random() < 0.1 else 1
            got = await asyncio.gather(*(self._ask(writer, word) for _ in range(copies)))
            self.answered[word] = set(got)
            self.http.append(got[0][0])
            await asyncio.sleep(self.rng.uniform(0.0, 0.2))

    async def _ask(self, writer: str, word: str) -> tuple[str, str]:
        """Ask any daemon until one answers, always with the same id."""
        body = {"text": word, "user_id": writer, "message_id": word}
        while True:
            daemon = self.rng.choice(self.house.up())
            try:
                url = f"{daemon.url}/api/bots/webhook/custom/cust"
                async with self.place.session.post(url, json=body, timeout=PATIENCE) as response:
                    told = await response.json()
                    if response.status == 200:
                        return told["response"], told["turn_id"]
                    assert response.status in {503, 504}, told
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
                pass
            await asyncio.sleep(0.05)


async def poll_goes_on(place: Town, what: str) -> None:
    """Wait until somebody asks Telegram for updates again, and print how long that took."""
    begun, polls = time.monotonic(), place.tele.calls["getUpdates"]
    await place.tele.called("getUpdates", polls + 1)
    print(f"{what} at {time.time():.1f}: polled again after {time.monotonic() - begun:.2f} s")


async def answered_elsewhere(writers: Writers, what: str) -> None:
    """Wait until a conversation that nobody was in gets its answer, and print how long that took."""
    begun = time.monotonic()
    word = f"probe{begun:.3f}"
    got = await writers._ask(word, word)
    assert got[0] == f"re {word}"
    print(
        f"{what} at {time.time():.1f}: a new conversation was answered after {time.monotonic() - begun:.2f} s"
    )


async def go_wrong(house: Fleet, place: Town, writers: Writers, rng: random.Random) -> list[float]:
    """One thing after another; when daemons were killed or stopped, Unix seconds."""
    ended = []
    for _ in range(ROUNDS):
        await asyncio.sleep(CALM_S)
        victim = await house.holder("connection tele/telegram")
        ended.append(time.time())
        victim.kill()
        await poll_goes_on(place, "kill -9")
        await answered_elsewhere(writers, "kill -9")
        await house.again(victim)
        await asyncio.sleep(CALM_S)
        victim = await house.holder("connection tele/telegram")
        ended.append(time.time())
        house.freeze(victim)
        begun = time.monotonic()
        await poll_goes_on(place, "SIGSTOP")
        await asyncio.sleep(max(0.0, HANG_S - (time.monotonic() - begun)))
        house.thaw(victim)
        await asyncio.sleep(CALM_S)
        await asyncio.to_thread(house.server.stop, rng.choice(["fast", "immediate"]))
        await asyncio.sleep(rng.uniform(0.0, 1.5))
        house.server.start()  # in this thread: it ends with the one that started it
        await answered_elsewhere(writers, "PostgreSQL restarted")
    for daemon in house.daemons:  # a rolling restart
        house.stopped.add(daemon.pid)  # nobody is sent there any more
        await daemon.stop()
        await house.again(daemon)
    return ended


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(240 + ROUNDS * 90)
async def test_whatever_goes_wrong_each_message_is_answered_once_and_in_order(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    model = ModelServer(standing=say_again)
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    try:
        async with town() as place:
            top = CONFIG % (await model.start(), PRICES)
            bots = BOTS.format(
                port="PORT",
                token=TOKEN,
                telegram=place.telegram.url,
                discord=place.discord.url,
                slack=place.slack.url,
                meta=place.meta.url,
            )
            async with fleet(tmp_path, server, top + bots, DAEMONS) as house, Balancer(house, rng) as gate:
                await house.start()
                await place.meta.subscribe(place.what, f"{gate.url}/api/bots/webhook/whatsapp/what")
                await place.slack.linked(place.slac, DAEMONS)
                await place.disc.until(lambda: place.discord.connections(TOKEN) == 1)
                writers = Writers(place, house, rng)
                async with asyncio.TaskGroup() as group:
                    group.create_task(writers.write_all())
                    ended = await go_wrong(house, place, writers, rng)
                    await asyncio.sleep(CALM_S)
                    writers.over.set()
                await until_all(writers.missing)
                await place.what.drained()
                await house.stop()
                rows = await books_at(house.database, tmp_path)
                doubled = await listed_at(house.database, tmp_path)
    finally:
        server.close()
        await model.stop()
    _check(writers, doubled)
    lost = [row.attempt.time_ms / 1000 for row in rows if row.state is ReservationState.UNKNOWN]
    print(f"{len(lost)} calls were under way in daemons that were killed or hung, and made again")
    assert all(any(0 <= at - call + 1 < STALL_S for at in ended) for call in lost), "no restart costs a call"
    check_bill(rows, model)


def _check(writers: Writers, known: Counter[str]) -> None:
    read = writers.read()
    check_order(writers.said, read)
    times = Counter(read)
    again = {text: count - 1 for text, count in times.items() if count > 1}
    print(f"{sum(map(len, writers.said.values()))} said, {len(again)} answered twice and listed")
    assert all(known[text] >= count for text, count in again.items()), (again, known)
    assert all(len(answers) == 1 for answers in writers.answered.values()), "the same id, the same answer"
