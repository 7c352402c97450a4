"""bench workflow runs: the real daemon answers both ways, the books agree, and the workflow keeps its promise."""

import json

import pytest

from bench.workflow.__main__ import PROMISED, broken_promises, main
from bench.workflow.shop import interactions
from bench.workflow.trial import Figures
from runner.money.amounts import Money
from runner.money.usage import Usage

pytestmark = [pytest.mark.e2e]


def test_both_ways_are_played_and_the_workflow_is_cheaper(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--interactions", "5", "--model", "anthropic/claude-sonnet-4-6", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["broken"] == []
    agent, workflow, small = told["runs"]
    assert [run["bot"] for run in told["runs"]] == ["agent", "workflow", "small_first"]
    assert agent["calls"] > workflow["calls"] == small["calls"] == 10
    assert agent["usage"]["input_tokens"] > 2 * workflow["usage"]["input_tokens"]
    assert small["cheaper"] > workflow["cheaper"] > PROMISED


def test_a_workflow_that_saves_too_little_is_told() -> None:
    agent = Figures("agent", "m/m", 1, 2, Usage(), Money(100))
    good, bad = (Figures("workflow", "m/m", 1, 2, Usage(), Money(cost)) for cost in (70, 71))
    assert broken_promises([agent, good]) == []
    assert broken_promises([agent, bad]) == ["m/m: workflow is 29% cheaper; promised: 30%"]


def test_interactions_are_equal_for_equal_seeds_and_of_both_kinds() -> None:
    assert interactions(3, 20) == interactions(3, 20) != interactions(4, 20)
    assert {one.wants for one in interactions(1, 20)} == {"refund", "status"}
    assert all(one.number in one.message and one.number in one.answer for one in interactions(1, 20))
