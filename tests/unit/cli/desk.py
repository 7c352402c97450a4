"""An operator's desk: a folder, commands typed in it, and what came out of them."""

import asyncio
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.cli.main import execute
from runner.clock import SystemClock
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import HoldRequest, Settlement
from runner.store.sqlite.store import SqliteStore

BOTS = """\
bots:
  hello:   # the first one
    platform: custom
    llm_provider: echo
    llm_model: echo
    spending_cap_cents: 100
    system_prompt: You are kind.
  resting:
    enabled: false
    platform: custom
    llm_provider: echo
    llm_model: echo
    spending_cap_cents: 100
    system_prompt: You rest.
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Call:
    """A model call that is in the ledger."""

    id: str
    time_ms: int
    cost: int
    state: ReservationState = ReservationState.SETTLED
    bot: str = "hello"
    user: str = "ann"
    number: int = 1
    usage: Usage = field(default=NO_USAGE)
    route: str = "default"


@dataclass(frozen=True)
class Desk:
    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def bots_yaml(self) -> Path:
        return self.folder / "bots.yaml"

    def write(self, text: str = BOTS) -> None:
        self.bots_yaml.write_text(text, encoding="utf-8")

    def type(self, *arguments: str, stdin: str = "") -> Outcome:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = execute(arguments, os.environ)
        out, err = self.capsys.readouterr()
        return Outcome(code, out, err)

    def keep(self, calls: Sequence[Call]) -> None:
        """Put calls into the ledger, through the store itself."""
        asyncio.run(self._keep(calls))

    async def _keep(self, calls: Sequence[Call]) -> None:
        self.state.mkdir(exist_ok=True)
        store = SqliteStore(self.state / "botrunner.db", SystemClock())
        await store.open()
        try:
            for call in calls:
                await store.hold(_request(call))
                if call.state is not ReservationState.HELD:
                    await store.settle(_settlement(call))
        finally:
            await store.close()


def _request(call: Call) -> HoldRequest:
    attempt = Attempt(
        id=call.id,
        time_ms=call.time_ms,
        bot=call.bot,
        platform="custom",
        channel="custom",
        conversation="c1",
        user=call.user,
        turn=call.id,
        provider="echo",
        model="echo",
        price_version="test",
        route=call.route,
        number=call.number,
    )
    bound = Estimate(100, 1, 1, Money(call.cost), 0)
    return HoldRequest(attempt, (ScopeLimit(f"bot:{call.bot}", None),), bound)


def _settlement(call: Call) -> Settlement:
    cost = Money(call.cost) if call.state is ReservationState.SETTLED else None
    return Settlement(call.id, call.state, cost=cost, usage=call.usage)
