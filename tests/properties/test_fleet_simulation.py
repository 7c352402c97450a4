"""Fleets in virtual time, with daemons that die and hang: no cap is passed, each message is done once and in its
order, each reply is sent; and with any one of the rules left out that is seen: the simulation can fail.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.fleet.__main__ import main, read_costs
from bench.fleet.database import background
from bench.fleet.fleet import run
from bench.fleet.settings import MEASURED, Faults, Flaw, Habits, Kind, Scenario, Server
from bench.fleet.tables import crowded, small, stormy

SEEDS = int(os.environ.get("BOTRUNNER_FLEETS", "60"))
SERVER = Server(cores=8)
LIGHT = replace(MEASURED, first=dict.fromkeys(Kind, 0.00003))
"""Statements cost next to nothing, so that what they wait for shows."""


@pytest.mark.parametrize("kind", [small, stormy])
def test_whatever_dies_nothing_is_lost_doubled_or_overspent(kind: object) -> None:
    assert callable(kind)
    doubled = refused = 0
    for seed in range(SEEDS):
        found = run(kind(seed), seed)
        assert found.faults == (), f"seed {seed}"
        doubled, refused = doubled + found.doubled, refused + found.refused
    assert doubled > 0, "nobody died at a bad moment: the runs are too kind"
    assert refused > 0, "no cap was reached: the runs are too kind"


@pytest.mark.parametrize("flaw", list(Flaw), ids=lambda flaw: str(flaw.name).lower())
def test_a_rule_left_out_is_seen(flaw: Flaw) -> None:
    assert any(run(stormy(seed, flaw), seed).faults for seed in range(40))


def test_a_seed_is_a_run() -> None:
    assert run(stormy(5), 5) == run(stormy(5), 5)
    assert run(stormy(5), 5) != run(stormy(5), 6)


def test_without_faults_each_message_is_asked_about_once() -> None:
    scenario = Scenario(
        messages=300, conversations=40, rate=200.0, faults=Faults(doubled=0, rejected=0, unknown=0)
    )
    found = run(scenario, 1)
    assert (found.calls, found.doubled, found.refused, found.faults) == (300, 0, 0, ())


def test_a_cap_is_used_up_and_then_everybody_is_told_so() -> None:
    scenario = Scenario(messages=400, conversations=50, rate=300.0, cap=50 * 10**9, call=(0.0, 0.1))
    found = run(scenario, 2)
    assert found.faults == ()
    assert 0 < found.refused < 400


def test_one_hot_bot_is_held_up_by_its_row_and_many_bots_are_not() -> None:
    daemons = 8
    hot = run(crowded(daemons, 1, LIGHT, SERVER, Habits(), 1500), 1)
    many = run(crowded(daemons, 100, LIGHT, SERVER, Habits(), 1500), 1)
    assert hot.row > 0.5 > many.row
    assert many.rate > hot.rate
    assert hot.batch > 2 * many.batch, "whoever waits for the row waits with more and more others"


def test_a_slow_disk_is_shared_by_whoever_commits() -> None:
    slow = replace(LIGHT, fsync=0.005)
    scenario = crowded(4, 100, slow, SERVER, Habits(), 1500)
    found = run(scenario, 1)
    assert found.rate > 2 * found.flushes, "one by one there would be a flush for each of some five commits"


def test_who_gathers_for_a_moment_asks_less_of_the_database() -> None:
    plain, gathering = (
        run(crowded(4, 100, MEASURED, SERVER, Habits(gather=wait), 1500), 1) for wait in (0.0, 0.005)
    )
    assert gathering.batch > plain.batch
    assert gathering.faults == plain.faults == ()


def test_a_full_table_of_locks_delays_and_loses_nothing() -> None:
    tight = Server(connections=20, locks=1)
    found = run(Scenario(messages=400, conversations=400, at_once=200, call=(0.05, 0.2), server=tight), 3)
    assert found.refused_locks > 0
    assert found.most_locks <= tight.lock_table
    assert found.faults == ()


def test_habits_grow_with_the_square_of_the_daemons() -> None:
    one, ten = (background(MEASURED, Habits(), daemons, 100 * daemons) for daemons in (100, 1000))
    assert ten > 20 * one
    calm = background(MEASURED, Habits(scale_looks=16), 1000, 100_000)
    assert calm < ten / 5


def test_the_bench_prints_its_tables_and_exits_by_its_checks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    costs = tmp_path / "costs.json"
    costs.write_text('{"fsync": 0.001, "rows": {"hold": 0.0001}}')
    with pytest.raises(SystemExit) as ended:
        main(["--quick", "--costs", str(costs)])
    assert ended.value.code is False
    printed = capsys.readouterr().out
    for title in ("one hot bot", "100 bots", "what it asks for"):
        assert f"**{title}" in printed
    assert printed.count("\n| 4 | ") == 3


def test_many_seeds_and_flaws_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--seeds", "12"], ["--flaws"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code is False
    printed = capsys.readouterr().out
    assert printed.startswith("12 runs, ")
    assert " 0 runs with a fault" in printed
    assert printed.count(": seen in ") == len(Flaw)


def test_costs_are_read_over_those_that_were_measured(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text('{"fsync": 0.001, "rows": {"hold": 0.5}}')
    costs = read_costs(file)
    assert (costs.fsync, costs.rows[Kind.HOLD]) == (0.001, 0.5)
    assert (costs.trip, costs.rows[Kind.SETTLE]) == (MEASURED.trip, MEASURED.rows[Kind.SETTLE])
