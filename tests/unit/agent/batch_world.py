"""A meter of batches and all that it stands on, on fakes; killed at any call's boundary, and begun anew."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.agent.aftermath import Aftermath
from runner.agent.batch_meter.opening import BatchAsk, BatchOpener, NotOpened
from runner.agent.batch_meter.requests import BatchPrompt
from runner.agent.batch_meter.settling import BatchSettler
from runner.agent.batch_meter.steps import BatchMeter
from runner.bots import Bot, Secret
from runner.conversations.models import UserMessage
from runner.dispatch.accounts import line_scopes_for
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry, verify
from runner.money.prices import ModelLimits, Price, PriceBook, Rates
from runner.money.reservation import ReservationState
from runner.ports.batch_server import BatchServer
from runner.ports.batches import Batch, Kept
from runner.ports.books import LedgerFilter
from runner.ports.provider import Provider
from runner.ports.stores import Store
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.roster import FakeRoster
from runner.testing.scenes import CHOICE, a_book, a_bot

RATES = Rates(input=3_000_001, output=15_000_003)
"""Odd, so that what is not rounded as it should be shows."""
PRICE = Price(CHOICE.model, CHOICE.provider, RATES, limits=ModelLimits(), batch_percent=50, version="test")
HALF = PRICE.for_batch()
FINAL = (ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN)


class Killed(BaseException):
    """The process is gone: nobody catches it."""


@dataclass
class Doom:
    """Counts what is asked of the store and the server, and kills before or after one of these calls.

    `at`: boundaries are numbered from 1, two a call; 0: never.
    """

    at: int = 0
    passed: int = 0
    armed: bool = False

    def tick(self) -> None:
        if not self.armed:
            return
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class Doomed:
    """Anything whose async methods end at a boundary on either side."""

    def __init__(self, inner: Any, doom: Doom) -> None:
        self._inner = inner
        self._doom = doom

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        if name == "batches" and not callable(inner):
            return Doomed(inner, self._doom)

        async def call(*args: Any, **named: Any) -> Any:
            self._doom.tick()
            result = await inner(*args, **named)
            self._doom.tick()
            return result

        return call


class DoomedServer(Doomed):
    """The same of a server; its batches go on while somebody lists them, as time would bring it."""

    async def recent(self, since_ms: int, timeout_s: float) -> Any:
        for name in list(self._inner.book.made):
            self._inner.book.look(name)
        self._doom.tick()
        found = await self._inner.recent(since_ms, timeout_s)
        self._doom.tick()
        return found

    async def results(self, batch_id: str, timeout_s: float) -> AsyncIterator[Any]:
        self._doom.tick()
        async for result in self._inner.results(batch_id, timeout_s):
            yield result
            self._doom.tick()


@dataclass
class Shelf:
    """One provider under every name, and its batches."""

    provider: Provider
    server: BatchServer | None
    asked: list[Secret | None] = field(default_factory=list)

    def get(self, name: str, key: Secret | None = None) -> Provider:
        return self.provider

    def transcriber(self, name: str, key: Secret | None = None) -> Provider:
        return self.provider

    def batches(self, name: str, key: Secret | None = None) -> BatchServer | None:
        self.asked.append(key)
        return self.server


def a_prompt(number: int, **changes: Any) -> BatchPrompt:
    return BatchPrompt(f"mine {number}", (UserMessage(f"question {number} é"),), **changes)


@dataclass
class BatchWorld:
    """Everything. `life` begins a process anew on what is kept."""

    store: Store
    server: FakeBatchServer
    clock: ManualClock
    doom: Doom = field(default_factory=Doom)
    bot: Bot = field(default_factory=lambda: a_bot(temperature=0.5))
    book: PriceBook = field(default_factory=lambda: a_book(PRICE))
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    roster: FakeRoster = field(default_factory=FakeRoster)

    def __post_init__(self) -> None:
        self.roster.add(self.bot)
        self.life()

    def life(self) -> None:
        store: Any = Doomed(self.store, self.doom)
        server: Any = DoomedServer(self.server, self.doom)
        self.shelf = Shelf(FakeProvider(self.clock), server)
        self.aftermath = Aftermath(self.store, self.clock, self.observer)
        scopes: Callable[[Bot], Any] = lambda bot: line_scopes_for(bot, self.roster)  # noqa: E731 - as app does
        self.opener = BatchOpener(
            self.shelf, lambda: self.book, store.batches, scopes, self.aftermath, self.clock, self.observer
        )
        settler = BatchSettler(store, self.roster, scopes, self.aftermath, self.clock)
        self.meter = BatchMeter(self.shelf, store.batches, self.roster, settler, self.clock)

    async def open(
        self, prompts: Sequence[BatchPrompt], name: str = "b0", key: str = "k"
    ) -> Kept | NotOpened:
        return await self.opener.open(BatchAsk(name, self.bot, prompts, key))

    async def opened(self, lines: int = 3, name: str = "b0", key: str = "") -> Batch:
        kept = await self.open([a_prompt(number) for number in range(1, lines + 1)], name, key)
        assert isinstance(kept, Kept)
        return kept.batch

    async def step(self, batch: Batch) -> Batch:
        """One step, and the rest after it."""
        stepped = await self.meter.step(batch)
        self.clock.advance(60 if stepped.wait_s is None else stepped.wait_s)
        return await self.known(batch.id)

    async def through(self, batch: Batch, steps: int = 60) -> Batch:
        """Until it is over."""
        while batch.is_open:
            assert steps, f"{batch} does not end"
            steps -= 1
            batch = await self.step(batch)
        return batch

    async def known(self, name: str) -> Batch:
        batch = await self.store.batches.batch(name)
        assert batch is not None
        return batch

    async def rows(self) -> list[LedgerEntry]:
        """The ledger; its sums are the counters, always."""
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        assert verify(await self.store.counters(), rows) == []
        return sorted(rows, key=lambda row: row.attempt.id)

    def billed(self) -> Money:
        """What the provider will ask for, at half its price."""
        assert HALF is not None
        return Money(sum(HALF.cost(row.usage) for row in self.server.bill))
