"""Which faults are worth another attempt."""

import pytest

from runner.agent.retry import Again, GiveUp, after
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun


def waits(kind: FaultKind, asked: float | None = None) -> list[float]:
    """How long is waited after each attempt, until it is given up."""
    found: list[float] = []
    for attempt in range(1, 20):
        outcome = NotRun(kind, "why", retry_after_s=asked)
        decision = after(outcome, attempt, remaining_s=1000.0)
        if isinstance(decision, GiveUp):
            return found
        found.append(decision.wait_s)
    raise AssertionError("it never gives up")


@pytest.mark.parametrize("kind", [FaultKind.CONNECT, FaultKind.RATE_LIMITED, FaultKind.OVERLOADED])
def test_what_never_ran_is_tried_three_times_more(kind: FaultKind) -> None:
    assert waits(kind) == [0.25, 0.5, 1.0]


def test_the_time_asked_for_is_kept() -> None:
    assert waits(FaultKind.RATE_LIMITED, asked=7.0) == [7.0] * 3
    assert waits(FaultKind.RATE_LIMITED, asked=-1.0) == [0.0] * 3


@pytest.mark.parametrize("kind", [FaultKind.SERVER, FaultKind.CUT])
def test_what_may_have_been_paid_is_tried_once_more(kind: FaultKind) -> None:
    assert after(FateUnknown(kind, "why"), 1, 30.0) == Again(0.25)
    assert after(FateUnknown(kind, "why"), 2, 30.0) == GiveUp("why")


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.REJECTED, FaultKind.NO_USAGE, FaultKind.CRASH])
def test_the_rest_is_not_tried_again(kind: FaultKind) -> None:
    assert after(FateUnknown(kind, "why"), 1, 30.0) == GiveUp("why")


def test_every_fault_has_its_line() -> None:
    assert len(FaultKind) == 9, "a new kind of fault: does it deserve another attempt?"


@pytest.mark.parametrize(("remaining_s", "again"), [(5.1, True), (5.0, False), (0.0, False), (-3.0, False)])
def test_nobody_waits_longer_than_the_message_has(remaining_s: float, *, again: bool) -> None:
    decision = after(NotRun(FaultKind.RATE_LIMITED, "too many", retry_after_s=5.0), 1, remaining_s)
    assert isinstance(decision, Again) is again
    if isinstance(decision, GiveUp):
        assert decision.why == "too many; no time left to try again"


def test_a_reason_can_be_written_down() -> None:
    """It becomes the route's reason on the next model's row; what a server says need not be Unicode."""
    assert after(NotRun(FaultKind.REJECTED, "bad \ud83d"), 1, 30.0) == GiveUp("bad \ufffd")
