"""What a store consists of, whatever keeps it: its tables, in the order in which rows may refer to others.

Rules: pure. A table's columns are read from the stores themselves; `OWN` are those that mean something in one kind of
store only. A table that is not named here (`migrations`, `daemons`, `rates`) is a store's own business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Row = tuple[int | str | None, ...]

OWN = frozenset({"daemon"})
"""Columns that are not moved: whose daemon did it is known to one store only."""
NUL, INSTEAD = "\0", "\N{REPLACEMENT CHARACTER}"
"""What PostgreSQL cannot keep in a text, and what stands in its place."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        number: the column with the number that the store gives each row; empty: it gives none.
        spare: what stands there is of no worth once no daemon runs.
        shared: what stands in the target (secrets, a token's secret) stays, in place of what came under its key.
    """

    name: str
    number: str = ""
    spare: bool = False
    shared: bool = False


TABLES = (
    Table("scopes"),
    Table("ledger", "seq"),
    Table("deposits", "seq"),
    Table("quarantine"),
    Table("alerts", "id"),
    Table("usage_keys", "id"),
    Table("usage_days"),
    Table("usage_users", "id"),
    Table("usage_user_days"),
    Table("conversation_sums"),
    Table("inbox", "id"),
    Table("conversations", "seq"),
    Table("messages"),
    Table("steps"),
    Table("turns", "seq"),
    Table("outbox", "id"),
    Table("bots", spare=True),
    Table("traffic_days"),
    Table("active_users"),
    Table("kept_answers"),
    Table("batches", "seq"),
    Table("batch_lines"),
    Table("schedules", spare=True),
    Table("runs", "seq"),
    Table("errands", "seq"),
    Table("handoffs", "seq"),
    Table("memories", "seq"),
    Table("shared_values", shared=True),
    Table("leases", spare=True),
)


def cleaned(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """The rows with U+FFFD in place of each NUL, and how many texts had one."""
    replaced = 0
    clean = []
    for row in rows:
        bad = sum(isinstance(value, str) and NUL in value for value in row)
        if bad:
            replaced += bad
            row = tuple(  # noqa: PLW2901 - the same row, as it can be kept
                value.replace(NUL, INSTEAD) if isinstance(value, str) else value for value in row
            )
        clean.append(row)
    return clean, replaced


@dataclass(slots=True)
class Seen:
    """What was read of a table: how many rows, and a digest that does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Some rows more."""
        self.rows += len(rows)
        for row in rows:
            mark = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
            self.digest = (self.digest + int.from_bytes(mark, "big")) % 2**128


@dataclass(slots=True)
class Sums:
    """What the ledger's rows, the queues and the counters of money add up to, in whole pico-dollars.

    Attributes:
        calls, holds, costs: of the ledger's rows, by state.
        counters: of all scopes together: settled, unknown, held.
        sends: of the outbox, by state.
        waiting: messages that are not answered.
    """

    calls: dict[str, int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    costs: dict[str, int] = field(default_factory=dict)
    counters: tuple[int, int, int] = (0, 0, 0)
    sends: dict[str, int] = field(default_factory=dict)
    waiting: int = 0

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Some rows more of a table; of one that holds no money and is no queue: nothing."""
        match table:
            case "ledger":
                state, hold, cost = (columns.index(name) for name in ("state", "hold", "cost"))
                for row in rows:
                    _more(self.calls, str(row[state]), 1)
                    _more(self.holds, str(row[state]), row[hold])
                    _more(self.costs, str(row[state]), row[cost])
            case "scopes":
                places = [columns.index(name) for name in ("settled", "unknown", "held")]
                sums = [before + sum(int(row[at] or 0) for row in rows)
                        for before, at in zip(self.counters, places, strict=True)]  # fmt: skip
                self.counters = (sums[0], sums[1], sums[2])
            case "outbox":
                state = columns.index("state")
                for row in rows:
                    _more(self.sends, str(row[state]), 1)
            case "inbox":
                finished = columns.index("finished_ms")
                self.waiting += sum(row[finished] is None for row in rows)
            case _:
                pass


def _more(sums: dict[str, int], name: str, amount: int | str | None) -> None:
    sums[name] = sums.get(name, 0) + int(amount or 0)


@dataclass(frozen=True, slots=True)
class Look:
    """A whole store, read through. `replaced`: texts that had a NUL."""

    tables: Mapping[str, Seen]
    sums: Sums
    replaced: int


def shared_columns(table: str, mine: Collection[str], theirs: Collection[str]) -> tuple[str, ...]:
    """The columns that are moved, in the source's order.

    Raises:
        ValueError: the source has one that has no place in the target: the two schemas do not fit.
    """
    homeless = [name for name in mine if name not in theirs and name not in OWN]
    if homeless or not mine:
        raise ValueError(f"{table}: no place for {', '.join(homeless) or 'it'}")
    return tuple(name for name in mine if name in theirs and name not in OWN)


def differences(source: Look, target: Look) -> list[str]:
    """What is not the same, each as a sentence; empty: nothing."""
    found = []
    for name, mine in source.tables.items():
        theirs = target.tables[name]
        if mine.rows != theirs.rows:
            found.append(f"{name}: {mine.rows:,} rows there, {theirs.rows:,} copied")
        elif mine.digest != theirs.digest:
            found.append(f"{name}: its rows are not the same")
    for what, here, there in (
        ("calls by state", source.sums.calls, target.sums.calls),
        ("holds by state", source.sums.holds, target.sums.holds),
        ("costs by state", source.sums.costs, target.sums.costs),
        ("counters", source.sums.counters, target.sums.counters),
        ("parts of answers by state", source.sums.sends, target.sums.sends),
        ("messages that wait", source.sums.waiting, target.sums.waiting),
    ):
        if here != there:
            found.append(f"{what}: {here} there, {there} copied")
    return found
