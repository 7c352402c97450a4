"""From what the file says to the parts that do it: providers, connections, tools."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from adapters import registry
from adapters.http import Shared
from runner.agent.tool_sessions import ToolSessions
from runner.agent.tools import EmptyToolbox, HttpToolbox
from runner.app.in_force import InForce
from runner.bots import Bot
from runner.clock import Clock
from runner.config.reload import kept_channels
from runner.config.settings import Settings
from runner.ports.tools import Toolbox
from runner.providers.catalogue import Catalogue, ProviderDefinition, define
from runner.supervisor import LiveBot
from runner.telemetry.alerts import Hook, Post
from runner.tool_servers.pool import ToolServers

ALERT_S = 10.0
"""How long an alert's webhook may take to answer."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What bots are made with.

    Attributes:
        connect: whether they get adapters; without, they are reached at the console only.
        servers: the tool servers of their workspaces.
    """

    shared: Shared
    sessions: ToolSessions
    connect: bool
    servers: ToolServers

    def live(self, bot: Bot, before: LiveBot | None = None) -> LiveBot:
        """The bot with its adapters, not yet connected, and its tools; those of `before` where they are the same."""
        kept = frozenset() if before is None else kept_channels(before.bot, bot)
        return LiveBot(
            bot,
            {
                channel.name: before.adapters[channel.name]
                if before is not None and channel.name in kept
                else registry.build(channel.platform, channel.config, self.shared, bot.id)
                for channel in bot.channels
                if self.connect
            },
            self._toolbox(bot),
            self.servers.sources(bot),
        )

    def _toolbox(self, bot: Bot) -> Toolbox:
        if not bot.tools:
            return EmptyToolbox()
        return HttpToolbox(bot.tools, self.sessions, bot.limits.max_tool_result_chars)


def catalogue_of(in_force: InForce, clock: Clock) -> Catalogue:
    """All providers of the file."""
    return Catalogue(provider_definitions(in_force.settings), clock=clock, find_price=in_force.find_price)


def provider_definitions(settings: Settings) -> dict[str, ProviderDefinition]:
    """The file's providers, by name."""
    return {
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


def providers_used(settings: Settings) -> set[str]:
    """The names of the providers that the enabled bots ask first."""
    bots = [bot for bot in settings.bots if bot.enabled]
    first = {bot.choice.provider for bot in bots}
    tiers = {tier.choice.provider for bot in bots if bot.routing is not None for tier in bot.routing.tiers}
    return first | tiers | {speech.provider for bot in bots if (speech := bot.transcription)}


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
