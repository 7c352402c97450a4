"""The bots that live, who they are now, and how their connections are.

Rules: another definition takes a bot's place in one step, between two messages; a connection that both have goes
on as it is; what left is known until its last turn and send are over, so that a turn finishes with the tools,
the platform and the cap that it began with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from adapters.contract import LEGAL_STATES, Adapter, ConnectionState
from runner.agent.served_tools import ServedToolbox
from runner.agent.tools import EmptyToolbox, JointToolbox
from runner.bots import Bot
from runner.clock import Clock, UnixMs
from runner.dispatch.console import CONSOLE
from runner.money.amounts import Money
from runner.money.terms import WalletTerms
from runner.ports.observer import ConnectionChanged, Observer
from runner.ports.tool_servers import ToolSource
from runner.ports.tools import Toolbox


@dataclass(frozen=True, slots=True)
class Connection:
    """How one channel of one bot is connected. `since_ms`: Unix ms of the last change."""

    bot: str
    channel: str
    platform: str
    state: ConnectionState = ConnectionState.CONNECTING
    why: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class LiveBot:
    """A bot with what it needs to be reached: one adapter a channel, its tools.

    Attributes:
        toolbox: the tools that bots.yaml declares.
        sources: servers that bring more.
    """

    bot: Bot
    adapters: Mapping[str, Adapter]
    toolbox: Toolbox
    sources: tuple[ToolSource, ...] = ()

    def tools_now(self) -> Toolbox:
        """All its tools, as its servers offer them at this moment."""
        if not self.sources:
            return self.toolbox
        served = ServedToolbox(self.sources, self.bot.limits.max_tool_result_chars)
        return JointToolbox((self.toolbox, served))


@dataclass(frozen=True, slots=True)
class Swap:
    """What a swap left to do.

    Attributes:
        fresh: connections to begin, as (bot, channel, adapter).
        left: what is no longer there, each with only those adapters that nobody has any more.
    """

    fresh: tuple[tuple[str, str, Adapter], ...]
    left: tuple[LiveBot, ...]


class LiveRoster:
    """The bots that are defined and enabled. A `runner.ports.roster.Roster`."""

    def __init__(
        self,
        bots: Collection[LiveBot],
        console: Adapter,
        clock: Clock,
        observer: Observer,
        wallet: WalletTerms | None = None,
    ) -> None:
        self._live = {live.bot.id: live for live in bots}
        self._leaving: list[LiveBot] = []
        self._wallet = wallet
        self._console = console
        self._clock = clock
        self._observer = observer
        self._connections = {
            (live.bot.id, channel.name): Connection(live.bot.id, channel.name, channel.platform)
            for live in bots
            for channel in live.bot.channels
        }

    def bot(self, bot_id: str) -> Bot | None:
        """The definition now in force."""
        live = self._live.get(bot_id)
        return None if live is None else live.bot

    def bot_ids(self) -> Collection[str]:
        """All of them."""
        return self._live.keys()

    def adapter(self, bot_id: str, channel: str) -> Adapter | None:
        """The connection of one channel, the console, or a connection that is still sending its last."""
        for live in self._known(bot_id):
            adapter = self._console if channel == CONSOLE else live.adapters.get(channel)
            if adapter is not None:
                return adapter
        return None

    def toolbox(self, bot_id: str) -> Toolbox:
        """The bot's tools as they are now; they stay so for whoever holds them."""
        return next((live.tools_now() for live in self._known(bot_id)), EmptyToolbox())

    def cap(self, bot_id: str) -> Money | None:
        """The cap now in force; of a bot that left, its last one."""
        return next((live.bot.cap for live in self._known(bot_id)), None)

    def wallet(self) -> WalletTerms | None:
        """The wallet's terms now in force."""
        return self._wallet

    def live(self) -> Collection[LiveBot]:
        """All bots with their adapters."""
        return self._live.values()

    async def close(self) -> None:
        """Close all adapters, of those that are leaving too. MAY be done again."""
        for live in (*self._live.values(), *self._leaving):
            for adapter in live.adapters.values():
                await adapter.close()

    def connections(self, bot_id: str) -> list[Connection]:
        """The state of each of the bot's channels."""
        return [c for c in self._connections.values() if c.bot == bot_id]

    def tool_sources(self, bot_id: str) -> tuple[ToolSource, ...]:
        """The bot's servers of tools."""
        live = self._live.get(bot_id)
        return () if live is None else live.sources

    def report(self, bot_id: str, channel: str, state: ConnectionState, why: str = "") -> None:
        """A connection says how it is; the same again, or of one that is gone, is no news."""
        now = self._connections.get((bot_id, channel))
        if now is None or (now.state, now.why) == (state, why) or state not in LEGAL_STATES[now.state]:
            return
        self._connections[bot_id, channel] = replace(now, state=state, why=why, since_ms=self._clock.now_ms())
        self._observer.note(ConnectionChanged(bot_id, channel, state, why))

    def swap(self, bots: Collection[LiveBot], wallet: WalletTerms | None) -> Swap:
        """From now on these bots live, and no others. An adapter that was there before is the same connection."""
        before, self._live = self._live, {live.bot.id: live for live in bots}
        self._wallet = wallet
        kept = {id(adapter) for live in bots for adapter in live.adapters.values()}
        known = {id(adapter) for live in before.values() for adapter in live.adapters.values()}
        left = tuple(
            replace(live, adapters=gone)
            for live in before.values()
            if (gone := {name: a for name, a in live.adapters.items() if id(a) not in kept})
            or live.bot.id not in self._live
        )
        self._leaving += left
        now = self._clock.now_ms()
        self._connections = {
            (live.bot.id, channel.name): self._connection(live, channel.name, known, now)
            for live in bots
            for channel in live.bot.channels
        }
        fresh = tuple(
            (live.bot.id, channel, adapter)
            for live in bots
            for channel, adapter in live.adapters.items()
            if id(adapter) not in known
        )
        return Swap(fresh, left)

    def forget(self, left: LiveBot) -> None:
        """It is gone altogether."""
        self._leaving = [live for live in self._leaving if live is not left]

    def _connection(self, live: LiveBot, channel: str, known: Collection[int], now: UnixMs) -> Connection:
        """The state of a connection that goes on, or of one that begins."""
        was = self._connections.get((live.bot.id, channel))
        if was is not None and id(live.adapters.get(channel)) in known:
            return was
        platform = next(each.platform for each in live.bot.channels if each.name == channel)
        return Connection(live.bot.id, channel, platform, since_ms=now)

    def _known(self, bot_id: str) -> Iterator[LiveBot]:
        """The bot as it is, then as it was, the latest first."""
        if bot_id in self._live:
            yield self._live[bot_id]
        yield from (live for live in reversed(self._leaving) if live.bot.id == bot_id)
