"""Money in a transaction, for many attempts at once: what the writers, batches and burials are made of.

    names of all scopes ─▶ lock_counters ─▶ runner.store.rules decide ─▶ add_holds, end_holds ─▶ save_counters

Rules: SQL fetches and stores, Python reckons; a transaction locks counters ONCE, all that it needs, in the order of
their names, before it writes any ledger row, and locks nothing of another kind but usage sums and traffic after
that: so two daemons never wait for one another. A row ends only where it is `held` at that moment, under the lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.ports.books import Held, Settled, Settlement
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import Counters, End, Hold, end


@dataclass(frozen=True, slots=True)
class Reservation:
    """A ledger row's hold, its scopes and its turn, as stored."""

    hold: Hold
    scopes: tuple[str, ...]
    turn: str


async def lock_counters(connection: Connection, sql: Queries, names: Iterable[str]) -> Counters:
    """These scopes' counters, ours until the transaction ends; those that are not there are made.

    MUST be asked once a transaction, for all scopes that it changes.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    return {
        name: Counter(settled, unknown, held)
        for name, settled, unknown, held in await connection.fetch(sql["lock_scopes"], wanted)
    }


async def save_counters(connection: Connection, sql: Queries, counters: Counters) -> None:
    """Write counters that were locked in this transaction."""
    if counters:
        await connection.execute(
            sql["save_scopes"],
            list(counters),
            [counter.settled for counter in counters.values()],
            [counter.unknown for counter in counters.values()],
            [counter.held for counter in counters.values()],
        )


async def funds(connection: Connection, sql: Queries) -> Money | None:
    """All that was paid in; None: nothing ever was."""
    paid_in = await connection.fetchval(sql["funds"])
    return None if paid_in is None else Money(paid_in)


async def add_holds(
    connection: Connection,
    sql: Queries,
    holds: Sequence[tuple[Attempt, Sequence[str], Held]],
    daemon: int | None,
) -> dict[str, str]:
    """Write ledger rows as `held`, with the names of their scopes.

    The ids of those that were not there before, each with the transaction's number.
    """
    if not holds:
        return {}
    rows = await connection.fetch(sql["add_holds"], *hold_columns(holds), daemon)
    return {row[0]: row[1] for row in rows}


async def reservations(
    connection: Connection, sql: Queries, ids: Collection[str], query: str = "reservations"
) -> dict[str, Reservation]:
    """The holds of these attempts, as they stand; those that are not there are left out.

    `reservations_kept`: nobody else changes them until the transaction ends; MUST be asked after their counters.
    """
    if not ids:
        return {}
    return {
        name: Reservation(Hold(ReservationState(state), hold, tokens), tuple(json.loads(scopes)), turn)
        for name, state, hold, tokens, scopes, turn in await connection.fetch(sql[query], list(ids))
    }


async def end_holds(
    connection: Connection, sql: Queries, ends: Sequence[tuple[Settlement, End]]
) -> dict[str, str]:
    """Write how holds have ended; the ids of those that were held until now, each with the transaction's number."""
    if not ends:
        return {}
    return {row[0]: row[1] for row in await connection.fetch(sql["end_holds"], *end_columns(ends))}


async def settle_all(
    connection: Connection, sql: Queries, settlements: Sequence[Settlement]
) -> list[Settled | IllegalStep]:
    """End holds in this transaction, counters and all, but for their steps; each ends or is refused alone.

    Raises:
        StoreError: an amount that cannot be kept; nothing may be committed then.
    """
    rows = await reservations(connection, sql, [one.attempt_id for one in settlements])
    counters = await lock_counters(connection, sql, (name for row in rows.values() for name in row.scopes))
    results: list[Settled | IllegalStep] = []
    ends: list[tuple[Settlement, End]] = []
    changed: Counters = {}
    # Under the lock once more: what was held before we had it may have been ended by another daemon meanwhile.
    rows = await reservations(connection, sql, list(rows), "reservations_kept")
    for settlement in settlements:
        result = _decide(settlement, rows.pop(settlement.attempt_id, None), counters)
        if isinstance(result, End):
            ends.append((settlement, result))
            changed |= result.counters
            counters |= result.counters
            results.append(Settled(result.amount, result.counters))
        else:
            results.append(result)
    await end_holds(connection, sql, ends)
    await save_counters(connection, sql, changed)
    return results


def _decide(settlement: Settlement, row: Reservation | None, counters: Counters) -> End | IllegalStep:
    if row is None:
        return IllegalStep(f"there is no attempt {settlement.attempt_id}, or it is ended already")
    try:
        return end(row.hold, settlement, {name: counters[name] for name in row.scopes})
    except IllegalStep as refused:
        return refused


# ── values as columns ────────────────────────────────────────────────────────────────────────────────────
def attempt_columns(attempts: Sequence[Attempt]) -> list[list[object]]:
    """Arrays of what makes an `Attempt`, in the order of the query `add_holds`."""
    return [
        [a.id for a in attempts],
        [a.time_ms for a in attempts],
        [a.bot for a in attempts],
        [a.platform for a in attempts],
        [a.channel for a in attempts],
        [a.conversation for a in attempts],
        [a.user for a in attempts],
        [a.turn for a in attempts],
        [a.provider for a in attempts],
        [a.model for a in attempts],
        [a.price_version for a in attempts],
        [a.feature for a in attempts],
        [a.task for a in attempts],
        [a.route for a in attempts],
        [a.route_reason for a in attempts],
        [str(a.billing_mode) for a in attempts],
        [a.number for a in attempts],
        [a.iteration for a in attempts],
    ]


def hold_columns(holds: Sequence[tuple[Attempt, Sequence[str], Held]]) -> list[list[object]]:
    """Arrays for the query `add_holds`."""
    return [
        *attempt_columns([attempt for attempt, _, _ in holds]),
        [json.dumps(list(scopes)) for _, scopes, _ in holds],
        [held.amount for _, _, held in holds],
        [held.tokens for _, _, held in holds],
    ]


def end_columns(ends: Sequence[tuple[Settlement, End]]) -> list[list[object]]:
    """Arrays for the query `end_holds`."""
    return [
        [s.attempt_id for s, _ in ends],
        [str(s.state) for s, _ in ends],
        [e.amount for _, e in ends],
        [e.tokens for _, e in ends],
        [s.usage.input_tokens for s, _ in ends],
        [s.usage.output_tokens for s, _ in ends],
        [s.usage.cache_read_tokens for s, _ in ends],
        [s.usage.cache_write_5m_tokens for s, _ in ends],
        [s.usage.cache_write_1h_tokens for s, _ in ends],
        [s.usage.reasoning_tokens for s, _ in ends],
        [s.request_id for s, _ in ends],
        [s.stop_reason for s, _ in ends],
        [s.latency_ms for s, _ in ends],
        [s.why for s, _ in ends],
    ]
