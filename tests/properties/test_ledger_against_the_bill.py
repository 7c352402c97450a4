"""The ledger against the provider's own bill: real sockets, the real meter, SQLite; faults of every kind, retries.

settled     exactly what is billed for that request, to the pico-dollar
released    nothing is billed
unknown     whatever is billed, and never less than that

1,000 messages here; `BOTRUNNER_CALLS=10000 pytest -s tests/properties/test_ledger_against_the_bill.py` for more and for
the figures. Each message has a model id of its own, by which the server's bill can be told apart.
"""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from runner.agent.asks import Ask
from runner.agent.meter import Meter
from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import ToolCall, UserMessage
from runner.money.amounts import MAX_AMOUNT, Money, to_usd
from runner.money.budget import Measure, ScopeLimit
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.prices import CacheWrites, Price, PriceBook, Rates
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import Deposit, LedgerFilter
from runner.ports.dialogue import CachePlan, ModelRequest
from runner.providers.catalogue import Catalogue, define
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from runner.testing.model_script import At, Behaviour, Billed, Drop, Fault, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.observer import RecordingObserver

MESSAGES = int(os.environ.get("BOTRUNNER_CALLS", "1000"))
AT_ONCE = 48
MESSAGE_S, DRAIN_S = 1.0, 0.5
LIMIT = 40
RATES = Rates(
    3_000_000_000_003,
    15_000_000_000_007,
    cache_read=300_000_000_001,
    cache_write_5m=3_750_000_000_001,
    cache_write_1h=6_000_000_000_001,
)
"""Such that hardly a sum is a whole number of pico-dollars."""
SCOPES = (
    ScopeLimit("bot:bill", MAX_AMOUNT),
    ScopeLimit("wallet", None, funded=True),
    ScopeLimit("plan-tokens:bill@2026-11", 10**12, Measure.TOKENS),
)
PROVIDERS = ("openai", "anthropic")


def model_of(number: int) -> ModelChoice:
    return ModelChoice(PROVIDERS[number % 2], f"m{number}")


# ── what the server does ─────────────────────────────────────────────────────────────────────────────────
class Moods:
    """What it does with the next request for a model: played by that model's own dice."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = defaultdict(int)

    def __call__(self, body: Mapping[str, Any]) -> Behaviour:
        model = str(body["model"])
        self._asked[model] += 1
        dice = random.Random(f"{model} {self._asked[model]}")
        usage = Usage(dice.randint(20, 60), dice.randint(1, LIMIT), dice.randint(0, 9), dice.randint(0, 9))
        said = Say("an answer", usage=usage, pieces=dice.randint(1, 4))
        if dice.random() < 0.6:
            return dice.choice(
                [said, said, replace(said, usage=None), replace(said, at_bound=True, usage=None)]
            )
        trouble: list[Behaviour] = [
            *(Fault(status) for status in (400, 401, 404)),
            *(Fault(status, retry_after="0") for status in (429, 503, 529)),
            *(Fault(status, usage=dice.choice([None, usage])) for status in (500, 502, 504)),
            *(Drop(usage), Drop(), Hang(usage), replace(said, stall_at=At.MIDDLE)),
            *(replace(said, cut_at=at) for at in At),
            *(replace(said, error_at=at) for at in (At.FIRST, At.START, At.MIDDLE)),
            replace(said, tells_usage=False),
            replace(said, tools=(ToolCall("a", "look", '{"q": 1}'),)),
            replace(said, usage=Usage(50_000, LIMIT)),
        ]
        return dice.choice(trouble)


# ── the calls ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Run:
    """What is left of it."""

    rows: list[LedgerEntry]
    bill: Sequence[Billed]
    path: Path


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer(standing=Moods())
    await server.start()
    yield server
    await server.stop()


async def call_all(server: ModelServer, path: Path) -> Run:
    clock = SystemClock()
    addresses = {"openai": f"{server.url}/v1", "anthropic": server.url}
    catalogue = Catalogue(
        {name: define(name, base_url=url, api_key=Secret("sk")) for name, url in addresses.items()},
        clock=clock,
        find_price=lambda *_: None,
    )
    for name in PROVIDERS:
        await catalogue.warm(name)
    choices = [model_of(number) for number in range(MESSAGES)]
    rows = {(c.provider, c.model): Price(c.model, c.provider, RATES, version="bill") for c in choices}
    book = PriceBook("bill", rows)
    store = SqliteStore(path, clock)
    await store.open()
    await store.deposit(Deposit("all there is", MAX_AMOUNT, 0))
    numbers = iter(range(MESSAGES))
    async with asyncio.TaskGroup() as tasks:
        meter = Meter(catalogue, lambda: book, store, clock, RecordingObserver(), tasks, drain_s=DRAIN_S)

        async def caller() -> None:
            for number in numbers:
                await meter.call(ask(number, clock), store)

        for number in range(AT_ONCE):
            tasks.create_task(caller(), name=f"caller {number}")
    found = [row async for row in store.ledger(LedgerFilter())]
    await store.close()
    await catalogue.close()
    return Run(found, server.bill, path)


def ask(number: int, clock: SystemClock) -> Ask:
    choice = model_of(number)
    text = f"What is {number} times {number}? Please answer with one number."
    return Ask(
        request=ModelRequest(
            choice,
            "Be kind.",
            (UserMessage(text),),
            max_output_tokens=LIMIT,
            cache=CachePlan(CacheWrites.HOUR, CacheWrites.HOUR),
        ),
        about=Attempt("", 0, "bill", "custom", "custom", "c", "u", choice.model, "", "", ""),
        scopes=lambda _: SCOPES,
        deadline=clock.monotonic() + MESSAGE_S,
        attempts_used=0,
        step_number=0,
    )


# ── the reckoning ────────────────────────────────────────────────────────────────────────────────────────
def cost_of(usage: Usage) -> int:
    """As a provider would bill it: exact, the last bit of a pico-dollar rounded up."""
    plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_5m_tokens
    sums = (
        (plain, RATES.input),
        (usage.cache_read_tokens, RATES.cache_read),
        (usage.cache_write_5m_tokens, RATES.cache_write_5m),
        (usage.output_tokens, RATES.output),
    )
    return ceil(sum(Fraction(tokens * (rate or 0), 10**6) for tokens, rate in sums))


def by_turn(rows: Sequence[LedgerEntry], state: ReservationState) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.state is state:
            sums[row.attempt.turn] += row.cost
    return sums


async def test_the_ledger_is_the_bill(server: ModelServer, tmp_path: Path) -> None:
    run = await call_all(server, tmp_path / "bill.db")
    lines = {line.request_id: line for line in run.bill}
    assert len(lines) == len(run.bill), "each request is billed once"

    known = [row for row in run.rows if row.state is ReservationState.SETTLED]
    for row in known:
        line = lines.pop(row.request_id)
        assert (line.model, line.usage) == (row.attempt.turn, row.usage)
        assert row.cost - cost_of(line.usage) == 0
        assert row.tokens == line.usage.input_tokens + line.usage.output_tokens
    assert [row.cost for row in run.rows if row.state is ReservationState.RELEASED and row.cost] == []
    assert [row for row in run.rows if row.state is ReservationState.HELD] == []

    left: dict[str, int] = defaultdict(int)
    for line in lines.values():
        left[line.model] += cost_of(line.usage)
    unknown = by_turn(run.rows, ReservationState.UNKNOWN)
    assert {turn: (billed, unknown[turn]) for turn, billed in left.items() if billed > unknown[turn]} == {}
    assert {row.state for row in run.rows} == set(ReservationState) - {ReservationState.HELD}
    assert len({row.attempt.turn for row in run.rows}) == MESSAGES
    assert len(run.rows) > MESSAGES, "some were tried again"
    reader = reader_of(run.path)
    await reader.open()
    assert await reader.verify_books() == []
    await reader.close()
    tell(run, known, left, unknown)


def tell(run: Run, known: Sequence[LedgerEntry], left: Mapping[str, int], unknown: Mapping[str, int]) -> None:
    """The figures, for who looks."""
    states = [row.state for row in run.rows]
    settled, billed = Money(sum(row.cost for row in known)), Money(sum(left.values()))
    kept = Money(sum(unknown.values()))
    print(  # noqa: T201 - shown with -s
        f"\n{MESSAGES} messages, {len(run.rows)} attempts, {len(run.bill)} of them billed\n"
        f"settled   {states.count(ReservationState.SETTLED)}: {to_usd(settled)} USD, as billed: difference 0\n"
        f"released  {states.count(ReservationState.RELEASED)}: nothing billed\n"
        f"unknown   {states.count(ReservationState.UNKNOWN)}: {to_usd(kept)} USD kept, {to_usd(billed)} USD billed"
    )
