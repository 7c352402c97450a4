"""The real HTTP server on a real socket, around parts that a test holds in its hands."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import aiohttp

from adapters.contract import Adapter, Delivery, DeliveryState
from adapters.custom.adapter import CustomAdapter
from adapters.custom.config import Config
from adapters.http import Shared
from adapters.messages import InboundMessage, OutboundMessage
from runner.agent.aftermath import Aftermath
from runner.agent.asks import ScopesOf
from runner.agent.batch_meter.opening import BatchOpener
from runner.agent.batch_meter.settling import BatchSettler
from runner.agent.batch_meter.steps import BatchMeter
from runner.agent.tools import EmptyToolbox
from runner.bots import Bot, Channel, ModelChoice
from runner.clock import SystemClock, UnixMs
from runner.config.templates import templates
from runner.dispatch.accounts import line_scopes_for
from runner.dispatch.batches import BatchDesk
from runner.dispatch.console import CONSOLE, Console
from runner.dispatch.handoffs import HandoffDesk
from runner.dispatch.treasury import Treasury
from runner.money.amounts import from_cents
from runner.money.prices import PriceBook
from runner.ports.definitions import Definitions
from runner.ports.reloads import ConfigState
from runner.store.memory import MemoryStore
from runner.supervisor import LiveBot, LiveRoster
from runner.telemetry.lag import LoopLag
from runner.telemetry.standing import Probes
from runner.telemetry.tally import Tally
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.definitions import MemoryDefinitions
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.reloads import FakeReloads
from runner.testing.scenes import a_book, a_bot
from runner.web.auth import Scope, make_token
from runner.web.last_errors import LastErrors
from runner.web.live import Changes
from runner.web.parts import WebParts
from runner.web.server import Server
from tests.unit.agent.batch_world import Shelf

SECRET = b"0123456789abcdef0123456789abcdef"

CUSTOM = Channel("custom", "custom", Config())
GUARDED = Channel("custom", "custom", Config.model_validate({"secret": "s3cret-of-the-shop"}))


def bearer(scope: Scope = "admin", secret: bytes = SECRET) -> dict[str, str]:
    """The header of a good token."""
    return {"Authorization": f"Bearer {make_token(secret, scope, 1, SystemClock().now_ms() // 1000)}"}


@dataclass
class Stage:
    """Bots, a server, and a flow that answers at once with what it was told.

    Attributes:
        told: every message that was delivered, with its bot and channel.
        fate: what becomes of the next messages; accepted and answered where nothing is said.
        file: bots.yaml in memory, where only a cap comes into force; or a real one, in force as a whole.
    """

    bots: tuple[Bot, ...] = (a_bot("shop", channels=(CUSTOM,), cap=from_cents(500)),)
    fate: Delivery = field(default_factory=lambda: Delivery(DeliveryState.ACCEPTED))
    told: list[tuple[str, str, InboundMessage]] = field(default_factory=list)
    answering: bool = True
    broken: Exception | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    clock: ManualClock = field(default_factory=ManualClock)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    store: MemoryStore = field(default_factory=MemoryStore)
    host: str = "127.0.0.1"
    public_url: str | None = None
    definitions: Definitions | None = None
    tally: Tally = field(default_factory=Tally)
    changes: Changes = field(default_factory=Changes)
    config: ConfigState = field(default_factory=lambda: ConfigState(UnixMs(0)))
    takes_posts: tuple[str, ...] = ("custom",)
    changed: list[str] = field(default_factory=list)
    reloads: FakeReloads = field(default_factory=FakeReloads)
    book: PriceBook = field(default_factory=a_book)
    batches: FakeBatchServer | None = None

    async def __aenter__(self) -> Self:
        numbers = iter(range(10**6))
        shared = Shared(self.clock, lambda: f"id{next(numbers)}")
        self.console = Console(lambda: f"c{next(numbers)}")
        self.shared = shared
        self.last_errors = LastErrors(self.clock)
        live = [self.live(bot) for bot in self.bots if bot.enabled]
        self.roster = LiveRoster(live, self.console, self.clock, self.observer)
        await self.store.open()
        self.file = self.definitions or MemoryDefinitions(
            *(bot.id for bot in self.bots), applied=self.set_cap
        )
        self.lag = LoopLag(self.clock)
        self.desk = self.a_desk(numbers)
        parts = WebParts(
            roster=self.roster,
            store=self.store,
            console=self.console,
            deliver=self.deliver,
            definitions=self.file,
            defined=lambda: self.bots,
            prices=lambda: self.book,
            treasury=Treasury(self.store, self.clock, self.roster.wallet, self.changed.append, self.cleared),
            desk=self.desk,
            handoffs=HandoffDesk(self.store.runs, self.clock, self.observer),
            lag=self.lag,
            probes=Probes(self.store, self.roster, self.lag, lambda: self.config, self.clock, "4711"),
            reloads=self.reloads,
            tally=self.tally,
            changes=self.changes,
            last_errors=self.last_errors,
            clock=self.clock,
            jwt_secret=SECRET,
            started_ms=self.clock.now_ms(),
            pid=4711,
            public_url=self.public_url,
            templates=templates,
        )
        self.server = Server(parts, self.observer)
        self.url = await self.server.start(self.host, 0)
        self.http = aiohttp.ClientSession(self.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()
        await self.server.stop_listening()
        await self.server.close()
        await self.store.close()

    def a_desk(self, numbers: Iterator[int]) -> BatchDesk:
        """The real one, on a provider and a server of batches that are not."""
        shelf = Shelf(FakeProvider(self.clock), self.batches)
        aftermath = Aftermath(self.store, self.clock, self.observer)
        store, roster, clock, observer = self.store, self.roster, self.clock, self.observer

        def scopes_of(bot: Bot) -> ScopesOf:
            return line_scopes_for(bot, roster)

        return BatchDesk(
            BatchOpener(shelf, lambda: self.book, store.batches, scopes_of, aftermath, clock, observer),
            BatchMeter(
                shelf, store.batches, roster, BatchSettler(store, roster, scopes_of, aftermath, clock), clock
            ),
            store.batches,
            clock,
            observer,
            lambda: f"{next(numbers):016d}",
        )

    async def cleared(self, choice: ModelChoice) -> bool:
        """As the meter does."""
        return await self.store.clear_quarantine(choice.provider, choice.model)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def adapter_of(self, channel: Channel, shared: Shared) -> Adapter:
        """The real one."""
        return CustomAdapter(channel.config, shared)

    async def deliver(self, bot: str, channel: str, message: InboundMessage) -> Delivery:
        """Take note, and answer `re …` at once."""
        if self.broken is not None:
            raise self.broken
        self.told.append((bot, channel, message))
        self.heard.set()
        if self.answering and self.fate.state is DeliveryState.ACCEPTED:
            adapter = self.roster.adapter(bot, channel)
            assert adapter is not None
            await adapter.send(
                OutboundMessage(
                    "k",
                    message.chat,
                    f"re {message.text}",
                    in_reply_to=message.event_id,
                    report={"cost_usd": "0.01", "loop_iterations": 1},
                )
            )
        return self.fate

    def live(self, bot: Bot) -> LiveBot:
        """The bot with its adapters."""
        adapters = {
            channel.name: self.adapter_of(channel, self.shared)
            for channel in bot.channels
            if channel.platform in self.takes_posts
        }
        return LiveBot(bot, adapters, EmptyToolbox())

    def set_cap(self, bot_id: str) -> None:
        """Put the cap that the file in memory says in force."""
        assert isinstance(self.file, MemoryDefinitions)
        cents = self.file.bots.get(bot_id, {}).get("spending_cap_cents")
        cap = from_cents(cents) if isinstance(cents, int) and cents >= 0 else None
        self.put_in_force([replace(bot, cap=cap) if bot.id == bot_id else bot for bot in self.bots])

    def put_in_force(self, bots: Sequence[Bot]) -> None:
        """These are the bots from now on."""
        self.bots = tuple(bots)
        self.roster.swap([self.live(bot) for bot in bots if bot.enabled], None)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        json: Any = None,
    ) -> tuple[int, Any, Mapping[str, str]]:
        """One call: status, JSON (or text), headers."""
        async with self.http.request(method, path, headers=headers, data=data, json=json) as response:
            body = await (response.json() if response.content_type == "application/json" else response.text())
            return response.status, body, response.headers


__all__ = ["CONSOLE", "CUSTOM", "GUARDED", "SECRET", "Stage", "bearer"]
