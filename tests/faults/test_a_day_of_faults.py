"""A day's worth of faults on all five platforms at once, over the real daemon: each message is answered once.

Each connection is dropped over and over while users write; each webhook is delivered one to three times, some
of them late; in the end there is one connection a bot.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.discord_server import DiscordServer
from adapters.testing.slack_server import SlackServer
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Fault, FaultKind
from adapters.testing.whatsapp_server import WhatsAppServer
from tests.faults.daemon_process import Daemon

DROPS = int(os.environ.get("BOTRUNNER_DROPS", "5"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
SAID_EACH = 3
TOKEN = DiscordServer.token(4242)
CONFIG = """
server: {{port: {port}}}
defaults: {{llm_provider: echo, llm_model: echo, rate_limit_per_minute: null, system_prompt: Repeat.}}
bots:
  tele:
    platform: telegram
    platform_config: {{bot_token: "42:abcdefgh", api_base_url: "{telegram}", poll_timeout_s: 1}}
  disc: {{platform: discord, platform_config: {{bot_token: "{token}", api_base_url: "{discord}/api/v10"}}}}
  slac:
    platform: slack
    platform_config: {{bot_token: xoxb-day, app_token: xapp-day, api_base_url: "{slack}/api/"}}
  what:
    platform: whatsapp
    platform_config:
      phone_number_id: 106540352242922
      access_token: EAAday
      verify_token: verify-day
      app_secret: secret-day
      api_base_url: "{meta}"
  cust: {{platform: custom}}
"""


class Side:
    """One platform: how its users write, how its connection is dropped, what they have read."""

    def __init__(
        self, name: str, say: Callable[[str], object], drop: Callable[[], Any], read: Callable[[], list[str]]
    ) -> None:
        self.name = name
        self.say = say
        self.drop = drop
        self.read = read
        self.said: list[str] = []

    async def a_day(self, rng: random.Random) -> None:
        for number in range(DROPS):
            for again in range(SAID_EACH):
                word = f"{self.name}{number}x{again}."
                self.said.append(word)
                self.say(word)
                await asyncio.sleep(rng.uniform(0, 0.05))
            dropped = self.drop()
            if isinstance(dropped, Awaitable):
                await dropped
            await asyncio.sleep(rng.uniform(0.05, 0.3))

    def times(self) -> dict[str, int]:
        read = self.read()
        return {word: sum(word in text for text in read) for word in self.said}


async def _answered(side: Side) -> None:
    while min(side.times().values()) < 1:  # noqa: ASYNC110 - five fakes, one bell each: a glance is simpler
        await asyncio.sleep(0.05)


class Customers:
    """Clients of the custom bot: each message is posted one to three times at once."""

    def __init__(self, session: aiohttp.ClientSession, daemon: Daemon, rng: random.Random) -> None:
        self.session = session
        self.daemon = daemon
        self.rng = rng
        self.read: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def say(self, word: str) -> None:
        task = asyncio.ensure_future(self._post(word, self.rng.randint(1, 3)))
        self.tasks.add(task)

    async def _post(self, word: str, copies: int) -> None:
        url = f"{self.daemon.url}/api/bots/webhook/custom/cust"
        body = {"text": word, "user_id": "u", "message_id": word}

        async def once() -> tuple[str, str]:
            async with self.session.post(url, json=body) as response:
                told = await response.json()
                return told["response"], told["turn_id"]

        answers = await asyncio.gather(*(once() for _ in range(copies)))
        assert len(set(answers)) == 1, "the same id, the same answer of the same turn"
        self.read.append(answers[0][0])


@pytest.mark.faults
@pytest.mark.timeout(120 + DROPS * 6)
async def test_each_message_is_answered_once(tmp_path: Path, unused_tcp_port: int) -> None:
    rng = random.Random(SEED)
    async with (
        TelegramServer() as telegram,
        DiscordServer() as discord,
        SlackServer() as slack,
        WhatsAppServer() as meta,
        aiohttp.ClientSession() as session,
    ):
        tele = telegram.account("42:abcdefgh")
        disc = discord.application(TOKEN)
        slac = slack.account("xoxb-day", "xapp-day")
        what = meta.number("106540352242922", "EAAday", "secret-day", "verify-day")
        config = CONFIG.format(
            port=unused_tcp_port,
            token=TOKEN,
            telegram=telegram.url,
            discord=discord.url,
            slack=slack.url,
            meta=meta.url,
        )
        with Daemon(tmp_path, config) as daemon:
            await daemon.start()
            await daemon.ready()
            await meta.subscribe(what, f"{daemon.url}/api/bots/webhook/whatsapp/what")
            what.overtaken = True
            await slack.linked(slac)
            await disc.until(lambda: discord.connections(TOKEN) == 1)
            customers = Customers(session, daemon, rng)

            def again() -> None:
                what.copies = rng.randint(1, 3)

            async def drop_poll() -> None:
                """One poll is cut, a later one is not: polls cut in a row are rightly made ever more seldom."""
                polls = tele.calls["getUpdates"]
                tele.fail("getUpdates", Fault(rng.choice([FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])))
                await tele.called("getUpdates", polls + 2)

            sides = [
                Side("tg", tele.say, drop_poll, lambda: [m.text for m in tele.sent]),
                Side("dc", disc.say, lambda: discord.close(TOKEN), lambda: [m.text for m in disc.sent]),
                Side("sl", slac.say, lambda: slack.cut(slac), lambda: [m.text for m in slac.sent]),
                Side("wa", what.say, again, lambda: [m.text for m in what.sent]),
                Side("cu", customers.say, lambda: None, lambda: customers.read),
            ]
            async with asyncio.timeout(60 + DROPS * 5):
                await asyncio.gather(*(side.a_day(rng) for side in sides))
                try:
                    async with asyncio.timeout(60):
                        await asyncio.gather(*(_answered(side) for side in sides))
                except TimeoutError:
                    missing = {s.name: [word for word, n in s.times().items() if n == 0] for s in sides}
                    raise AssertionError(f"not answered: {missing}") from None
                await asyncio.gather(*customers.tasks)
                await what.drained()
                await slack.linked(slac)
                await disc.until(lambda: discord.connections(TOKEN) == 1)
            await daemon.stop()
    for side in sides:
        assert Counter(side.times().values()) == {1: DROPS * SAID_EACH}, side.name
