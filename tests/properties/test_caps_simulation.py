"""1,000 runs of 200 conversations at once against 5 USD: nothing over, all of it usable, nobody turned away for
money that was only held. And the same runs under other policies, which do overshoot: the simulation can fail.
"""

import runpy
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from runner.config.price_books import load_book
from runner.money.amounts import ZERO, Money, from_usd
from runner.money.budget import Busy, Counter, Decision, ScopeLimit, decide
from runner.money.prices import Price
from runner.money.reservation import ReservationState, resolve
from runner.testing.cap_policies import OTHERS, OURS, BoundFitWait, CapPolicy, Request
from runner.testing.cap_simulation import CapReport, Faults, Scenario, requests_of, simulate

CAP = from_usd("5.00")
SEEDS = 250
NO_FAULTS = Faults(0, 0, 0, 0, 0)


def price_of(provider: str, model: str) -> Price:
    price = load_book("default").find(provider, model)
    assert price is not None
    return price


HAIKU = price_of("anthropic", "claude-haiku-4-5")
REQUESTS = requests_of(HAIKU)


def runs(policy: CapPolicy, scenario: Scenario, seeds: range) -> list[CapReport]:
    return [simulate(policy, scenario, seed) for seed in seeds]


@pytest.mark.parametrize(
    ("provider", "model", "answers"),
    [
        ("anthropic", "claude-haiku-4-5", "at bound"),
        ("anthropic", "claude-haiku-4-5", "uniform"),
        ("anthropic", "claude-sonnet-4-6", "at bound"),
        ("gemini", "gemini-2.5-pro", "uniform"),
    ],
)
def test_not_a_pico_dollar_over(provider: str, model: str, answers: Literal["at bound", "uniform"]) -> None:
    price = price_of(provider, model)
    scenario = Scenario(price, requests_of(price), CAP, answers=answers)
    for report in runs(OURS, scenario, range(SEEDS)):
        assert report.overshoot == report.booked_overshoot == 0, report
        assert report.counter.held == 0, report
        assert report.used_percent >= 95, report
        assert report.false_limits == 0, report


@pytest.mark.parametrize("policy", OTHERS, ids=lambda policy: policy.name)
@pytest.mark.parametrize("faults", [Faults(), NO_FAULTS], ids=["faults", "no faults"])
def test_other_policies_do_overshoot(policy: CapPolicy, faults: Faults) -> None:
    scenario = Scenario(HAIKU, REQUESTS, CAP, faults=faults)
    reports = runs(policy, scenario, range(5))
    assert min(report.overshoot for report in reports) > CAP // 20
    assert all(report.policy == policy.name for report in reports)


@pytest.mark.parametrize("policy", OTHERS[1:], ids=lambda policy: policy.name)
def test_policies_that_hold_and_do_not_wait_turn_people_away(policy: CapPolicy) -> None:
    scenario = Scenario(HAIKU, REQUESTS, CAP, answers="uniform")
    assert min(report.false_limits for report in runs(policy, scenario, range(5))) > 0


@dataclass(frozen=True, slots=True)
class Forgetful(BoundFitWait):
    """Ours, but what failed is taken to be free."""

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        lost = then is ReservationState.UNKNOWN
        return resolve(counter, ReservationState.RELEASED if lost else then, held, cost)


def test_one_forgotten_rule_is_enough_to_overshoot() -> None:
    reports = runs(Forgetful(), Scenario(HAIKU, REQUESTS, CAP), range(5))
    assert min(report.overshoot for report in reports) > 0
    assert max(report.booked_overshoot for report in reports) == 0, "its own books look right all the same"


def test_one_at_a_time_nobody_waits() -> None:
    scenario = Scenario(HAIKU, REQUESTS, CAP, conversations=1, faults=NO_FAULTS)
    report = simulate(OURS, scenario, 1)
    assert report.gave_up == report.overshoot == 0
    assert report.billed == report.counter.settled
    assert report.used_percent == 99


def test_who_waits_has_patience_and_no_more() -> None:
    hasty = Scenario(HAIKU, REQUESTS, from_usd("0.10"), patience_ms=1_000)
    report = simulate(OURS, hasty, 1)
    assert report.gave_up > simulate(OURS, replace(hasty, patience_ms=300_000), 1).gave_up
    assert report.overshoot == 0


@dataclass(frozen=True, slots=True)
class Watched(BoundFitWait):
    """Ours, and what it was asked and said."""

    asked: list[tuple[Request, Decision]] = field(default_factory=list)

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        decision = decide(request.bound, [(ScopeLimit("bot", limit), counter)])
        self.asked.append((request, decision))
        return decision


def test_who_came_first_is_served_first() -> None:
    watched = Watched()
    scenario = Scenario(HAIKU, REQUESTS, from_usd("0.20"), patience_ms=10**9, faults=NO_FAULTS)
    assert simulate(watched, scenario, 1).gave_up == 0
    busy = [number for number, (_, decision) in enumerate(watched.asked) if isinstance(decision, Busy)]
    assert len(busy) > 10
    for number in busy:
        assert watched.asked[number + 1][0] is watched.asked[number][0], (
            "the one who waits is asked again first"
        )


def test_a_seed_is_a_run() -> None:
    scenario = Scenario(HAIKU, REQUESTS, CAP, conversations=20)
    assert simulate(OURS, scenario, 3) == simulate(OURS, scenario, 3)
    assert simulate(OURS, scenario, 3) != replace(simulate(OURS, scenario, 4), seed=3)


def test_a_cap_of_nothing_buys_nothing() -> None:
    scenario = Scenario(HAIKU, REQUESTS, Money(1), conversations=3)
    report = simulate(OURS, scenario, 1)
    assert (report.calls, report.billed, report.counter) == (0, ZERO, Counter())


def test_the_bench_prints_a_line_for_each_policy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Path(__file__).parents[2] / "bench/caps/simulate.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--seeds", "1", "--cap", "0.50"])
    runpy.run_path(str(script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    for at_once in (1, 50, 200):
        assert any(line.startswith(f"| {at_once} | {OURS.name} | 0.0 %") for line in lines)
        assert all(
            any(line.startswith(f"| {at_once} | {other.name} |") for line in lines) for other in OTHERS
        )
