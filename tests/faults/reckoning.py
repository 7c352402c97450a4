"""What is true after the daemon was killed: what its store lists, its ledger holds and the model has billed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from adapters.messages import outbound_from_json
from runner.money.ledger import LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.mail import OutboxState, Outgoing
from runner.store.rules import MOST_CRASHES
from runner.store.sqlite.reader import reader_of
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

AHEAD = 150
"""Messages that users write ahead of their answers: a slow machine is not buried under them."""
STILL_S = 60.0
"""So long without an answer that there are no more to come."""
RATES = (1_000_000, 2_000_000)
"""Pico-dollars a token in and out, as PRICES has it."""
PRICES = 'prices: {m: {input: "1", output: "2"}}'


def say_again(body: Mapping[str, Any]) -> Say:
    """The model answers with the last word that it was asked."""
    last = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else last[-1]["text"]
    return Say(text=f"re {text.split()[-1]}", latency_s=0.02)


async def books(daemon: Daemon) -> list[LedgerEntry]:
    """All rows of the ledger, which must agree with the counters."""
    reader = reader_of(daemon.state / "botrunner.db")
    await reader.open()
    assert await reader.verify_books() == []
    rows = [row async for row in reader.ledger(LedgerFilter())]
    await reader.close()
    return rows


def text_of(row: Outgoing) -> str:
    """What an answer is known by, where each has a text of its own."""
    return outbound_from_json(row.payload).text


async def listed(daemon: Daemon, known_by: Callable[[Outgoing], str] = text_of) -> Counter[str]:
    """Answers that the store lists as possibly doubled, with how often."""
    found: Counter[str] = Counter()
    for state in (OutboxState.SENT, OutboxState.UNKNOWN):
        for row in await _outgoing(daemon, state):
            if row.crashes:
                found[known_by(row)] += row.crashes
    return found


async def given_up(daemon: Daemon, known_by: Callable[[Outgoing], str] = text_of) -> set[str]:
    """Answers that the store lists as `unknown`, because so many starts in a row found them being sent."""
    rows = await _outgoing(daemon, OutboxState.UNKNOWN)
    return {known_by(row) for row in rows if row.crashes >= MOST_CRASHES}


async def _outgoing(daemon: Daemon, state: OutboxState) -> list[Outgoing]:
    reader = reader_of(daemon.state / "botrunner.db")
    await reader.open()
    after, rows = 0, []
    while page := await reader.outgoing(state, 500, after):
        after = page[-1].id
        rows += page
    await reader.close()
    return rows


async def until_answered(
    daemon: Daemon, missing: Callable[[], set[str]], known_by: Callable[[Outgoing], str] = text_of
) -> set[str]:
    """Wait while answers come, until there are all; returns those that were given up, which must be listed."""
    left, still = missing(), 0.0
    while left:
        await asyncio.sleep(0.1)
        now = missing()
        still = 0.0 if now != left else still + 0.1
        left = now
        if still > 2.0 and left <= await given_up(daemon, known_by):
            break
        assert still < STILL_S, f"not answered, and not listed: {sorted(left)}"
    return left


def check_bill(rows: list[LedgerEntry], model: ModelServer) -> None:
    """No step is paid twice, nothing is held, and the books hold no less than the model's bill."""
    settled = [row for row in rows if row.state is ReservationState.SETTLED]
    paid = Counter((row.attempt.turn, row.attempt.feature, row.attempt.iteration) for row in settled)
    assert max(paid.values()) == 1, "a step was paid twice"
    assert not [row for row in rows if row.state is ReservationState.HELD]
    bill = sum(b.usage.input_tokens * RATES[0] + b.usage.output_tokens * RATES[1] for b in model.bill)
    cost = sum(row.cost for row in rows)
    unknown = sum(row.cost for row in rows if row.state is ReservationState.UNKNOWN)
    print(f"billed {bill}, books {cost}, of it unknown {unknown}, calls {len(model.bill)}, rows {len(rows)}")
    assert cost >= bill
    assert cost - unknown <= bill
