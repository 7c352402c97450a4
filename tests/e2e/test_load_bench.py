"""The load bench runs: each of its subjects answers on its stage, and every figure of the tables is made."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench.load.measures import Figures
from bench.load.rounds import Load, one_bot
from bench.load.stage import Stage
from bench.load.subjects import BOTRUNNER, FLOOR, SCRIPT, Ended, Subject, running
from bench.load.tables import MEASURES, subjects_table

LITTLE = Load(users=3, messages=6, slow_s=0.05, paced=2, every_s=0.01, slow_users=2, slow_each=1)


async def figures_of(subject: Subject) -> Figures:
    async with Stage() as stage:
        return await one_bot(subject, stage, "42:abcdefgh", LITTLE)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("subject", [BOTRUNNER, SCRIPT, FLOOR], ids=lambda subject: subject.name)
async def test_each_subject_plays_the_whole_round(subject: Subject) -> None:
    figures = await figures_of(subject)

    assert set(figures) == {measure.key for measure in MEASURES}
    assert figures["start_s"] > 0
    assert figures["cpu_ms"] > 0
    assert figures["rss_idle"] > 10


async def test_a_subject_that_ends_ends_its_round() -> None:
    def fails(_: Stage, __: Sequence[str], ___: Path) -> tuple[list[str], Mapping[str, str]]:
        return ["-c", "raise SystemExit(3)"], {}

    with pytest.RaisesGroup(pytest.RaisesExc(Ended, match="ended with 3")):
        async with Stage() as stage, running(Subject("failing", fails), stage, []):
            await asyncio.Event().wait()


def test_the_table_has_a_row_for_each_measure() -> None:
    even = {measure.key: 2.0 for measure in MEASURES}

    table = subjects_table({"botrunner": even, "script": even, "floor": even})

    assert table.row_count == len(MEASURES)
    assert {*table.columns[3].cells} == {"1.00"}
