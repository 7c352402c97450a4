"""A meter and all that it stands on, on fakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from runner.agent.asks import Ask, MeterResult
from runner.agent.meter import Meter
from runner.bots import Secret
from runner.conversations.models import UserMessage
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.budget import Counter, ScopeLimit
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.prices import PriceBook
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter, MoneyStore
from runner.ports.dialogue import ModelRequest
from runner.ports.provider import Provider
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Say
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.scenes import CHOICE, a_book

HELLO = Say("hello", usage=Usage(100, 10))
COST = 140
REQUEST = ModelRequest(CHOICE, "Be brief.", (UserMessage("hello"),), max_output_tokens=1000)
ABOUT = Attempt("", 0, "bot", "fake", "chat", "c1", "ada", "t1", "", "", "")
LARGEST = Money(10**9)


@dataclass
class World:
    """A meter and all that it stands on."""

    meter: Meter
    provider: FakeProvider
    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    providers: "Shelf"
    store_faults: list[str]
    tasks: asyncio.TaskGroup

    def ask(self, turn: str = "t1", limit: int | None = None, seconds: float = 30.0, **changes: Any) -> Ask:
        values: dict[str, Any] = {
            "request": REQUEST,
            "about": replace(ABOUT, turn=turn),
            "scopes": lambda _: (ScopeLimit("bot:bot", None if limit is None else Money(limit)),),
            "deadline": self.clock.monotonic() + seconds,
            "attempts_used": 0,
            "step_number": 0,
        }
        return Ask(**{**values, **changes})

    async def call(self, through: MoneyStore | None = None, **changes: Any) -> MeterResult:
        return await self.meter.call(self.ask(**changes), through or self.store)

    async def rows(self) -> list[LedgerEntry]:
        """The ledger; its sums are the counters, always."""
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        assert verify(await self.store.counters(), rows) == []
        return rows

    async def counter(self) -> Counter:
        return (await self.store.counters(["bot:bot"]))["bot:bot"]


@dataclass
class Shelf:
    """The providers, and who asked for one."""

    provider: Provider
    asked: list[tuple[str, Secret | None]] = field(default_factory=list)

    def get(self, name: str, key: Secret | None = None) -> Provider:
        self.asked.append((name, key))
        return self.provider

    def transcriber(self, name: str, key: Secret | None = None) -> Provider:
        return self.get(f"{name} listening", key)


@asynccontextmanager
async def a_world(book: PriceBook | None = None) -> AsyncIterator[World]:
    """Make one; its tasks end with the block."""
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    clock, observer, store = ManualClock(), RecordingObserver(), MemoryStore(before)
    await store.open()
    provider = FakeProvider(clock, HELLO)
    shelf = Shelf(provider)
    async with asyncio.TaskGroup() as tasks:
        meter = Meter(shelf, lambda: book or a_book(), store, clock, observer, tasks)
        yield World(meter, provider, store, clock, observer, shelf, faults, tasks)
