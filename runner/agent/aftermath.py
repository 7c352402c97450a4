"""What follows the end of a hold, whoever made the call: it is told, limits are looked at, others get their turn.

Rule: a cost above its hold is told, and the model is called by nobody until an operator clears it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.agent.waiting import WaitingRoom
from runner.bots import ModelChoice
from runner.clock import Clock
from runner.errors import StoreError
from runner.money.alarms import is_told, reached
from runner.money.amounts import Money
from runner.money.budget import Counter, Measure, ScopeLimit
from runner.money.ledger import Attempt
from runner.ports.books import BookStore, Held, Quarantine, Settled, Settlement
from runner.ports.observer import BoundBroken, CallEnded, Fault, LimitUsed, Observer


class Aftermath:
    """Tells, warns, sets models aside, wakes.

    Attributes:
        room: who waits for money.
    """

    def __init__(self, store: BookStore, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._set_aside: set[ModelChoice] = set()
        self._unstored: set[ModelChoice] = set()
        self.room = WaitingRoom()

    async def open(self) -> None:
        """Learn which models an operator has not cleared yet; again where others set some aside. Raises StoreError."""
        stored = {ModelChoice(which.provider, which.model) for which in await self._store.quarantined()}
        self._set_aside = stored | self._unstored

    async def clear(self, choice: ModelChoice) -> bool:
        """An operator's word: call this model again; False where it was not set aside. Raises StoreError."""
        known = await self._store.clear_quarantine(choice.provider, choice.model)
        self._set_aside.discard(choice)
        self._unstored.discard(choice)
        return known

    def is_set_aside(self, choice: ModelChoice) -> bool:
        """Whether it charged more than its bound and nobody has looked yet."""
        return choice in self._set_aside

    async def ended(self, attempt: Attempt, held: Held, settlement: Settlement, settled: Settled) -> None:
        """A hold has ended: everything that follows. `held.scopes`: with the limits to look at."""
        self._observer.note(
            CallEnded(
                bot=attempt.bot,
                turn=attempt.turn,
                attempt=attempt.id,
                provider=attempt.provider,
                model=attempt.model,
                state=settlement.state,
                held=held.amount,
                cost=settled.amount,
                usage=settlement.usage,
                latency_ms=settlement.latency_ms,
                why=settlement.why,
            ),
        )
        if _is_broken(held, settlement, settled.amount):
            await self._put_aside(attempt, held.amount, settled.amount)
        self.warn(attempt.bot, held.scopes, settled.counters)
        self.room.changed(scope.name for scope in held.scopes)

    def warn(self, bot: str, scopes: Iterable[ScopeLimit], counters: Mapping[str, Counter]) -> None:
        """Tell how far the limits are used."""
        for scope in scopes:
            counter = counters.get(scope.name)
            if scope.limit is None or counter is None or not is_told(scope.name):
                continue
            percent = reached(scope.limit, counter.gone)
            if percent or scope.funded:
                self._observer.note(LimitUsed(bot, scope.name, percent, scope.limit, counter.gone))

    async def _put_aside(self, attempt: Attempt, held: Money, charged: Money) -> None:
        """A model that broke its bound is not called again until an operator has looked; told once it is stored."""
        choice = ModelChoice(attempt.provider, attempt.model)
        self._set_aside.add(choice)
        self._unstored.add(choice)
        which = Quarantine(attempt.provider, attempt.model, attempt.id, held, charged, self._clock.now_ms())
        try:
            await self._store.quarantine(which)
            self._unstored.discard(choice)
        except StoreError as error:
            self._observer.note(Fault("quarantine", str(error), attempt.bot, attempt.turn))
        self._observer.note(
            BoundBroken(attempt.bot, attempt.id, attempt.provider, attempt.model, held, charged)
        )


def _is_broken(held: Held, settlement: Settlement, charged: Money) -> bool:
    """Whether a call took more than was held for it, in a measure that it is held in."""
    if charged > held.amount:
        return True
    counts_tokens = any(scope.measure is Measure.TOKENS for scope in held.scopes)
    return counts_tokens and settlement.usage.total_tokens > held.tokens
