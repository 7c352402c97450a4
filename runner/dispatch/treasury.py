"""What an operator does with money: pay in, look at the wallet, put right what nobody knew.

Rules: the same key pays in once, whatever happens in between; a correction is rows of its own and needs a reason; who
waits for money looks again as soon as there is some.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.bots import ModelChoice
from runner.clock import Clock
from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.ledger import LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.scopes import WALLET
from runner.money.terms import WalletTerms
from runner.ports.books import BookStore, Correction, Deposit, Deposited, LedgerFilter, Quarantine

MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Wallet:
    """How the wallet stands.

    Attributes:
        active: something was paid in or bots.yaml has terms for it; else calls are pay as you go.
        gone: spent, and of unknown fate.
    """

    active: bool
    purchased: Money
    gone: Money
    held: Money
    terms: WalletTerms | None

    @property
    def balance(self) -> Money:
        """What is left, held money included."""
        return Money(self.purchased - self.gone)


@dataclass(frozen=True, slots=True)
class KeyReused:
    """That key paid in another amount before; nothing was paid in now."""

    earlier: Deposit


@dataclass(frozen=True, slots=True)
class NotCorrected:
    """Nothing was written, because of this."""

    why: str


class Treasury:
    """Does it.

    Args:
        terms: the wallet's terms now in force.
        changed: told the scope that has more room now.
        cleared: calls a model again; False where it was not set aside.
    """

    def __init__(
        self,
        store: BookStore,
        clock: Clock,
        terms: Callable[[], WalletTerms | None],
        changed: Callable[[str], None],
        cleared: Callable[[ModelChoice], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms
        self._changed = changed
        self._cleared = cleared

    async def wallet(self) -> Wallet:
        """How it stands now."""
        deposits = await self._store.deposits()
        counter = (await self._store.counters([WALLET])).get(WALLET, Counter())
        terms = self._terms()
        return Wallet(
            active=bool(deposits) or terms is not None,
            purchased=Money(sum(deposit.amount for deposit in deposits)),
            gone=Money(counter.gone),
            held=Money(counter.held),
            terms=terms,
        )

    async def top_ups(self) -> list[Deposit]:
        """All that was paid in, the latest first."""
        return await self._store.deposits()

    async def top_up(self, key: str, amount: Money, note: str) -> Deposited | KeyReused:
        """Pay in; `amount` is more than 0."""
        done = await self._store.deposit(Deposit(key, amount, self._clock.now_ms(), note))
        if done.deposit.amount != amount:
            return KeyReused(done.deposit)
        if done.fresh:
            self._changed(WALLET)
        return done

    async def unknown(self, bot: str | None = None) -> list[LedgerEntry]:
        """Attempts whose fate nobody knows and nobody has put right, the oldest first; at most `MOST_LISTED`."""
        rows: dict[str, LedgerEntry] = {}
        corrected: set[str] = set()
        async for row in self._store.ledger(LedgerFilter(bot=bot, state=ReservationState.UNKNOWN)):
            if row.corrects:
                corrected.add(row.corrects)
            else:
                rows[row.attempt.id] = row
        return [row for name, row in rows.items() if name not in corrected][:MOST_LISTED]

    async def reconcile(
        self, attempt_id: str, cost: Money, why: str
    ) -> tuple[LedgerEntry, ...] | NotCorrected:
        """Say what an attempt of unknown fate really cost; 0: it never ran."""
        try:
            rows = await self._store.correct(Correction(attempt_id, cost, why, self._clock.now_ms()))
        except IllegalStep as error:
            return NotCorrected(str(error))
        for scope in rows[0].scopes:
            self._changed(scope)
        return rows

    async def set_aside(self) -> list[Quarantine]:
        """Models that charged more than their bound and are not called, the latest first."""
        return await self._store.quarantined()

    async def clear(self, provider: str, model: str) -> bool:
        """Call a model again; False where it was not set aside."""
        return await self._cleared(ModelChoice(provider, model))
