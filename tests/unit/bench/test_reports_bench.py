"""The reports bench writes a year and asks it; an answer that the ledger does not give is an error."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.progress import Progress

from bench.reports.__main__ import ask
from bench.reports.making import DAYS, FIRST_DAY, MS_PER_DAY, calls, make


def test_the_rows_fill_the_year() -> None:
    moments = [int(str(row[1])) for row in calls(3000)]
    assert moments == sorted(moments)
    assert {moment // MS_PER_DAY - FIRST_DAY for moment in moments} == set(range(DAYS))


async def test_each_question_is_answered_as_by_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "year.db"
    told: list[int] = []
    made = make(path, 3000, told.append)
    assert sum(told) == 3000
    assert made.size == path.stat().st_size
    with Progress(disable=True) as progress:
        figures = await ask(path, 1, progress)
        assert {figure.ms > 0 for figure in figures} == {True}
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE usage_days SET cost = cost + 1")
            connection.commit()
        with pytest.raises(ValueError, match="not the sums of the rows"):
            await ask(path, 1, progress)
