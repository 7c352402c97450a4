"""Discord as the contract suite sees it: users write in channels of a server, each in one of their own.

Not directly, since a direct chat whose first message was lost with the process is one that nobody tells of.
"""

import itertools
from typing import Self

from adapters.contract import Adapter, Deliver
from adapters.http import Shared
from adapters.registry import build, config_model
from adapters.testing.discord_server import DiscordServer
from adapters.testing.timer import QuickTimer


class DiscordWorld:
    platform = "discord"
    secret = DiscordServer.token(4242)
    stubborn = False

    async def __aenter__(self) -> Self:
        number = itertools.count(1)
        self._shared = Shared(QuickTimer(), lambda: f"made-{next(number)}", chance=lambda: 0.5)
        self._said: set[str] = set()
        self._server = DiscordServer()
        await self._server.start()
        self._application = self._server.application(self.secret)
        self.adapter = self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shared.close()
        await self._server.stop()

    def connect(self) -> Adapter:
        raw = {"bot_token": self.secret, "api_base_url": f"{self._server.url}/api/v10"}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        """Nothing comes by HTTP."""

    def say(self, text: str, user: int = 7) -> None:
        self._said.add(text)
        self._application.say(text, user_id=user, channel=str(7000 + user), mention=True)

    async def heard(self, count: int) -> list[str]:
        """An answer that still grows is none: nobody but whoever asked can tell that there is more to come."""

        def whole() -> int:
            return sum(message.text.removeprefix("re: ") in self._said for message in self._application.sent)

        await self._application.until(lambda: whole() >= count)
        return [message.text for message in self._application.sent]

    async def acknowledged(self) -> None:
        """At once: nothing is acknowledged, and what is read again from the history is known by its id."""

    async def stop(self) -> None:
        await self._server.stop()
