"""The books of the memory store: counters and ledger rows. Plain Python; no call waits, so each is atomic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from runner.clock import UnixMs, utc_day
from runner.errors import IllegalStep
from runner.money.amounts import ZERO
from runner.money.budget import Busy, Counter, Exhausted
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.batches import FEATURE
from runner.ports.books import (
    Correction,
    Held,
    HoldRequest,
    HoldResult,
    LedgerFilter,
    Settled,
    Settlement,
    UsageSum,
)
from runner.store.memory.purse import Purse
from runner.store.rules import (
    Counters,
    Hold,
    add_usage,
    check_groupings,
    correct,
    dearest_first,
    end,
    in_force,
    lost_hold,
    scope_names,
    take,
    take_all,
)

_ALL = LedgerFilter()
_COLUMNS: Mapping[str, Callable[[LedgerEntry], str]] = {
    "bot": lambda row: row.attempt.bot,
    "feature": lambda row: row.attempt.feature,
    "task": lambda row: row.attempt.task,
    "user": lambda row: row.attempt.user,
    "model": lambda row: row.attempt.model,
    "provider": lambda row: row.attempt.provider,
    "route": lambda row: row.attempt.route,
    "platform": lambda row: row.attempt.platform,
    "day": lambda row: utc_day(UnixMs(row.attempt.time_ms)),
}


class Books:
    """Scopes and rows, in the order of writing."""

    def __init__(self) -> None:
        self._counters: Counters = {}
        self._rows: dict[str, LedgerEntry] = {}
        self._by_turn: dict[str, int] = {}
        self.purse = Purse()

    def hold(self, request: HoldRequest) -> HoldResult:
        """As `MoneyStore.hold`."""
        attempt = request.attempt
        if attempt.id in self._rows:
            raise IllegalStep(f"attempt {attempt.id} exists already")
        scopes = in_force(request.scopes, self.purse.funds())
        names = scope_names(scopes)
        result, after = take(request, scopes, self.counters(names))
        if isinstance(result, Held):
            self._add(_held_row(attempt, names, result))
            self._counters |= after
        return result

    def hold_all(self, requests: Sequence[HoldRequest]) -> list[Held] | Busy | Exhausted:
        """As `BatchStore.add` holds: all of them or none."""
        funds = self.purse.funds()
        scopes = [in_force(request.scopes, funds) for request in requests]
        names = [scope_names(each) for each in scopes]
        result, after = take_all(requests, scopes, self.counters({name for each in names for name in each}))
        if not isinstance(result, list):
            return result
        if any(request.attempt.id in self._rows for request in requests):
            raise IllegalStep("one of these attempts exists already")
        for request, each, held in zip(requests, names, result, strict=True):
            self._add(_held_row(request.attempt, each, held))
        self._counters |= after
        return result

    def _add(self, row: LedgerEntry) -> None:
        turn = row.attempt.turn
        self._rows[row.attempt.id] = row
        self._by_turn[turn] = self.attempts(turn) + 1

    def ended(self, settlement: Settlement) -> tuple[LedgerEntry, Counters]:
        """The row and the counters as they will be; nothing is written yet."""
        row = self._rows.get(settlement.attempt_id)
        if row is None:
            raise IllegalStep(f"there is no attempt {settlement.attempt_id}")
        after = end(Hold(row.state, row.hold, row.hold_tokens), settlement, self.counters(row.scopes))
        return (
            replace(
                row,
                state=settlement.state,
                cost=after.amount,
                tokens=after.tokens,
                usage=settlement.usage,
                request_id=settlement.request_id,
                stop_reason=settlement.stop_reason,
                latency_ms=settlement.latency_ms,
                why=settlement.why,
            ),
            after.counters,
        )

    def write(self, row: LedgerEntry, counters: Counters) -> Settled:
        """Write what `ended` made; returns what stands against the scopes."""
        self._rows[row.attempt.id] = row
        self._counters |= counters
        return Settled(row.cost, dict(counters))

    def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As `BookStore.correct`."""
        row = self._rows.get(correction.attempt_id)
        if row is None:
            raise IllegalStep(f"there is no attempt {correction.attempt_id}")
        rows, after = correct(row, correction, self.counters(row.scopes))
        if any(entry.attempt.id in self._rows for entry in rows):
            raise IllegalStep(f"attempt {correction.attempt_id} was corrected before")
        for entry in rows:
            self._add(entry)
        self._counters |= after
        return rows

    def recover(self, open_batches: Collection[str], which: Callable[[str], bool] = lambda _: True) -> int:
        """End each hold that was left, but for those of open batches; how many. `which`: of these attempts only."""
        left = [
            row.attempt.id
            for row in self._rows.values()
            if row.state is ReservationState.HELD
            and which(row.attempt.id)
            and not (row.attempt.feature == FEATURE and row.attempt.turn in open_batches)
        ]
        for attempt_id in left:
            self.write(*self.ended(lost_hold(attempt_id)))
        return len(left)

    def row(self, attempt_id: str) -> LedgerEntry | None:
        """The row of an attempt."""
        return self._rows.get(attempt_id)

    def attempts(self, turn: str) -> int:
        """How many rows the turn has."""
        return self._by_turn.get(turn, 0)

    def counters(self, scopes: Collection[str] | None = None) -> Counters:
        """As `Store.counters`."""
        if scopes is None:
            return dict(self._counters)
        return {name: self._counters.get(name, Counter()) for name in scopes}

    def rows(self, which: LedgerFilter) -> list[LedgerEntry]:
        """The rows that the filter lets pass, by time."""
        return sorted(
            (row for row in self._rows.values() if _passes(row, which)), key=lambda row: row.attempt.time_ms
        )

    def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None) -> list[UsageSum]:
        """As `Store.usage`."""
        check_groupings(by)
        groups = self._sums(which, lambda row: tuple(_COLUMNS[name](row) for name in by))
        return sorted(groups.values(), key=dearest_first)[:limit]

    def by_conversation(self) -> dict[str, UsageSum]:
        """What each conversation has cost."""
        return {
            name: sums for (name,), sums in self._sums(_ALL, lambda row: (row.attempt.conversation,)).items()
        }

    def by_turn(self) -> dict[str, UsageSum]:
        """What each turn has cost."""
        return {name: sums for (name,), sums in self._sums(_ALL, lambda row: (row.attempt.turn,)).items()}

    def _sums(
        self, which: LedgerFilter, key_of: Callable[[LedgerEntry], tuple[str, ...]]
    ) -> dict[tuple[str, ...], UsageSum]:
        groups: dict[tuple[str, ...], UsageSum] = {}
        for row in self.rows(which):
            if row.state is not ReservationState.HELD:
                key = key_of(row)
                groups[key] = add_usage(groups.get(key, UsageSum(key)), _alone(row))
        return groups


def _held_row(attempt: Attempt, scopes: tuple[str, ...], held: Held) -> LedgerEntry:
    return LedgerEntry(
        attempt,
        scopes,
        ReservationState.HELD,
        held.amount,
        held.amount,
        hold_tokens=held.tokens,
        tokens=held.tokens,
    )


def _passes(row: LedgerEntry, which: LedgerFilter) -> bool:
    attempt = row.attempt
    return (
        (which.bot is None or attempt.bot == which.bot)
        and (which.turn is None or attempt.turn == which.turn)
        and (which.state is None or row.state is which.state)
        and (which.from_ms is None or attempt.time_ms >= which.from_ms)
        and (which.to_ms is None or attempt.time_ms < which.to_ms)
    )


def _alone(row: LedgerEntry) -> UsageSum:
    """A row as a sum of one."""
    attempted = 0 if row.corrects else 1
    return UsageSum(
        key=(),
        cost=row.cost if row.state is ReservationState.SETTLED else ZERO,
        calls=attempted,
        retries=attempted if row.attempt.number > 1 else 0,
        usage=row.usage,
        unknown=row.cost if row.state is ReservationState.UNKNOWN else ZERO,
    )
