"""Slack's worlds: the fake brings what is said over a socket, or posts it to us."""

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self, cast

from adapters.contract import Adapter, Deliver, WebhookAdapter
from adapters.http import Shared
from adapters.registry import build, config_model
from adapters.testing.slack_server import SlackServer
from adapters.testing.timer import QuickTimer
from tests.contract.whatsapp_world import Entrance

RETRY_S = 0.3


class SlackWorld:
    """By Socket Mode."""

    platform = "slack"
    secret = "xoxb-contract-suite"
    stubborn = False
    credentials: Mapping[str, str] = MappingProxyType({"app_token": "xapp-contract-suite"})

    async def __aenter__(self) -> Self:
        number = itertools.count(1)
        self._shared = Shared(QuickTimer(), lambda: f"made-{next(number)}", chance=lambda: 0.5)
        self._server = SlackServer()
        await self._server.start()
        self._account = self._server.account(self.secret, "xapp-contract-suite", "contract suite's secret")
        self._account.retry_s = RETRY_S
        self.adapter = self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shared.close()
        await self._server.stop()

    def connect(self) -> Adapter:
        raw = {"bot_token": self.secret, "api_base_url": f"{self._server.url}/api", **self.credentials}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        """Nothing comes by HTTP."""

    def say(self, text: str, user: int = 7) -> None:
        self._account.say(text, user=str(user))

    async def heard(self, count: int) -> list[str]:
        return [message.text for message in await self._account.answers(count)]

    async def acknowledged(self) -> None:
        await self._account.drained()

    async def stop(self) -> None:
        await self._server.stop()


class SlackEventsWorld(SlackWorld):
    """By the Events API."""

    credentials = MappingProxyType({"signing_secret": "contract suite's secret"})

    async def __aenter__(self) -> Self:
        self._entrance = Entrance()
        await self._entrance.start()
        await super().__aenter__()
        self._account.request_url = self._entrance.url
        return self

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self._entrance.stop()

    def connect(self) -> Adapter:
        self._entrance.adapter = cast("WebhookAdapter", super().connect())
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        self._entrance.deliver = deliver
