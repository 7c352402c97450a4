"""What every store decides in the same way. Pure: values in, values out; a store reads before and writes after.

Rules: money is decided by `budget.decide` and reckoned by `reservation`, never by SQL; an amount that does not
fit a signed 64-bit column is refused, never wrapped; a step that a table does not have raises IllegalStep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, ZERO, Money
from runner.money.budget import Busy, Counter, Exhausted, Granted, Measure, ScopeLimit, decide
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState, charge, check_step, corrected, hold, resolve
from runner.money.scopes import measure_of
from runner.money.usage import NO_USAGE
from runner.ports.batches import FEATURE, Batch, BatchFigures, BatchLine, BatchState, attempt_id
from runner.ports.books import (
    GROUPINGS,
    Correction,
    Deposit,
    Held,
    HoldRequest,
    HoldResult,
    Settlement,
    UsageSum,
)
from runner.ports.mail import LEGAL_OUTBOX_STEPS, ConversationState, OutboxState, PreparedHead
from runner.ports.stores import Lease, StoreFigures

Counters = dict[str, Counter]

WHY_UNKNOWN = "the daemon stopped during the call"
WHY_AGAIN = "the daemon stopped during the send: sent again, possibly doubled"
MOST_CRASHES = 5
"""A part that so many starts found in `sending` is not sent again: something about it may be what crashes."""
LONGEST_POSTPONED_MS = 300_000
"""A message is put off by no more than this; one that waits longer was put off before the clock was set back."""
WHY_LEFT = f"the daemon stopped during the send, {MOST_CRASHES} times"


def turn_id(inbox_id: int) -> str:
    """The id of the turn that answers this message."""
    return f"t{inbox_id}"


def inbox_of(turn: str) -> int:
    """The message that a turn, or a part of it such as `t12.d1`, answers."""
    return int(turn.removeprefix("t").partition(".")[0])


def shares(limit: int, bots: int) -> list[int]:
    """How many lanes of each bot to look at, try after try, for `limit` in all.

    First a fair share; where that is not enough although a bot has more, ever more; at last all.
    """
    each = max(1, limit) if bots <= 1 else limit // bots + 1
    found = [each]
    while each < limit:
        each = min(4 * each, limit)
        found.append(each)
    return found


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────
def scope_names(scopes: Sequence[ScopeLimit]) -> tuple[str, ...]:
    """The names of a request's scopes.

    Raises:
        ValueError: one is named twice (it would be checked once and counted twice), or counts something else than
            its name says (it would be held in one measure and settled in another).
    """
    names = tuple(scope.name for scope in scopes)
    if len(set(names)) != len(names):
        raise ValueError(f"a scope is named twice in {names}")
    for scope in scopes:
        if scope.measure is not measure_of(scope.name):
            raise ValueError(f"the scope {scope.name} does not count {scope.measure}")
    return names


def check_deposit(deposit: Deposit, funds: Money | None) -> None:
    """Raise IllegalStep where nothing is paid in, StoreError where all of it together cannot be kept."""
    if deposit.amount <= 0:
        raise IllegalStep("what is paid in is more than 0")
    keepable((funds or 0) + deposit.amount)


def in_force(scopes: Sequence[ScopeLimit], funds: Money | None) -> tuple[ScopeLimit, ...]:
    """The scopes with the limits that hold now. `funds`: what was paid in; None: nothing ever was."""
    found = []
    for scope in scopes:
        if not scope.funded:
            found.append(scope)
        elif funds is not None or scope.limit is not None:
            found.append(replace(scope, limit=(funds or 0) + (scope.limit or 0)))
    return tuple(found)


def take(
    request: HoldRequest, scopes: Sequence[ScopeLimit], counters: Mapping[str, Counter]
) -> tuple[HoldResult, Counters]:
    """Decide a hold; the second value is what to write: the counters after it, empty where it is refused.

    `scopes` are the request's, in force.

    Raises:
        StoreError: an amount that cannot be kept.
    """
    known = [(scope, counters.get(scope.name, Counter())) for scope in scopes]
    decision = decide(request.estimate, known)
    if not isinstance(decision, Granted):
        return decision, {}
    keepable(decision.amount)
    sizes = {Measure.MONEY: decision.amount, Measure.TOKENS: decision.tokens}
    after = {scope.name: _keepable(hold(counter, sizes[scope.measure])) for scope, counter in known}
    held = Held(request.attempt.id, decision.output_tokens, decision.amount, decision.tokens, tuple(scopes))
    return held, after


def take_all(
    requests: Sequence[HoldRequest], scopes: Sequence[Sequence[ScopeLimit]], counters: Mapping[str, Counter]
) -> tuple[list[Held] | Busy | Exhausted, Counters]:
    """Decide holds that are granted all together or not at all, as `take` decides one; `scopes`: of each request.

    Busy: held by others; what all of them together can never have is Exhausted.

    Raises:
        StoreError: an amount that cannot be kept.
    """
    now = dict(counters)
    granted: list[Held] = []
    for request, in_force_now in zip(requests, scopes, strict=True):
        result, after = take(request, in_force_now, now)
        if isinstance(result, Busy):
            return _for_all(result, requests, scopes, counters), {}
        if isinstance(result, Exhausted):
            return result, {}
        granted.append(result)
        now |= after
    return granted, now


def _for_all(
    busy: Busy,
    requests: Sequence[HoldRequest],
    scopes: Sequence[Sequence[ScopeLimit]],
    counters: Mapping[str, Counter],
) -> Busy | Exhausted:
    """What one of many found busy: by others, or by its own neighbours, for whom there will never be room."""
    needed, limit = 0, 0
    for request, in_force_now in zip(requests, scopes, strict=True):
        for scope in in_force_now:
            if scope.name == busy.scope and scope.limit is not None:
                wanted, least, limit = request.estimate, request.estimate.floor_tokens, scope.limit
                by_money = scope.measure is Measure.MONEY
                needed += wanted.amount(least) if by_money else wanted.tokens(least)
    gone = counters.get(busy.scope, Counter()).gone
    return Exhausted(busy.scope, limit, gone) if limit - gone < needed else busy


@dataclass(frozen=True, slots=True)
class Hold:
    """A row's hold as stored."""

    state: ReservationState
    amount: Money
    tokens: int


@dataclass(frozen=True, slots=True)
class End:
    """How a hold has ended: what stands against its scopes from now on, and their counters to write."""

    amount: Money
    tokens: int
    counters: Counters


def end(now: Hold, settlement: Settlement, counters: Mapping[str, Counter]) -> End:
    """End a hold.

    Raises:
        IllegalStep: the hold has ended already, or the settlement does not end it.
        StoreError: an amount that cannot be kept.
    """
    then = settlement.state
    check_step(now.state, then)
    used = settlement.usage.total_tokens
    tokens = used if then is ReservationState.SETTLED else used or None
    parts = {
        Measure.MONEY: (int(now.amount), settlement.cost),
        Measure.TOKENS: (now.tokens, tokens),
    }
    amount = Money(charge(then, *parts[Measure.MONEY]))
    keepable(amount)
    after = {
        name: _keepable(resolve(counter, then, *parts[measure_of(name)]))
        for name, counter in counters.items()
    }
    return End(amount, charge(then, *parts[Measure.TOKENS]), after)


def correct(
    row: LedgerEntry, correction: Correction, counters: Mapping[str, Counter]
) -> tuple[tuple[LedgerEntry, ...], Counters]:
    """The rows that put an unknown one right, and the counters after them.

    Raises:
        IllegalStep: the row is not of unknown fate, or an amount that nothing can have cost.
    """
    if row.state is not ReservationState.UNKNOWN or row.corrects:
        raise IllegalStep(f"attempt {row.attempt.id} is {row.state}: only one of unknown fate is corrected")
    if correction.cost < 0:
        raise IllegalStep("nothing costs less than 0")
    keepable(correction.cost)
    tokens = row.tokens if correction.cost else 0
    plain = replace(
        row,
        hold=ZERO,
        hold_tokens=0,
        usage=NO_USAGE,
        latency_ms=0,
        corrects=row.attempt.id,
        why=correction.why,
    )
    back = replace(plain, attempt=_again(row, ".back", correction), cost=Money(-row.cost), tokens=-row.tokens)
    real = replace(
        plain,
        attempt=_again(row, ".real", correction),
        state=ReservationState.SETTLED,
        cost=correction.cost,
        tokens=tokens,
    )
    after = {
        name: _keepable(corrected(counter, row.stands(name), real.stands(name)))
        for name, counter in counters.items()
    }
    return (back, real), after


def _again(row: LedgerEntry, suffix: str, correction: Correction) -> Attempt:
    return replace(row.attempt, id=row.attempt.id + suffix, time_ms=correction.at_ms)


def keepable(amount: int) -> int:
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


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────
def check_new_batch(batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]) -> None:
    """Raise ValueError unless its lines are numbered from 1 and each has its hold; a refused batch has none."""
    wanted = [] if batch.state is BatchState.REFUSED else list(range(1, batch.lines + 1))
    ids = [attempt_id(batch.id, number) for number in wanted]
    whose = {(hold.attempt.feature, hold.attempt.turn) for hold in holds}
    if (
        batch.state not in (BatchState.HELD, BatchState.REFUSED)
        or [line.number for line in lines] != wanted
        or [hold.attempt.id for hold in holds] != ids
        or not whose <= {(FEATURE, batch.id)}
    ):
        raise ValueError(f"the lines of batch {batch.id} are not what is held for it")


def add_row(figures: BatchFigures, row: LedgerEntry) -> BatchFigures:
    """A batch's figures with one more row of its ledger. A correction is no line, but counts in the sums."""
    state, one = row.state, 0 if row.corrects else 1
    settled, unknown = state is ReservationState.SETTLED, state is ReservationState.UNKNOWN
    held = state is ReservationState.HELD
    return BatchFigures(
        open=figures.open + one * held,
        settled=figures.settled + one * settled,
        released=figures.released + one * (state is ReservationState.RELEASED),
        unknown=figures.unknown + one * unknown,
        held=Money(figures.held + held * row.cost),
        cost=Money(figures.cost + settled * row.cost),
        unknown_cost=Money(figures.unknown_cost + unknown * row.cost),
        usage=figures.usage + row.usage,
    )


# ── conversations ────────────────────────────────────────────────────────────────────────────────────────
def heads_after(now: ConversationState | None, then: ConversationState) -> tuple[str, PreparedHead | None]:
    """The head and the prepared head of a conversation after a turn that ends with `then`; `now`: as stored.

    A turn goes on with the head that is stored, takes the one that was prepared, or none. Any other was forgotten
    while the turn was on its way, and is not written again. A prepared head goes once the window begins there.
    """
    if now is None:
        return then.head, None
    prepared = now.prepared
    known = {"", now.head} if prepared is None else {"", now.head, prepared.text}
    head = then.head if then.head in known else now.head
    return head, None if prepared is None or then.first_seq >= prepared.first_seq else prepared


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


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────
def figures_of(
    waiting: Iterable[tuple[str, int, int]], outbox: Mapping[str, int], possibly_doubled: int
) -> StoreFigures:
    """A store's counts; `waiting`: of each bot how many messages, and when the oldest was accepted, Unix ms."""
    rows = list(waiting)
    return StoreFigures(
        waiting={bot: count for bot, count, _ in rows},
        outbox=outbox,
        possibly_doubled=possibly_doubled,
        oldest_ms={bot: at_ms for bot, _, at_ms in rows},
    )


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────
def check_groupings(by: Sequence[str]) -> None:
    """Raise ValueError for a grouping that there is not."""
    wrong = [name for name in by if name not in GROUPINGS]
    if wrong:
        raise ValueError(f"usage cannot be grouped by {', '.join(wrong)}; there is {', '.join(GROUPINGS)}")


def dearest_first(group: UsageSum) -> tuple[int, int, tuple[str, ...]]:
    """What usage is sorted by: cost, then what may have been spent, then the key's text."""
    return (-group.cost, -group.unknown, group.key)


def add_usage(one: UsageSum, other: UsageSum) -> UsageSum:
    """Two sums of one group as one."""
    return UsageSum(
        key=one.key,
        cost=Money(one.cost + other.cost),
        calls=one.calls + other.calls,
        retries=one.retries + other.retries,
        usage=one.usage + other.usage,
        unknown=Money(one.unknown + other.unknown),
    )
