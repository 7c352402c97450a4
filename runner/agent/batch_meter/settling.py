"""The lines of a batch end: each once, with its answer, at the price that was held for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from runner.agent.aftermath import Aftermath
from runner.agent.asks import ScopesOf
from runner.agent.batch_meter.requests import Terms, attempt_of
from runner.agent.settling import settlement_of
from runner.bots import Bot
from runner.clock import Clock
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.money.scopes import measure_of
from runner.ports.batches import Batch, OpenHold
from runner.ports.books import Held
from runner.ports.outcomes import Outcome
from runner.ports.roster import Roster
from runner.ports.stores import Store


class BatchSettler:
    """Settles. `scopes_of`: what a bot's lines are held against."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        scopes_of: Callable[[Bot], ScopesOf],
        aftermath: Aftermath,
        clock: Clock,
    ) -> None:
        self._store = store
        self._roster = roster
        self._scopes_of = scopes_of
        self._aftermath = aftermath
        self._clock = clock

    async def end(self, batch: Batch, terms: Terms, ends: Sequence[tuple[OpenHold, Outcome]]) -> None:
        """End these holds, all in one transaction, and do what follows; those that had ended stay as they are."""
        attempts = [attempt_of(batch, terms, hold.number, batch.made_ms) for hold, _ in ends]
        settlements = [
            settlement_of(outcome, attempt, _held(attempt, hold), terms.price, hold.number, 0)[0]
            for attempt, (hold, outcome) in zip(attempts, ends, strict=True)
        ]
        settled = await self._store.batches.settle_lines(settlements) if ends else []
        for attempt, (hold, _), settlement, end in zip(attempts, ends, settlements, settled, strict=True):
            if end is not None:
                scopes = tuple(ScopeLimit(name, None, measure_of(name)) for name in end.counters)
                held = replace(_held(attempt, hold), scopes=scopes)
                await self._aftermath.ended(attempt, held, settlement, end)

    async def warn(self, batch: Batch, terms: Terms) -> None:
        """Tell how far the bot's limits are used, as they are now."""
        bot = self._roster.bot(batch.bot)
        if bot is None:
            return
        attempt = attempt_of(batch, terms, 0, self._clock.now_ms())
        scopes = self._scopes_of(bot)(attempt)
        paid_in = await self._store.deposits() if any(scope.funded for scope in scopes) else []
        funds = sum(deposit.amount for deposit in paid_in)
        now = [
            replace(scope, limit=Money(funds + (scope.limit or 0)))
            if scope.funded and (paid_in or scope.limit is not None)
            else scope
            for scope in scopes
        ]
        counters = await self._store.counters([scope.name for scope in now])
        self._aftermath.warn(batch.bot, now, counters)


def _held(attempt: Attempt, hold: OpenHold) -> Held:
    return Held(attempt.id, hold.max_output_tokens, hold.amount, hold.tokens)
