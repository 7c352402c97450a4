"""The platforms of a load round, made up: where a bot sits, how it is told so, how its users write and read.

    venue.seat(7) ─▶ entry in bots.yaml ─▶ joined(url) ─▶ say(user) … answered() ─▶ [(user, when)]

Rules: a seat's number makes its credentials, and its name in bots.yaml is `bot7`; a user is a whole number
everywhere; all times are of this process's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from adapters.testing.discord_server import DiscordServer
from adapters.testing.discord_state import Application
from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account as SlackAccount
from adapters.testing.slack_state import Message
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account as TelegramAccount
from adapters.testing.whatsapp_server import WhatsAppServer
from adapters.testing.whatsapp_state import Number

TEXT = "Could you tell me when the shop opens on Sunday?"
FIRST_BOT = 4_200_000_000
"""Bots' ids come after this, far from all users': who writes with the bot's own id is not heard."""
AT_ONCE = 20
Answered = list[tuple[int, float]]
"""Users who were answered, and when."""
FindUrl = Callable[[], Awaitable[str]]
"""Where the bot's process listens, once it does."""


class Seat(Protocol):
    """One bot's place on a platform."""

    @property
    def config(self) -> Mapping[str, str]:
        """What its `platform_config` is; a script has the same as variables."""

    async def joined(self, find_url: FindUrl) -> None:
        """Wait until the bot hears its users."""

    def say(self, user: int) -> None:
        """Let a user write."""

    async def answered(self) -> Answered:
        """Wait for answers; those since the last call."""


class Venue(AbstractAsyncContextManager["Venue"], Protocol):
    """One platform; a context."""

    def seat(self, number: int) -> Seat:
        """A bot's place, which nobody else has."""


class TelegramSeat:
    def __init__(self, account: TelegramAccount, url: str) -> None:
        self._account = account
        self.config = {"bot_token": account.token, "api_base_url": url}
        self._seen = 0

    async def joined(self, _: FindUrl) -> None:
        await self._account.called("getUpdates")

    def say(self, user: int) -> None:
        self._account.say(TEXT, user_id=user)

    async def answered(self) -> Answered:
        sent = await self._account.replies(self._seen + 1)
        fresh, self._seen = sent[self._seen :], len(sent)
        return [(int(one.chat_id), one.at_s) for one in fresh]


class TelegramVenue(TelegramServer):
    def seat(self, number: int) -> TelegramSeat:
        return TelegramSeat(self.account(f"{FIRST_BOT + number}:abcdefgh"), self.url)


class DiscordSeat:
    FIRST_CHANNEL = 600_000
    """The direct chat of user 7 is channel 600007 on the fake."""

    def __init__(self, application: Application, url: str) -> None:
        self._application = application
        self.config = {"bot_token": application.token, "api_base_url": f"{url}/api/v10"}
        self._seen = 0

    async def joined(self, _: FindUrl) -> None:
        await self._application.until(lambda: bool(self._application.sessions))

    def say(self, user: int) -> None:
        self._application.say(TEXT, user_id=user)

    async def answered(self) -> Answered:
        sent = await self._application.replies(self._seen + 1)
        fresh, self._seen = sent[self._seen :], len(sent)
        return [(int(one.channel) - self.FIRST_CHANNEL, one.at_s) for one in fresh]


class DiscordVenue(DiscordServer):
    def seat(self, number: int) -> DiscordSeat:
        return DiscordSeat(self.application(self.token(FIRST_BOT + number)), self.url)


class SlackSeat:
    def __init__(self, server: SlackServer, account: SlackAccount) -> None:
        self._server = server
        self._account = account
        api = f"{server.url}/api/"
        self.config = {
            "bot_token": account.bot_token,
            "app_token": account.app_token,
            "api_base_url": api,
        }
        self._seen = 0

    async def joined(self, _: FindUrl) -> None:
        await self._server.linked(self._account)

    def say(self, user: int) -> None:
        self._account.say(TEXT, user=f"U{user}")

    async def answered(self) -> Answered:
        await self._account.bell.until(lambda: bool(self._fresh()))
        fresh, self._seen = self._fresh(), len(self._account.said)
        return [(int(one.channel[1:]), one.at_s) for one in fresh]

    def _fresh(self) -> Sequence[Message]:
        """All of a chat is in one list, so that only its end is looked through."""
        news = islice(self._account.said, self._seen, None)
        return [one for one in news if one.user == self._account.user]


class SlackVenue(SlackServer):
    def seat(self, number: int) -> SlackSeat:
        return SlackSeat(self, self.account(f"xoxb-bench-{number}", f"xapp-bench-{number}"))


class WhatsAppSeat:
    PREFIX = "49"

    def __init__(self, server: WhatsAppServer, account: Number, bot: str) -> None:
        self._server = server
        self._number = account
        self._bot = bot
        self.config = {
            "phone_number_id": account.phone_number_id,
            "access_token": account.access_token,
            "verify_token": account.verify_token,
            "app_secret": account.app_secret,
            "api_base_url": server.url,
        }
        self._seen = 0

    async def joined(self, find_url: FindUrl) -> None:
        url = await find_url()
        await self._server.subscribe(self._number, f"{url}/api/bots/webhook/whatsapp/{self._bot}")

    def say(self, user: int) -> None:
        self._number.say(TEXT, user=f"{self.PREFIX}{user}")

    async def answered(self) -> Answered:
        sent = await self._number.replies(self._seen + 1)
        fresh, self._seen = sent[self._seen :], len(sent)
        return [(int(one.to.removeprefix(self.PREFIX)), one.at_s) for one in fresh]


class WhatsAppVenue(WhatsAppServer):
    def seat(self, number: int) -> WhatsAppSeat:
        made = self.number(str(FIRST_BOT + number), f"EAAbench{number}", f"secret{number}", f"verify{number}")
        made.at_once = AT_ONCE  # Meta does not wait with one person's message for another's
        return WhatsAppSeat(self, made, f"bot{number}")


class CustomSeat:
    """Its users are HTTP clients, each with a request that waits for its answer."""

    def __init__(self, session: aiohttp.ClientSession, tasks: asyncio.TaskGroup, bot: str) -> None:
        self._session = session
        self._tasks = tasks
        self._bot = bot
        self._url = ""
        self._answers: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        self.config: Mapping[str, str] = {}

    async def joined(self, find_url: FindUrl) -> None:
        self._url = f"{await find_url()}/api/bots/webhook/custom/{self._bot}"

    def say(self, user: int) -> None:
        self._tasks.create_task(self._ask(user), name=f"user {user}")

    async def _ask(self, user: int) -> None:
        body = {"text": TEXT, "user_id": str(user)}
        async with self._session.post(self._url, json=body, raise_for_status=True) as response:
            await response.read()
        self._answers.put_nowait((user, asyncio.get_running_loop().time()))

    async def answered(self) -> Answered:
        return [await self._answers.get()]


class CustomVenue:
    """Nothing but its users: whoever fails to be answered ends the round."""

    def __init__(self) -> None:
        self._tasks = asyncio.TaskGroup()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            if self._session is not None:
                await self._session.close()

    def seat(self, number: int) -> CustomSeat:
        if self._session is None:
            raise RuntimeError("not open")
        return CustomSeat(self._session, self._tasks, f"bot{number}")


VENUES: Mapping[str, Callable[[], Venue]] = {
    "telegram": TelegramVenue,
    "discord": DiscordVenue,
    "slack": SlackVenue,
    "whatsapp": WhatsAppVenue,
    "custom": CustomVenue,
}
PLATFORMS = tuple(VENUES)
