"""`bench` finds the benchmarks of a checkout and hands them their options."""

import sys

import pytest

from tests.unit.cli.desk import Desk


def test_a_benchmark_gets_what_stands_behind_its_name(desk: Desk) -> None:
    desk.monkeypatch.setattr(sys, "argv", ["botrunner"])

    outcome = desk.type("bench", "caps", "--seeds", "1", "--cap", "0.50")

    assert outcome.code == 0
    assert "cap 0.5 USD, 1 seeds" in outcome.out.replace("0.50", "0.5")
    assert "| bound + fit + wait | 0.0 % |" in outcome.out


def test_an_option_that_it_does_not_have_is_a_usage_error(desk: Desk) -> None:
    desk.monkeypatch.setattr(sys, "argv", ["botrunner"])

    assert desk.type("bench", "caps", "--sedes", "1").code == 2


@pytest.mark.parametrize("name", ["cap", ""])
def test_a_benchmark_that_there_is_not_is_a_usage_error(desk: Desk, name: str) -> None:
    assert desk.type("bench", name).code == 2


def test_outside_a_checkout_it_says_where_they_are(desk: Desk) -> None:
    desk.monkeypatch.setattr("runner.cli.bench.find_spec", lambda _: None)

    outcome = desk.type("bench", "load")

    assert outcome.code == 1
    assert "from a checkout" in outcome.err
