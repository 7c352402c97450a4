"""One run: a workload played to one subject, and what it cost by the provider's own bill.

Rules: the bill is the simulated provider's, priced by the same book as the daemon's; the daemon's ledger must say the
same to the pico-dollar, and every turn must have been played to its end, or there are no figures (`Unsound`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from aiohttp import web

from bench.cost.daemon import Lines, OurBot, our_bot
from bench.cost.plain import Habit, PlainBot
from bench.cost.player import Heard, Player
from bench.cost.workload import TIERS, Chat, Tier, Turn, Workload, moments
from runner.money.amounts import Money
from runner.money.prices import Price, PriceBook
from runner.money.usage import NO_USAGE, Usage
from runner.testing.driven_clock import DrivenClock
from runner.testing.model_server import ModelServer
from runner.testing.prompt_cache import SMALLEST, PromptCache

LONG_WINDOW = 20
"""A chat is long once it has as many messages as the baselines' window."""
Told = Callable[[], None]


class Unsound(Exception):
    """A run that proves nothing, and why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is played to: a baseline by its habit, or ours by what its section of bots.yaml has."""

    name: str
    habit: Habit | None = None
    lines: Lines = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """Where several models answer: what each is good for."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run came to.

    Attributes:
        usage: of all calls; `calls`: how many, `side` of them beside the chats (summaries, a classifier).
        context: messages in the model's context, on average; `least`: the fewest in a chat that had 20 or more.
        extended, moved, broken: how what was sent for a chat stands to what was sent for it before.
        kept: messages answered without the model.
        good: the share of messages whose every reply is of a tier strong enough; None: one model answered all.
        contexts: messages in each request's context, by chat, turn and how many the chat had by then.
    """

    subject: str
    model: str
    messages: int
    cost: Money
    usage: Usage
    calls: int
    side: int
    context: float
    least: int
    extended: int
    moved: int
    broken: int
    kept: int = 0
    good: float | None = None
    contexts: Mapping[tuple[int, int, int], int] = field(default_factory=dict)

    @property
    def usd_per_1000(self) -> float:
        """US dollars for a thousand messages of users."""
        return self.cost / self.messages / 1e9

    @property
    def read_share(self) -> float:
        """The share of the input that was read from the cache."""
        return self.usage.cache_read_tokens / max(1, self.usage.input_tokens)


class Asker(Protocol):
    """Who answers users."""

    async def ask(self, session: aiohttp.ClientSession, number: int, chat: Chat, turn: Turn) -> str:
        """One message of a user, to its answer."""


async def play(
    workload: Workload, subject: Subject, model: str, book: PriceBook, told: Told, fault_every: int = 0
) -> Figures:
    """Play all of it; `model` is provider/model; `told` is called after each turn.

    Raises:
        Unsound: see above.
    """
    clock = DrivenClock()
    player = Player(workload, clock, fault_every)
    rows = Rows(book)
    cache = PromptCache(rows.smallest, rows.bills_writes)
    server = ModelServer(clock=clock, standing=player.pick, cache=cache)
    url = await server.start()
    try:
        async with tools_of(player) as tools, aiohttp.ClientSession() as session:
            if subject.habit is not None:
                provider, _, name = model.partition("/")
                plain = PlainBot(subject.habit, workload, name, provider, url=url, tools=tools)
                await _all_turns(workload, plain, session, server, player, clock, told)
            else:
                async with our_bot(workload, model, subject.lines, clock, url=url, tools=tools) as ours:
                    await _all_turns(workload, ours, session, server, player, clock, told)
                    await _check_books(ours, rows.cost_of(server))
    finally:
        await server.stop()
    if player.heard.strange:
        raise Unsound(f"{subject.name}, {model}: {player.heard.strange[0]}")
    return figures_of(workload, subject, model, player.heard, server, rows.cost_of(server))


async def _all_turns(
    workload: Workload,
    asker: Asker,
    session: aiohttp.ClientSession,
    server: ModelServer,
    player: Player,
    clock: DrivenClock,
    told: Told,
) -> None:
    start_ms = clock.now_ms()
    for moment in moments(workload):
        clock.until(start_ms + round(moment.at_s * 1000))
        chat = workload.chats[moment.chat]
        player.begin(moment.chat, moment.turn)
        player.end(await asker.ask(session, moment.chat, chat, chat.turns[moment.turn]))
        server.requests.clear()
        told()


async def _check_books(ours: OurBot, billed: Money) -> None:
    booked = await ours.books()
    if (booked.cost, booked.unknown) != (billed, 0):
        raise Unsound(f"the ledger says {booked.cost} and {booked.unknown} unknown, the bill {billed}")


@dataclass(frozen=True, slots=True)
class Rows:
    """The book's rows by model: the simulated provider is told a model's name only."""

    book: PriceBook

    def row(self, model: str) -> Price:
        """The row. Raises Unsound where there is none."""
        for provider in ("anthropic", "openai"):
            found = self.book.find(provider, model)
            if found is not None:
                return found
        raise Unsound(f"{model} has no price")

    def smallest(self, model: str) -> int:
        """The smallest prefix that it caches."""
        return self.row(model).limits.min_cacheable_tokens or SMALLEST

    def bills_writes(self, model: str) -> bool:
        """Whether it bills writes that nobody asked for."""
        return self.row(model).writes_unasked

    def cost_of(self, server: ModelServer) -> Money:
        """The bill, priced call by call."""
        return Money(sum(self.row(line.model).cost(line.usage) for line in server.bill))


def figures_of(
    workload: Workload, subject: Subject, model: str, heard: Heard, server: ModelServer, cost: Money
) -> Figures:
    """Add up."""
    usage = sum((line.usage for line in server.bill), NO_USAGE)
    long = [asked.context for asked in heard.asked if asked.history >= LONG_WINDOW]
    return Figures(
        subject=subject.name,
        model=model,
        messages=workload.messages,
        cost=cost,
        usage=usage,
        calls=len(server.bill),
        side=heard.side,
        context=sum(asked.context for asked in heard.asked) / max(1, len(heard.asked)),
        least=min(long, default=0),
        extended=heard.extended,
        moved=heard.moved,
        broken=heard.broken,
        kept=heard.cached_answers,
        good=_good(workload, subject, heard) if subject.tiers else None,
        contexts={(asked.chat, asked.turn, asked.history): asked.context for asked in heard.asked},
    )


def _good(workload: Workload, subject: Subject, heard: Heard) -> float:
    """The share of messages that a tier strong enough answered, from its first call to its last."""
    weak = {
        (asked.chat, asked.turn)
        for asked in heard.asked
        if TIERS.index(subject.tiers[asked.model])
        < TIERS.index(workload.chats[asked.chat].turns[asked.turn].needs)
    }
    return 1 - len(weak) / workload.messages


@asynccontextmanager
async def tools_of(player: Player) -> AsyncIterator[str]:
    """The workload's tools over HTTP; yields the address that a tool's name is added to."""

    async def call(request: web.Request) -> web.Response:
        arguments: dict[str, Any] = await request.json()
        return web.Response(text=player.bring(request.match_info["name"], arguments))

    app = web.Application()
    app.router.add_post("/tools/{name}", call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/tools"
    finally:
        await runner.cleanup()
