"""The books as they should be, in the plainest arithmetic: no code of `runner.money` reckons here.

Rule: a counter is never kept, it is added up from the rows each time it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.money.budget import Busy, Counter, Exhausted, ScopeLimit
from runner.money.reservation import ReservationState
from runner.ports.books import Held, HoldRequest, HoldResult, Settlement

HELD, SETTLED, RELEASED, UNKNOWN = ReservationState
NOTHING = Counter()


@dataclass
class Row:
    """A ledger row; two figures of each kind: pico-dollars and tokens."""

    scopes: tuple[str, ...]
    state: ReservationState
    hold: tuple[int, int]
    stands: tuple[int, int]

    def in_scope(self, name: str) -> int:
        return self.stands[name.startswith("plan-tokens:")]


@dataclass
class Books:
    """Rows, what was paid in, and how far each scope may ever have gone.

    Attributes:
        ceilings: each limited scope's limit at its latest grant; what stands in it only shrinks until the next one,
            but for `excess`: what a provider or an operator said in between, above what had been held.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    ceilings: dict[str, int] = field(default_factory=dict)
    excess: dict[str, int] = field(default_factory=dict)

    def counter(self, name: str) -> Counter:
        return self.counters().get(name, NOTHING)

    def counters(self) -> dict[str, Counter]:
        sums: dict[str, dict[ReservationState, int]] = {}
        for row in self.rows.values():
            for name in row.scopes:
                of = sums.setdefault(name, dict.fromkeys(ReservationState, 0))
                of[row.state] += row.in_scope(name)
        return {name: Counter(of[SETTLED], of[UNKNOWN], of[HELD]) for name, of in sums.items()}

    def in_state(self, state: ReservationState) -> list[str]:
        """Attempts in that state; of the unknown ones those that were not corrected."""
        return [
            name
            for name, row in self.rows.items()
            if row.state is state
            and not name.endswith((".back", ".real"))
            and f"{name}.back" not in self.rows
        ]

    # ── holds ────────────────────────────────────────────────────────────────────────────────────────────
    def in_force(self, scopes: Sequence[ScopeLimit]) -> list[tuple[str, int | None]]:
        found = []
        for scope in scopes:
            limit = scope.limit
            if scope.funded:
                if limit is None and not self.paid:
                    continue
                limit = (limit or 0) + sum(self.paid.values())
            found.append((scope.name, limit))
        return found

    def held(self, request: HoldRequest, result: HoldResult) -> None:
        """Check one decision against the books as they were, and write it down."""
        now = self.counters()
        limited = [(name, limit) for name, limit in self.in_force(request.scopes) if limit is not None]
        least = needs(request, request.estimate.floor_tokens)
        exhausted = [n for n, limit in limited if now.get(n, NOTHING).gone + of_kind(least, n) > limit]
        busy = [n for n, limit in limited if now.get(n, NOTHING).taken + of_kind(least, n) > limit]
        match result:
            case Exhausted(scope, limit, gone):
                assert scope == exhausted[0]
                assert (limit, gone) == (dict(limited)[scope], now.get(scope, NOTHING).gone)
            case Busy(scope):
                assert exhausted == []
                assert scope == busy[0]
            case Held():
                assert busy == []
                self._grant(request, result, limited)

    def _grant(self, request: HoldRequest, held: Held, limited: list[tuple[str, int]]) -> None:
        wanted = request.estimate
        assert wanted.floor_tokens <= held.output_tokens <= wanted.output_tokens
        needed = needs(request, held.output_tokens)
        assert (held.amount, held.tokens) == needed
        more = needs(request, held.output_tokens + 1)
        now = self.counters()
        too_much = [n for n, limit in limited if now.get(n, NOTHING).taken + of_kind(more, n) > limit]
        assert held.output_tokens == wanted.output_tokens or too_much, "it is not shrunk without need"

        force = self.in_force(request.scopes)
        assert [(scope.name, scope.limit) for scope in held.scopes] == force
        self.rows[held.attempt_id] = Row(tuple(name for name, _ in force), HELD, needed, needed)
        now = self.counters()
        for name, limit in force:
            self.excess.pop(name, None)
            self.ceilings.pop(name, None)
            if limit is not None:
                assert now[name].taken <= limit
                self.ceilings[name] = limit

    # ── their ends ───────────────────────────────────────────────────────────────────────────────────────
    def ended(self, end: Settlement) -> None:
        used = (end.cost or 0, end.usage.input_tokens + end.usage.output_tokens)
        row = self.rows[end.attempt_id]
        if end.state is RELEASED:
            stands = (0, 0)
        elif end.state is SETTLED:
            stands = used
        else:
            stands = (used[0] or row.hold[0], used[1] or row.hold[1])
        self._exceed(row, stands)
        row.state, row.stands = end.state, stands

    def crashed(self) -> None:
        for name in self.in_state(HELD):
            self.rows[name].state = UNKNOWN

    def corrected(self, name: str, cost: int) -> None:
        row = self.rows[name]
        real = (cost, row.stands[1] if cost else 0)
        self._exceed(row, real)
        back = (-row.stands[0], -row.stands[1])
        self.rows[f"{name}.back"] = Row(row.scopes, UNKNOWN, (0, 0), back)
        self.rows[f"{name}.real"] = Row(row.scopes, SETTLED, (0, 0), real)

    def _exceed(self, row: Row, stands: tuple[int, int]) -> None:
        for name in row.scopes:
            more = of_kind(stands, name) - row.in_scope(name)
            self.excess[name] = self.excess.get(name, 0) + max(0, more)

    def check(self) -> None:
        """No scope is above what it was granted, but for what was said to have been dearer."""
        now = self.counters()
        for name, ceiling in self.ceilings.items():
            assert now[name].taken <= ceiling + self.excess.get(name, 0)


def needs(request: HoldRequest, output: int) -> tuple[int, int]:
    """What a call with that output limit takes: pico-dollars and tokens."""
    wanted = request.estimate
    whole, rest = divmod(output * wanted.output_rate, 1_000_000)
    return wanted.input_cost + whole + (rest > 0), wanted.input_tokens + output


def of_kind(figures: tuple[int, int], name: str) -> int:
    return figures[name.startswith("plan-tokens:")]
