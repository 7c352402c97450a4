"""All five platforms and a daemon that has a bot on each: how users write there, what they have read."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapters.testing.discord_server import DiscordServer
from adapters.testing.discord_state import Application
from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account as Workspace
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from adapters.testing.whatsapp_server import WhatsAppServer
from adapters.testing.whatsapp_state import Number
from tests.faults.daemon_process import Daemon

TOKEN = DiscordServer.token(4242)
BOTS = """
server: {{port: {port}}}
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

    def write(self) -> None:
        """A user writes a word that nobody wrote before."""
        word = f"{self.name}{len(self.said)}."
        self.said.append(word)
        self.say(word)

    async def dropped(self) -> None:
        """What the platform does to the connection at times."""
        done = self.drop()
        if isinstance(done, Awaitable):
            await done

    def times(self) -> dict[str, int]:
        """How often each word was answered."""
        read = self.read()
        return {word: sum(word in text for text in read) for word in self.said}


async def all_answered(sides: Sequence[Side], within_s: float = 60) -> None:
    """Wait until each word is answered, or say which are not."""
    try:
        async with asyncio.timeout(within_s):
            for side in sides:
                while min(side.times().values()) < 1:  # noqa: ASYNC110 - five fakes, one bell each
                    await asyncio.sleep(0.05)
    except TimeoutError:
        missing = {side.name: [word for word, n in side.times().items() if n == 0] for side in sides}
        raise AssertionError(f"not answered: {missing}") from None


class Customers:
    """Clients of the custom bot: each message is posted one to three times at once.

    `patient`: whether they try again, with the same id, where the daemon is away.
    """

    def __init__(self, session: aiohttp.ClientSession, daemon: Daemon, rng: random.Random) -> None:
        self.session = session
        self.daemon = daemon
        self.rng = rng
        self.patient = False
        self.read: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def say(self, word: str) -> None:
        self.tasks.add(asyncio.ensure_future(self._post(word, self.rng.randint(1, 3))))

    async def _post(self, word: str, copies: int) -> None:
        answers = await asyncio.gather(*(self._answer(word) for _ in range(copies)))
        assert len(set(answers)) == 1, "the same id, the same answer of the same turn"
        self.read.append(answers[0][0])

    async def _answer(self, word: str) -> tuple[str, str]:
        while True:
            try:
                return await self._ask(word)
            except (aiohttp.ClientError, ConnectionError, ValueError):
                if not self.patient:
                    raise
            await asyncio.sleep(0.02)

    async def _ask(self, word: str) -> tuple[str, str]:
        url = f"{self.daemon.url}/api/bots/webhook/custom/cust"
        body = {"text": word, "user_id": "u", "message_id": word}
        async with self.session.post(url, json=body) as response:
            told = await response.json()
            if response.status in {503, 504}:
                raise ConnectionError("come again")
            assert response.status == 200, told
            return told["response"], told["turn_id"]


@dataclass(frozen=True)
class Town:
    """The fakes, their accounts and the session of the custom bot's clients."""

    telegram: TelegramServer
    discord: DiscordServer
    slack: SlackServer
    meta: WhatsAppServer
    session: aiohttp.ClientSession
    tele: Account
    disc: Application
    slac: Workspace
    what: Number

    def config(self, port: int, top: str) -> str:
        """A file with a bot on each platform; `top`: the models, and what holds for all bots."""
        return f"{top}\n" + BOTS.format(
            port=port,
            token=TOKEN,
            telegram=self.telegram.url,
            discord=self.discord.url,
            slack=self.slack.url,
            meta=self.meta.url,
        )

    async def subscribe(self, daemon: Daemon) -> None:
        """WhatsApp learns where the daemon listens, and brings what failed after what came later."""
        await self.meta.subscribe(self.what, f"{daemon.url}/api/bots/webhook/whatsapp/what")
        self.what.overtaken = True

    async def connected(self) -> None:
        """Wait until Slack and Discord have one connection each."""
        await self.slack.linked(self.slac)
        await self.disc.until(lambda: self.discord.connections(TOKEN) == 1)

    def sides(
        self, customers: Customers, drop_poll: Callable[[], Any], again: Callable[[], Any]
    ) -> list[Side]:
        """All five; Telegram's polls and WhatsApp's webhooks are disturbed as the test says."""
        tele, disc, slac, what = self.tele, self.disc, self.slac, self.what
        return [
            Side("tg", tele.say, drop_poll, lambda: [m.text for m in tele.sent]),
            Side("dc", disc.say, lambda: self.discord.close(TOKEN), lambda: [m.text for m in disc.sent]),
            Side("sl", slac.say, lambda: self.slack.cut(slac), lambda: [m.text for m in slac.sent]),
            Side("wa", what.say, again, lambda: [m.text for m in what.sent]),
            Side("cu", customers.say, lambda: None, lambda: customers.read),
        ]


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """All five, listening."""
    async with (
        TelegramServer() as telegram,
        DiscordServer() as discord,
        SlackServer() as slack,
        WhatsAppServer() as meta,
        aiohttp.ClientSession() as session,
    ):
        yield Town(
            telegram,
            discord,
            slack,
            meta,
            session,
            telegram.account("42:abcdefgh"),
            discord.application(TOKEN),
            slack.account("xoxb-day", "xapp-day"),
            meta.number("106540352242922", "EAAday", "secret-day", "verify-day"),
        )
