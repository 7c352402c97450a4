"""docs/scaling.md says what the code does: its numbers, its names, and where it leads."""

import re

import pytest

from bench.fleet.settings import MEASURED, Habits
from runner.dispatch.lanes import FLEET_LOOK_S, MAX_LANES
from runner.store.postgres.connection import OLDEST_SERVER, TALKATIVE
from runner.store.postgres.desk import CONNECTIONS
from runner.store.postgres.fleet import NEIGHBOURS
from runner.store.postgres.store import REPORTS, WRITERS
from runner.telemetry import metric_names
from tests.guards.tree import ROOT

PAGE = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
SHIPPED = dict(TALKATIVE)
"""As the code has it: tests with a real server change it while they run."""
NAMES = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def test_each_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_each_anchor_is_a_headline() -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]+\.md)#([\w-]+)\)", PAGE):
        text = (ROOT / "docs" / target).read_text(encoding="utf-8")
        headlines = {
            re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert anchor in headlines, f"{target}#{anchor}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bbotrunner_[a-z_]+", PAGE))))
def test_each_metric_is_told(name: str) -> None:
    assert f"`{name}`" in NAMES
    assert metric_names.__doc__


def test_its_connections_are_those_of_a_daemon() -> None:
    assert 1 + WRITERS + CONNECTIONS + REPORTS == Habits().connections == 9
    assert (
        f"up to nine: {_word(WRITERS)} that write, one that says it is alive, up to {_word(CONNECTIONS)}"
        in PAGE
    )
    assert f"{_word(REPORTS)} more while reports are read" in PAGE
    assert f"PostgreSQL {OLDEST_SERVER[0]} or newer" in PAGE


def test_the_simulation_has_the_habits_of_a_daemon() -> None:
    habits = Habits()
    assert (habits.sessions, habits.lanes) == (WRITERS, MAX_LANES)
    assert (habits.look, habits.neighbours) == (FLEET_LOOK_S, NEIGHBOURS)


def test_its_time_outs_are_those_of_the_sessions() -> None:
    silent, stuck = SHIPPED["idle_session_timeout"], SHIPPED["idle_in_transaction_session_timeout"]
    assert (
        f"silent sessions after {silent.removesuffix('s')} s, {stuck.removesuffix('s')} s in a transaction"
        in PAGE
    )


def test_its_memory_is_what_was_measured() -> None:
    assert f"up to {MEASURED.backend_mib:.0f} MiB a session" in PAGE


def _word(number: int) -> str:
    return {2: "two", 4: "four"}[number]
