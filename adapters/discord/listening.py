"""What the gateway says, event by event, for one life of the bot's connection.

| event                                   | what is done                                                     |
|-----------------------------------------|------------------------------------------------------------------|
| READY (a new session: there is a gap)   | the direct chats that are known are read from the history        |
| GUILD_CREATE                            | the channels where something was said since are, the latest first |
| MESSAGE_CREATE                          | into the lane of its channel                                     |
| INTERACTION_CREATE                      | a task: deliver, then acknowledge                                |
| THREAD_…                                | remembered or forgotten                                          |

Rules: no event ends the connection, whatever it holds: one that cannot be read is counted, kept and stepped over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Deliver
from adapters.discord import asking, wire
from adapters.discord.client import Client, Patience
from adapters.discord.config import Config
from adapters.discord.health import Health, Unreadable
from adapters.discord.intake import Intake
from adapters.discord.places import Places
from adapters.discord.sending import Outgoing
from adapters.errors import AdapterError, UnreadableUpdate
from adapters.http import Shared
from adapters.messages import InboundMessage

MOST_REFILLS = 200
"""Channels that are read from the history after a gap, of a server and of the direct ones."""
MOST_ASKED_AT_ONCE = 200
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What lives as long as the adapter does."""

    config: Config
    shared: Shared
    patience: Patience
    client: Client
    outgoing: Outgoing
    unreadable: Unreadable = field(default_factory=Unreadable)


class Listener:
    """One bot's events.

    Args:
        recalled: what was accepted last before, the latest last.
        tasks: owns what goes on beside the connection; none of it raises.
    """

    def __init__(
        self,
        parts: Parts,
        me: wire.Me,
        deliver: Deliver,
        health: Health,
        tasks: asyncio.TaskGroup,
        recalled: Sequence[InboundMessage],
    ) -> None:
        self._parts = parts
        self._me = me
        self._deliver = deliver
        self._health = health
        self._tasks = tasks
        self._places = Places(me.id)
        self._asking = 0
        self._floor = self._earliest()
        self._intake = Intake(parts.client, parts.shared, deliver, self._read, tasks, health.trouble)
        self._intake.recall(message for message in recalled if message.account == me.id)

    def events(self) -> dict[str, Callable[[Any], None]]:
        """What to do with each event, for the library."""
        ways: dict[str, Callable[[Any], None]] = {
            "READY": self._ready,
            "GUILD_CREATE": self._guild,
            "MESSAGE_CREATE": self._intake.offer,
            "INTERACTION_CREATE": self._interaction,
            "THREAD_CREATE": self._places.thread,
            "THREAD_LIST_SYNC": self._places.thread_list,
            "THREAD_MEMBERS_UPDATE": self._places.members,
            "THREAD_DELETE": lambda raw: self._places.gone([str(raw["id"])]),
        }
        return {name: self._guarded(name, way) for name, way in ways.items()}

    def _guarded(self, name: str, way: Callable[[Any], None]) -> Callable[[Any], None]:
        def guarded(raw: Any) -> None:  # noqa: ANN401 - whatever the platform sent
            try:
                way(raw)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self._unreadable(raw, f"an event {name} cannot be read: {type(error).__name__}")

        return guarded

    def _unreadable(self, raw: object, why: str) -> None:
        self._parts.unreadable.keep(raw)
        self._health.trouble(why)

    def _earliest(self) -> int:
        """The id before which nothing is looked for."""
        now = self._parts.client.now_ms()
        return 0 if now is None else wire.snowflake_at(now - self._parts.config.backfill_minutes * _MINUTE_MS)

    def _ready(self, raw: Any) -> None:  # noqa: ANN401 - as above
        self._floor = self._earliest()
        if self._parts.config.backfill_minutes:
            for channel in reversed([*self._intake.direct_chats()][-MOST_REFILLS:]):
                self._intake.refill(channel, None, self._floor)

    def _guild(self, raw: Any) -> None:  # noqa: ANN401 - as above
        spoken = self._places.guild(raw)
        if self._parts.config.backfill_minutes:
            news = [
                one
                for one in spoken
                if one.last > max(self._floor, one.since, self._intake.last_heard(one.channel))
            ]
            for one in news[:MOST_REFILLS]:
                self._intake.refill(one.channel, one.guild, max(self._floor, one.since))

    def _read(self, raw: Any) -> InboundMessage | None:  # noqa: ANN401 - as above
        try:
            return wire.parse(raw, self._me, self._places.threads, self._places.roles)
        except UnreadableUpdate as error:
            self._unreadable(raw, str(error))
            return None

    def _interaction(self, raw: Any) -> None:  # noqa: ANN401 - as above
        try:
            message = wire.parse_interaction(raw, self._me.id)
        except UnreadableUpdate as error:
            self._unreadable(raw, str(error))
            return
        work = self._answer(raw["id"], raw["token"], message, raw["type"])
        self._tasks.create_task(work, name=f"discord interaction {raw['id']}")

    async def _answer(self, number: str, token: str, message: InboundMessage | None, kind: object) -> None:
        acknowledged = None
        if message is None:
            answer = asking.other(kind)
        elif self._asking >= MOST_ASKED_AT_ONCE:
            answer = asking.said("Too many messages at once. Please ask again in a minute.")
        else:
            acknowledged = self._parts.outgoing.asked(number)
            self._asking += 1
            try:
                answer = await asking.take(message, self._deliver, self._parts.patience.interaction_s)
            finally:
                self._asking -= 1
        try:
            await self._parts.client.post(f"/interactions/{number}/{token}/callback", answer)
        except AdapterError as error:
            # What is durable is answered all the same: in the channel.
            self._health.trouble(f"a command could not be acknowledged: {error}")
        finally:
            if acknowledged is not None:
                acknowledged.set()
