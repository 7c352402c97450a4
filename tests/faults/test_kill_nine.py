"""The promise: no accepted message lost, none billed twice, none answered twice but those that are listed.

A daemon under load from Telegram users and HTTP clients is killed at random moments, over and over; what its
users, its ledger and the model's own bill say afterwards must agree. $BOTRUNNER_KILLS sets how often
(`make faults`: 200).
"""

import asyncio
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.reckoning import AHEAD, books, check_bill, listed, say_again, until_answered

KILLS = int(os.environ.get("BOTRUNNER_KILLS", "15"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
TOKEN = "42:abcdefgh"
USERS = 8
CLIENTS = 6
SAY_EVERY_S = 0.02

CONFIG = """
server: {{port: {port}}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
  chat:
    platform: telegram
    platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}
  shop: {{platform: custom}}
"""


class Load:
    """Users who write all the time. What they were promised is what they hold us to."""

    def __init__(self, telegram: Account, daemon: Daemon, rng: random.Random) -> None:
        self.telegram = telegram
        self.daemon = daemon
        self.rng = rng
        self.said: dict[int, list[str]] = defaultdict(list)
        self.answers: dict[str, set[str]] = defaultdict(set)
        self.asked: set[str] = set()
        self.over = False

    async def on_telegram(self) -> None:
        number = 0
        while not self.over:
            await asyncio.sleep(SAY_EVERY_S)
            if number - len(self.telegram.sent) >= AHEAD:
                continue
            number += 1
            user = self.rng.randint(1, USERS)
            text = f"tg{number}"
            self.telegram.say(text, user_id=user)
            self.said[user].append(text)

    async def by_http(self, client: int, session: aiohttp.ClientSession) -> None:
        number = 0
        while not self.over:
            number += 1
            word = f"c{client}n{number}"
            self.asked.add(word)
            await self._ask(session, client, word)
            if self.rng.random() < 0.2:
                await self._ask(session, client, word)

    async def _ask(self, session: aiohttp.ClientSession, client: int, word: str) -> None:
        """Ask until there is an answer, always with the same id."""
        body = {"text": word, "user_id": f"u{client}", "message_id": word}
        while True:
            try:
                url = f"{self.daemon.url}/api/bots/webhook/custom/shop"
                async with session.post(url, json=body) as response:
                    told = await response.json()
                    if response.status == 200:
                        self.answers[word].add(told["response"])
                        return
                    assert response.status in {503, 504}, told
            except (aiohttp.ClientError, ConnectionError, ValueError):
                pass
            await asyncio.sleep(0.01)


@pytest.mark.faults
@pytest.mark.timeout(100 + KILLS * 4)
async def test_nothing_is_lost_doubled_or_paid_twice(tmp_path: Path, unused_tcp_port: int) -> None:
    rng = random.Random(SEED)
    model = ModelServer(standing=say_again)
    async with TelegramServer() as server, aiohttp.ClientSession() as session:
        telegram = server.account(TOKEN)
        url = await model.start()
        text = CONFIG.format(port=unused_tcp_port, model=url, telegram=server.url, token=TOKEN)
        with Daemon(tmp_path, text) as daemon:
            await daemon.start()
            await daemon.ready()
            load = Load(telegram, daemon, rng)
            async with asyncio.TaskGroup() as group:
                group.create_task(load.on_telegram())
                for client in range(CLIENTS):
                    group.create_task(load.by_http(client, session))
                for _ in range(KILLS):
                    await asyncio.sleep(rng.uniform(0.0, 0.5))
                    daemon.kill()
                    await daemon.gone()
                    await daemon.start()
                    if rng.random() < 0.8:
                        await daemon.ready()
                await daemon.ready()
                load.over = True
            lost = await _all_answered(load)
            await daemon.stop()
            rows = await books(daemon)
            doubled = await listed(daemon)
        await model.stop()
    _check_order_and_doubles(load, doubled, lost)
    check_bill(rows, model)


async def _all_answered(load: Load) -> set[str]:
    """Each message that Telegram handed over has its answer in the end, each HTTP client the same one always.

    Returns the answers that were given up and are listed.
    """
    expected = {f"re {text}" for texts in load.said.values() for text in texts}
    lost = await until_answered(load.daemon, lambda: expected - {sent.text for sent in load.telegram.sent})
    assert {word: {f"re {word}"} for word in load.asked} == load.answers
    return lost


def _check_order_and_doubles(load: Load, known: Counter[str], lost: set[str]) -> None:
    times = Counter(sent.text for sent in load.telegram.sent)
    doubled = {text: count - 1 for text, count in times.items() if count > 1}
    print(
        f"kills {KILLS}, telegram {len(times)}, http {len(load.asked)}, doubled and listed {len(doubled)}, "
        f"given up and listed {len(lost)}"
    )
    assert all(known[text] >= again for text, again in doubled.items()), (doubled, known)
    first: dict[str, list[str]] = defaultdict(list)
    for sent in load.telegram.sent:
        if sent.text not in first[sent.chat_id]:
            first[sent.chat_id].append(sent.text)
    assert first == {
        str(user): [f"re {text}" for text in texts if f"re {text}" not in lost]
        for user, texts in load.said.items()
    }
