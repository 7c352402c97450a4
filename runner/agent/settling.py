"""From what a provider did to what the ledger says. Pure.

Completed                       settled at its usage (or at the provider's own figure, where it names one)
NotRun                          released
FateUnknown                     unknown, the whole hold
FateUnknown, start was seen     unknown, exact input and the full output bound
FateUnknown with a whole reply  unknown, the whole hold; the reply is used all the same
"""

from __future__ import annotations

from dataclasses import replace

from runner.agent.replies import PaidReply, step_to_json
from runner.agent.wellformed import well_formed, well_formed_reply
from runner.money.amounts import Money
from runner.money.ledger import Attempt
from runner.money.prices import Price
from runner.money.reservation import ReservationState, charge
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import Held, Settlement
from runner.ports.dialogue import ModelReply
from runner.ports.mail import StoredStep
from runner.ports.outcomes import Completed, FateUnknown, NotRun, Outcome


def settlement_of(
    outcome: Outcome, attempt: Attempt, held: Held, price: Price, step_number: int | None, latency_ms: int
) -> tuple[Settlement, PaidReply | None]:
    """The settlement of one attempt, and its reply where it has one that can be used.

    `step_number`: under which number the reply is stored with it; None: it is not.
    """
    released = ReservationState.RELEASED
    plain = Settlement(
        attempt.id, released, request_id=well_formed(outcome.request_id), latency_ms=latency_ms
    )
    match outcome:
        case NotRun():
            return replace(plain, stop_reason=outcome.kind, why=well_formed(outcome.why)), None
        case Completed():
            cost = price.cost(outcome.usage) if outcome.charged is None else outcome.charged
            settled = replace(
                plain,
                state=ReservationState.SETTLED,
                cost=cost,
                usage=outcome.usage,
                stop_reason=well_formed(outcome.reply.finish_detail) or outcome.reply.finish,
            )
            return _with_reply(settled, outcome.reply, attempt, cost, outcome.usage, step_number)
        case FateUnknown():
            return _unknown(
                replace(plain, why=well_formed(outcome.why)), outcome, attempt, held, price, step_number
            )


def _unknown(
    plain: Settlement,
    outcome: FateUnknown,
    attempt: Attempt,
    held: Held,
    price: Price,
    step_number: int | None,
) -> tuple[Settlement, PaidReply | None]:
    usage, cost = NO_USAGE, None
    if outcome.started is not None:
        usage = replace(outcome.started, output_tokens=held.output_tokens, reasoning_tokens=0)
        cost = price.cost(usage)
    unknown = replace(plain, state=ReservationState.UNKNOWN, cost=cost, usage=usage, stop_reason=outcome.kind)
    if outcome.reply is None:
        return unknown, None
    charged = Money(charge(ReservationState.UNKNOWN, held.amount, cost))
    return _with_reply(unknown, outcome.reply, attempt, charged, usage, step_number)


def _with_reply(
    settlement: Settlement,
    reply: ModelReply,
    attempt: Attempt,
    cost: Money,
    usage: Usage,
    step_number: int | None,
) -> tuple[Settlement, PaidReply]:
    reply = well_formed_reply(reply)
    paid = PaidReply(
        reply,
        usage,
        cost,
        attempt.provider,
        attempt.model,
        attempt.route,
        attempt.route_reason,
        attempt.feature,
    )
    if step_number is None:
        return settlement, paid
    return replace(settlement, step=StoredStep(step_number, step_to_json(paid))), paid
