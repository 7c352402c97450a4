"""From what the file says to the parts that do it: providers, connections, tools."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from adapters import registry
from adapters.contract import Adapter
from adapters.http import Shared
from runner.agent.tool_sessions import ToolSessions
from runner.agent.tools import EmptyToolbox, HttpToolbox
from runner.bots import Bot
from runner.clock import Clock
from runner.config.settings import Settings
from runner.ports.tools import Toolbox
from runner.providers.catalogue import Catalogue, define
from runner.telemetry.alerts import Hook, Post

ALERT_S = 10.0
"""How long an alert's webhook may take to answer."""


def catalogue_of(settings: Settings, clock: Clock) -> Catalogue:
    """All providers of the file."""
    definitions = {
        name: define(
            name,
            kind=provider.kind,
            base_url=provider.base_url,
            api_key=provider.api_key,
            account_id=provider.account_id,
        )
        for name, provider in settings.providers.items()
        if provider.kind != "echo"
    }
    return Catalogue(definitions, clock=clock, find_price=settings.prices.find)


def adapters_of(bot: Bot, shared: Shared, *, connect: bool) -> Mapping[str, Adapter]:
    """An adapter for each of the bot's channels, not yet connected; without `connect` none."""
    if not connect:
        return {}
    return {
        channel.name: registry.build(channel.platform, channel.config, shared, bot.id)
        for channel in bot.channels
    }


def toolbox_of(bot: Bot, sessions: ToolSessions) -> Toolbox:
    """The bot's tools."""
    if not bot.tools:
        return EmptyToolbox()
    return HttpToolbox(bot.tools, sessions, bot.limits.max_tool_result_chars)


def poster_of(shared: Shared) -> Post:
    """Posts alerts over the session that all share."""

    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        from aiohttp import ClientError  # noqa: PLC0415 - with the first alert only

        try:
            async with (
                asyncio.timeout(ALERT_S),
                shared.session.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return response.status
        except ClientError as error:
            raise ConnectionError(type(error).__name__) from None

    return post


def hook_of(settings: Settings) -> Hook | None:
    """Where alerts are posted."""
    webhook = settings.alerts
    return None if webhook is None else Hook(webhook.url, webhook.secret)


def new_id() -> str:
    """A text that is unique for ever."""
    return os.urandom(12).hex()
