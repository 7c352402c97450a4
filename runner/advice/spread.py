"""How many answers had how many tokens, in little memory. Pure.

    up to 1,024 tokens each number is counted by itself; above, in steps of a five-hundredth at most:
    ... 1022 1023 1024 | 1026 1028 ... 2048 | 2052 2056 ... 4096 | ...        each step's upper edge is told

Rules: a percentile is the upper edge of its step, so it is never told smaller than it is; what stands above a limit
is counted only where its whole step does. At multiples of 256 steps end, up to 262,144 tokens: there all is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

_FINE_BITS = 10


@dataclass(slots=True)
class _Step:
    """Answers of about one length. `rates`: of output, added up; `worth`: tokens x rate, added up."""

    answers: int = 0
    rates: int = 0
    worth: int = 0


class Spread:
    """Counts answers by their output tokens."""

    def __init__(self) -> None:
        self._steps: dict[int, _Step] = {}
        self.answers = 0
        self.largest = 0

    def add(self, tokens: int, rate: int) -> None:
        """One answer; `rate`: of its output, in pico-dollars per million tokens."""
        step = self._steps.setdefault(_edge(tokens), _Step())
        step.answers += 1
        step.rates += rate
        step.worth += tokens * rate
        self.answers += 1
        self.largest = max(self.largest, tokens)

    def percentile(self, percent: int) -> int:
        """So many percent of the answers have at most that many tokens; 0 where there are none."""
        wanted, seen = self.answers * percent, 0
        for edge in sorted(self._steps):
            seen += self._steps[edge].answers
            if seen * 100 >= wanted:
                return min(edge, self.largest)
        return 0

    def above(self, limit: int) -> tuple[int, int]:
        """How many answers have more tokens than that, and what the tokens beyond it cost x 10^6."""
        beyond = [step for edge, step in self._steps.items() if _low(edge) >= limit]
        return sum(step.answers for step in beyond), sum(step.worth - limit * step.rates for step in beyond)


def _shift(tokens: int) -> int:
    return max(0, (tokens - 1).bit_length() - _FINE_BITS) if tokens else 0


def _edge(tokens: int) -> int:
    """The upper edge of the step that so many tokens are in."""
    shift = _shift(tokens)
    return -(-tokens >> shift) << shift


def _low(edge: int) -> int:
    """One token less than the shortest answer of that step has."""
    return edge - (1 << _shift(edge))
