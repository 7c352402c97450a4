"""Discord's adapters: one that listens at the gateway, one that is posted to; both send by the REST API.

    gateway ──MESSAGE_CREATE──────▶ intake: a lane a channel ─▶ deliver
            ──INTERACTION_CREATE──▶ a task each ─▶ deliver ─▶ acknowledged within three seconds
            ──READY, GUILD_CREATE─▶ what was said since the last message that we know: history(after=…)

Rules: the gateway takes no acknowledgement, so that what was not durable when the process died is found in the
history at the next start, as far back as `backfill_minutes`, and known by its id. In servers the channels say
what was said last; direct channels, and how far each was taken in, are known from before (`recall`) or from this
connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.contract import Adapter, Capabilities, ConnectionState, Deliver, Fetched, NotFetched, Report
from adapters.discord import account, files, library, wire
from adapters.discord.client import Client, Patience
from adapters.discord.config import Config
from adapters.discord.gateway import Shard, Turns, where_to_connect
from adapters.discord.health import Health, Unreadable
from adapters.discord.listening import Listener, Parts
from adapters.discord.sending import Outgoing
from adapters.errors import AdapterError, RefusedConnection
from adapters.http import Backoff, Shared
from adapters.messages import Attachment, ChatRef, InboundMessage, OutboundMessage, SendResult


def build(config: Config, shared: Shared) -> Adapter:
    """What the registry calls."""
    if config.mode == "interactions":
        from adapters.discord.interactions import InteractionsAdapter  # noqa: PLC0415 - needs cryptography, 9 MiB

        return InteractionsAdapter(config, shared)
    return DiscordAdapter(config, shared)


class DiscordAdapter:
    """One bot at Discord's gateway."""

    __slots__ = ("_parts", "_recalled")

    def __init__(self, config: Config, shared: Shared, patience: Patience | None = None) -> None:
        patience = patience or Patience()
        client = Client(config, shared, patience)
        self._parts = Parts(config, shared, patience, client, Outgoing(client, shared.timer))
        self._recalled: Sequence[InboundMessage] = ()

    @property
    def capabilities(self) -> Capabilities:
        """What Discord can do."""
        return wire.CAPABILITIES

    @property
    def unreadable(self) -> Unreadable:
        """The events that could not be read."""
        return self._parts.unreadable

    def recall(self, messages: Sequence[InboundMessage]) -> None:
        """Learn what came last, the latest last; call before `run`."""
        self._recalled = messages

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Stay connected until cancelled; raises RefusedConnection where a person must act."""
        health, backoff = Health(report), Backoff(self._parts.shared.chance)
        health.tell(ConnectionState.CONNECTING)
        me = await account.login(self._parts.client, self._parts.shared.timer, backoff, health)
        shards = self._parts.config.shards or await self._recommended(backoff, health)
        try:
            async with asyncio.TaskGroup() as tasks:
                listener = Listener(self._parts, me, deliver, health, tasks, self._recalled)
                tasks.create_task(self._register(health), name="discord commands")
                self._connect(listener, health, shards, tasks)
        except* RefusedConnection as refused:
            raise _first(refused) from None

    async def _recommended(self, backoff: Backoff, health: Health) -> int:
        """How many shards Discord recommends."""
        while True:
            try:
                return (await where_to_connect(self._parts.client)).shards
            except RefusedConnection as error:
                health.tell(ConnectionState.REFUSED, str(error))
                raise
            except AdapterError as error:
                health.tell(ConnectionState.DOWN, str(error))
                await self._parts.shared.timer.sleep(backoff.next_s())

    async def _register(self, health: Health) -> None:
        if self._parts.config.commands:
            why = await account.register(self._parts.client, self._parts.config)
            if why is not None:
                health.trouble(why)

    def _connect(self, listener: Listener, health: Health, shards: int, tasks: asyncio.TaskGroup) -> None:
        parts, turns = self._parts, Turns(self._parts.shared.timer)
        token = parts.config.bot_token.get_secret_value()
        intents = library.Intents(
            guilds=True, guild_messages=True, dm_messages=True, message_content=parts.config.message_content
        )
        for number in range(shards):
            one = library.GatewayClient(
                parts.shared, parts.patience, token, intents, shards, listener.events()
            )
            shard = Shard(parts.client, one, parts.shared, parts.patience, health, turns, number)
            tasks.create_task(shard.run(), name=f"discord shard {number}")

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part. Raises nothing but cancellation."""
        return await self._parts.outgoing.send(message)

    async def draft(self, message: OutboundMessage) -> None:
        """Show an answer while it grows. Raises nothing but cancellation."""
        await self._parts.outgoing.draft(message)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """Load an attachment of at most `max_bytes`; see `files`."""
        return await files.fetch(self._parts.client, attachment, max_bytes)

    async def show_working(self, chat: ChatRef) -> None:
        """Show that the bot types, for ten seconds; a failure is nobody's business."""
        try:
            await self._parts.client.post(f"/channels/{chat.id}/typing")
        except AdapterError:
            return

    async def who_am_i(self) -> str:
        """`name (id)`. Raises RefusedConnection, also where the portal's settings do not fit, or Unreachable."""
        return await account.described(self._parts.client, self._parts.config)

    async def close(self) -> None:
        """Nothing: the session is everybody's."""


def _first(group: BaseExceptionGroup[RefusedConnection]) -> RefusedConnection:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return RefusedConnection(str(found))
