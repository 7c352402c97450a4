"""Promise: a daemon that has worked for hours is no bigger than one that is warm, and has no more files open.

The messages of two hours of a busy household (five a second) as fast as they go, through the real daemon, by Telegram
and by HTTP, with fresh users and old ones, slow models and faults. $BOTRUNNER_SOAK sets how many messages.
"""

import asyncio
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account, Fault, FaultKind
from runner.testing.model_script import Behaviour, Drop, Say
from runner.testing.model_script import Fault as ModelFault
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.reckoning import books

MESSAGES = int(os.environ.get("BOTRUNNER_SOAK", "240"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
ROUNDS = 12
WARM = 4
"""Rounds until memory and files are counted the first time."""
MOST_GROWTH_MIB = 6.0
SPARE_FILES = 24
"""Connections that may be open at one moment and not at another."""
AT_ONCE = 12
TOKEN = "42:abcdefgh"
CONFIG = """
server: {{port: 0}}
reload: off
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, spending_cap_cents: 1000000,
  rate_limit_per_minute: null, user_rate_limit_per_minute: null, system_prompt: You help.}}
bots:
  chat: {{platform: telegram, platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}}}
  shop: {{platform: custom}}
"""


class Household:
    """Half of it writes on Telegram, half asks by HTTP; one in four is a stranger."""

    def __init__(self, daemon: Daemon, account: Account, session: aiohttp.ClientSession) -> None:
        self._daemon = daemon
        self._account = account
        self._session = session
        self._rng = random.Random(SEED)
        self._number = 0
        self._said = 0

    async def write(self, messages: int) -> None:
        """So many messages, and all their answers."""
        todo = iter(range(messages - messages // 2))
        for _ in range(messages // 2):
            self._account.say("x" * self._rng.randint(1, 2000), user_id=self._who())
        self._said += messages // 2

        async def ask_on() -> None:
            for _ in todo:
                await self._ask()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(ask_on())
        await self._account.drained()
        await self._account.replies(self._said)

    async def _ask(self) -> None:
        body = {"text": "y" * self._rng.randint(1, 2000), "user_id": f"u{self._who()}"}
        url = f"{self._daemon.url}/api/bots/webhook/custom/shop"
        async with self._session.post(url, json=body) as response:
            told = await response.json()
            assert response.status == 200, told

    def _who(self) -> int:
        self._number += 1
        return self._number if self._number % 4 == 0 else self._rng.randint(1, 20)


def moody(rng: random.Random) -> Behaviour:
    """A model that fails now and then."""
    dice = rng.random()
    if dice < 0.02:
        return ModelFault(500)
    if dice < 0.03:
        return Drop()
    return Say("z" * rng.randint(1, 1500), latency_s=rng.uniform(0, 0.02))


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.skipif(
    "BOTRUNNER_SOAK" not in os.environ, reason="takes minutes: BOTRUNNER_SOAK=36000 asks for it"
)
@pytest.mark.timeout(120 + MESSAGES // 5)
async def test_memory_and_files_are_flat(tmp_path: Path) -> None:
    rng = random.Random(SEED)

    def standing(_: Mapping[str, Any]) -> Behaviour:
        return moody(rng)

    model = ModelServer(standing=standing)
    rss, files = [], []
    async with TelegramServer() as telegram, aiohttp.ClientSession() as session:
        account = telegram.account(TOKEN)
        text = CONFIG.format(model=await model.start(), telegram=telegram.url, token=TOKEN)
        with Daemon(tmp_path, text) as daemon:
            await daemon.start()
            await daemon.ready()
            process = psutil.Process(daemon.pid)
            household = Household(daemon, account, session)
            for _ in range(ROUNDS):
                account.fail("getUpdates", Fault(FaultKind.DROP_BEFORE))
                await household.write(MESSAGES // ROUNDS)
                rss.append(round(process.memory_info().rss / 2**20, 1))
                files.append(process.num_fds())
            await daemon.stop()
            rows = await books(daemon)
        await model.stop()
    print(f"{MESSAGES} messages, {len(rows)} calls; RSS in MiB {rss}; files {files}")
    assert len(rows) >= MESSAGES // ROUNDS * ROUNDS
    assert max(files[WARM:]) <= files[WARM - 1] + SPARE_FILES, files
    assert rss[-1] - rss[WARM - 1] < MOST_GROWTH_MIB, rss
