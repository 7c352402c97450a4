"""The load bench runs: each of its subjects answers on its stage, and every figure of the tables is made."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bench.load.__main__ import main, plan_of
from bench.load.rounds import Load, one_bot
from bench.load.stage import Stage, Taken
from bench.load.subjects import BOTRUNNER, FLOOR, SCRIPT, Ended, Subject, running, subjects_on
from bench.load.tables import MEASURES, mixed_table, platforms_table, subjects_table
from bench.load.venues import PLATFORMS

LITTLE = Load(users=3, messages=6, slow_s=0.05, paced=2, every_s=0.01, slow_users=2, slow_each=1)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("subject", [BOTRUNNER, SCRIPT, FLOOR], ids=lambda subject: subject.name)
async def test_each_subject_plays_the_whole_round(subject: Subject) -> None:
    figures = await one_bot(subject, "telegram", LITTLE)

    assert set(figures) == {measure.key for measure in MEASURES}
    assert figures["start_s"] > 0
    assert figures["cpu_ms"] > 0
    assert figures["rss_idle"] > 10


@pytest.mark.e2e
@pytest.mark.slow
async def test_the_floor_of_each_other_platform_plays_the_whole_round() -> None:
    others = PLATFORMS[1:]

    rounds = await asyncio.gather(*(one_bot(FLOOR, platform, LITTLE) for platform in others))

    for figures in rounds:
        assert set(figures) == {measure.key for measure in MEASURES}
        assert figures["rate"] > 0


@pytest.mark.e2e
@pytest.mark.slow
def test_bots_of_all_platforms_in_one_daemon_are_there_and_answer(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--mixed", str(len(PLATFORMS)), "--quick"])

    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [row[1] for row in rows] == [str(len(PLATFORMS))]


def test_one_of_each_platform_is_the_least_of_a_mixture(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--mixed", "4"])

    assert "--mixed: at least 5" in capsys.readouterr().err


def test_each_platform_has_a_row_beside_each_other_subject() -> None:
    even = {measure.key: 2.0 for measure in MEASURES}
    names = [f"{platform}/{one.name}" for platform in PLATFORMS for one in subjects_on(platform)]

    table = platforms_table(dict.fromkeys(names, even), PLATFORMS)

    assert list(table.columns[0].cells) == ["telegram", *PLATFORMS]
    assert list(table.columns[1].cells) == ["script", *["floor"] * len(PLATFORMS)]
    assert {*table.columns[3].cells} == {"2.00 / 2.00 = 1.00"}


def test_what_a_further_bot_takes_is_counted_from_one_of_each() -> None:
    few = {"rss_joined": 90.0, "rss_idle": 91.0, "all_joined_s": 1.0, "idle_cpu_percent": 0.1}

    table = mixed_table({"mixed/5": few, "mixed/100": {**few, "rss_joined": 99.5}, "slack/9": few})

    assert list(table.columns[0].cells) == ["5", "100"]
    assert list(table.columns[3].cells) == ["", "102"]


def test_a_plan_has_a_round_for_each_subject_and_each_crowd() -> None:
    assert list(plan_of("slack", LITTLE, [1, 20])) == ["slack/botrunner", "slack/floor", "slack/20"]
    assert list(plan_of("telegram", LITTLE, [5])) == ["telegram/5"]


async def test_a_subject_that_ends_ends_its_round() -> None:
    def fails(_: Stage, __: Sequence[Taken], ___: Path) -> tuple[list[str], Mapping[str, str]]:
        return ["-c", "raise SystemExit(3)"], {}

    with pytest.RaisesGroup(pytest.RaisesExc(Ended, match="ended with 3")):
        async with Stage() as stage, running(Subject("failing", fails), stage, []):
            await asyncio.Event().wait()


@pytest.mark.parametrize(("platform", "ratio_column"), [("telegram", 3), ("discord", 2)])
def test_the_table_has_a_row_for_each_measure(platform: str, ratio_column: int) -> None:
    even = {measure.key: 2.0 for measure in MEASURES}

    table = subjects_table({f"{platform}/{one.name}": even for one in subjects_on(platform)}, platform)

    assert table.row_count == len(MEASURES)
    assert {*table.columns[ratio_column].cells} == {"1.00"}
