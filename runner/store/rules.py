"""What every store decides in the same way. Pure: values in, values out; a store reads before and writes after.

Rules: money is decided by `budget.decide` and reckoned by `reservation`, never by SQL; an amount that does not
fit a signed 64-bit column is refused, never wrapped; a step that a table does not have raises IllegalStep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.budget import Counter, Granted, decide
from runner.money.reservation import ReservationState, charge, check_step, hold, resolve
from runner.ports.books import GROUPINGS, Held, HoldRequest, HoldResult, Settlement, UsageSum
from runner.ports.mail import LEGAL_OUTBOX_STEPS, OutboxState
from runner.ports.stores import Lease

Counters = dict[str, Counter]

WHY_UNKNOWN = "the daemon stopped during the call"
WHY_AGAIN = "the daemon stopped during the send: sent again, possibly doubled"
MOST_CRASHES = 5
"""A part that so many starts found in `sending` is not sent again: something about it may be what crashes."""
WHY_LEFT = f"the daemon stopped during the send, {MOST_CRASHES} times"


def turn_id(inbox_id: int) -> str:
    """The id of the turn that answers this message."""
    return f"t{inbox_id}"


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────
def scope_names(request: HoldRequest) -> tuple[str, ...]:
    """The scopes of a request.

    Raises:
        ValueError: one is named twice: it would be checked once and counted twice.
    """
    names = tuple(scope.name for scope in request.scopes)
    if len(set(names)) != len(names):
        raise ValueError(f"a scope is named twice in {names}")
    return names


def take(request: HoldRequest, counters: Mapping[str, Counter]) -> tuple[HoldResult, Counters]:
    """Decide a hold; the second value is what to write: the counters after it, empty where it is refused.

    Raises:
        StoreError: an amount that cannot be kept.
    """
    known = [(scope, counters.get(scope.name, Counter())) for scope in request.scopes]
    decision = decide(request.estimate, known)
    if not isinstance(decision, Granted):
        return decision, {}
    keepable(decision.amount)
    after = {scope.name: _keepable(hold(counter, decision.amount)) for scope, counter in known}
    return Held(request.attempt.id, decision.output_tokens, decision.amount), after


def end(
    now: ReservationState, held: Money, settlement: Settlement, counters: Mapping[str, Counter]
) -> tuple[Money, Counters]:
    """End a hold: what stands against its scopes from now on, and their counters to write.

    Raises:
        IllegalStep: the hold has ended already, or the settlement does not end it.
        StoreError: an amount that cannot be kept.
    """
    check_step(now, settlement.state)
    amount = charge(settlement.state, held, settlement.cost)
    keepable(amount)
    after = {
        name: _keepable(resolve(counter, settlement.state, held, settlement.cost))
        for name, counter in counters.items()
    }
    return amount, after


def keepable(amount: Money) -> Money:
    """The amount itself. Raises StoreError where it does not fit the column."""
    if abs(amount) > MAX_AMOUNT:
        raise StoreError(f"an amount of {amount} pico-dollars is more than can be kept")
    return amount


def _keepable(counter: Counter) -> Counter:
    keepable(counter.settled)
    keepable(counter.unknown)
    keepable(counter.held)
    return counter


def lost_hold(attempt_id: str) -> Settlement:
    """How a start ends a hold that it found: nobody knows whether the call ran."""
    return Settlement(attempt_id, ReservationState.UNKNOWN, why=WHY_UNKNOWN)


# ── outbox ───────────────────────────────────────────────────────────────────────────────────────────────
def first_tries(state: OutboxState) -> int:
    """How often a part has been tried that is stored in this state."""
    return 1 if state is OutboxState.SENDING else 0


def check_end_of_sending(now: OutboxState | None, then: OutboxState) -> None:
    """Raise IllegalStep unless a send (or a wait for one, by a rejection) may end so."""
    ends = now in (OutboxState.SENDING, OutboxState.PENDING) and then is not OutboxState.SENDING
    if now is None or not ends or then not in LEGAL_OUTBOX_STEPS[now]:
        raise IllegalStep(f"a part of a reply cannot go from {now} to {then}")


def check_resend(now: OutboxState | None) -> None:
    """Raise IllegalStep unless the part's fate is unknown."""
    if now is not OutboxState.UNKNOWN:
        raise IllegalStep(f"only a part of unknown fate is sent again by hand, this one is {now}")


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────
def next_lease(now: Lease | None, wanted: Lease, now_ms: int) -> Lease | None:
    """The lease after `wanted` (its epoch is ignored) was asked for; None while another holder's runs."""
    if now is None:
        return Lease(wanted.name, wanted.holder, 1, wanted.until_ms)
    if now.holder == wanted.holder:
        return Lease(wanted.name, wanted.holder, now.epoch, wanted.until_ms)
    if now.holder and now.until_ms > now_ms:
        return None
    return Lease(wanted.name, wanted.holder, now.epoch + 1, wanted.until_ms)


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────
def check_groupings(by: Sequence[str]) -> None:
    """Raise ValueError for a grouping that there is not."""
    wrong = [name for name in by if name not in GROUPINGS]
    if wrong:
        raise ValueError(f"usage cannot be grouped by {', '.join(wrong)}; there is {', '.join(GROUPINGS)}")


def dearest_first(group: UsageSum) -> tuple[int, int, tuple[str, ...]]:
    """What usage is sorted by: cost, then what may have been spent, then the key's text."""
    return (-group.cost, -group.unknown, group.key)
