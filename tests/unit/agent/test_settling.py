"""From what a provider did to what the ledger says."""

import pytest

from runner.agent.replies import PaidReply, step_from_json
from runner.agent.settling import settlement_of
from runner.conversations.models import ToolCall
from runner.money.amounts import Money
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import Held, Settlement
from runner.ports.dialogue import FinishReason, ModelReply
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.testing.scenes import a_price

ATTEMPT = Attempt(
    id="t1-1",
    time_ms=0,
    bot="bot",
    platform="fake",
    channel="chat",
    conversation="c1",
    user="ada",
    turn="t1",
    provider="fake",
    model="model-1",
    price_version="test",
    route="small",
    route_reason="short",
)
HELD = Held("t1-1", output_tokens=100, amount=Money(900))
REPLY = ModelReply("hello", (), FinishReason.END, "stop")


def settled(outcome: Outcome) -> tuple[Settlement, PaidReply | None]:
    return settlement_of(outcome, ATTEMPT, HELD, a_price(), step_number=3, latency_ms=42)


def test_completed_is_settled_at_its_usage_and_its_reply_goes_with_it() -> None:
    settlement, paid = settled(Completed(REPLY, Usage(50, 10), "req-1"))
    assert paid == PaidReply(REPLY, Usage(50, 10), Money(90), "fake", "model-1", "small", "short")
    assert settlement.step is not None
    assert settlement.step.number == 3
    assert step_from_json(settlement.step.payload) == paid
    assert (settlement.attempt_id, settlement.state) == ("t1-1", ReservationState.SETTLED)
    assert (settlement.cost, settlement.usage) == (90, Usage(50, 10))
    assert (settlement.request_id, settlement.stop_reason, settlement.latency_ms) == ("req-1", "stop", 42)


def test_the_provider_s_own_figure_goes_before_ours() -> None:
    settlement, paid = settled(Completed(REPLY, Usage(50, 10), charged=Money(7)))
    assert settlement.cost == 7
    assert paid is not None
    assert paid.cost == 7


def test_what_never_ran_is_released() -> None:
    settlement, paid = settled(NotRun(FaultKind.RATE_LIMITED, "too many", 429, request_id="r"))
    assert paid is None
    assert settlement == Settlement(
        "t1-1",
        ReservationState.RELEASED,
        request_id="r",
        stop_reason="rate_limited",
        latency_ms=42,
        why="too many",
    )


def test_what_may_have_run_keeps_its_hold() -> None:
    settlement, paid = settled(FateUnknown(FaultKind.SERVER, "HTTP 500"))
    assert paid is None
    assert (settlement.state, settlement.cost) == (ReservationState.UNKNOWN, None)
    assert (settlement.usage, settlement.why) == (NO_USAGE, "HTTP 500")


def test_a_cut_stream_costs_its_exact_input_and_all_of_the_output_bound() -> None:
    started = Usage(50, 3, cache_read_tokens=20, reasoning_tokens=2)
    settlement, paid = settled(FateUnknown(FaultKind.CUT, "cut", started=started))
    assert paid is None
    assert settlement.state is ReservationState.UNKNOWN
    assert settlement.usage == Usage(50, 100, cache_read_tokens=20)
    assert settlement.cost == 450


@pytest.mark.parametrize(("started", "cost"), [(None, 900), (Usage(50), 450)])
def test_an_answer_without_usage_is_used_and_costs_the_most_it_can_have(
    started: Usage | None, cost: int
) -> None:
    settlement, paid = settled(FateUnknown(FaultKind.NO_USAGE, "no usage", reply=REPLY, started=started))
    assert settlement.state is ReservationState.UNKNOWN
    assert paid is not None
    assert (paid.reply, paid.cost) == (REPLY, cost)
    assert settlement.step is not None


def test_a_reply_that_no_store_could_write_is_mended() -> None:
    """A stream may cut an emoji in two: each half alone is no Unicode text."""
    call = ToolCall("c", "look", '{"q": "\ud83d"}')
    reply = ModelReply("one \ud83d\ude00, half \ud83d, none \0.", (call,), FinishReason.TOOLS)
    _, paid = settled(Completed(reply, Usage(1, 1)))
    assert paid is not None
    assert paid.reply.text == "one 😀, half \ufffd, none \ufffd."
    assert paid.reply.tool_calls == (ToolCall("c", "look", '{"q": "\ufffd"}'),)
