"""From one store into another.

    read ──pages──▶ put   each table in turn          nobody else has either store, or may write to it
    read through both     rows, digests, sums         ▶ the same: the target is kept;  else: nothing is

Rules: all is written in one transaction of the target, which is committed by whoever opened it, after this returned;
each store is read through by itself for the comparison, and what is streamed is counted by the store, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from runner.errors import StoreRefused
from runner.store.moving.tables import (
    TABLES,
    Look,
    Row,
    Seen,
    Sums,
    cleaned,
    differences,
    shared_columns,
)

Progress = Callable[[int, int], None]
"""Told how many rows are done, and how many there are: each is copied once and read back twice."""
_PASSES = 3


class Source(Protocol):
    """A store that is read, and that nobody writes to meanwhile."""

    async def columns(self, table: str) -> tuple[str, ...]:
        """A table's columns, those that the store makes by itself left out."""

    async def count(self, table: str) -> int:
        """Its rows."""

    def pages(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        """All its rows, in the order in which they came where there is one. To be closed by whoever reads."""

    async def last_numbers(self) -> Mapping[str, int]:
        """The highest number that was ever given, by table; such a number never comes again."""


class Target(Source, Protocol):
    """A store that is filled."""

    async def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows."""

    async def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """The next number of each table is higher than that."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What went over."""

    rows: Mapping[str, int]
    sums: Sums
    replaced: int


async def move(source: Source, target: Target, progress: Progress) -> Moved:
    """Copy everything and compare.

    Raises:
        StoreRefused: what was copied is not the same; the target must not be kept.
        StoreError: one of the two failed.
    """
    columns = await _columns(source, target)
    counts = {name: await source.count(name) for name in columns}
    told = _Told(progress, _PASSES * sum(counts.values()))
    for name, names in columns.items():
        async with aclosing(source.pages(name, names)) as pages:
            async for page in pages:
                rows, _ = cleaned(page)
                await target.put(name, names, rows)
                told.more(len(rows))
    await target.go_on_from(await source.last_numbers())
    here, there = await _look(source, columns, told), await _look(target, columns, told)
    found = differences(here, there)
    found += [
        f"{name}: {counts[name]:,} rows there, {seen.rows:,} read"
        for name, seen in here.tables.items()
        if counts[name] != seen.rows
    ]
    found += [
        f"{name}: {count:,} rows copied, {seen.rows:,} read back"
        for name, seen in there.tables.items()
        if (count := await target.count(name)) != seen.rows
    ]
    if found:
        raise StoreRefused(f"nothing was copied, for the copy is not the same: {'; '.join(found)}")
    return Moved({name: seen.rows for name, seen in there.tables.items()}, there.sums, here.replaced)


async def _columns(source: Source, target: Source) -> dict[str, tuple[str, ...]]:
    try:
        return {
            table.name: shared_columns(
                table.name, await source.columns(table.name), await target.columns(table.name)
            )
            for table in TABLES
        }
    except ValueError as error:
        raise StoreRefused(f"the two stores' schemas do not fit together: {error}") from None


async def _look(side: Source, columns: Mapping[str, tuple[str, ...]], told: _Told) -> Look:
    """Read all of it."""
    tables: dict[str, Seen] = {}
    sums, replaced = Sums(), 0
    for name, names in columns.items():
        seen = tables[name] = Seen()
        async with aclosing(side.pages(name, names)) as pages:
            async for page in pages:
                rows, bad = cleaned(page)
                replaced += bad
                seen.add(rows)
                sums.add(name, names, rows)
                told.more(len(rows))
    return Look(tables, sums, replaced)


class _Told:
    """How far it is."""

    def __init__(self, progress: Progress, whole: int) -> None:
        self._progress = progress
        self._whole = whole
        self._done = 0
        progress(0, whole)

    def more(self, rows: int) -> None:
        self._done += rows
        self._progress(self._done, self._whole)
