"""Whether another attempt at a model call is worth its money. A decision as a value; nobody waits in here.

fault                                   again?
connect failure, 429, overloaded        up to 3 times, after the time asked for, else 0.25 s doubling
5xx, cut stream                         once: the first may have been paid
timeout                                 no: the message's time is over or nearly so
rejected (400, 401, 402, 403 …)         no: the same request is rejected again
answered without usage                  no: there is an answer
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.agent.wellformed import well_formed
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun

_ATTEMPTS = {
    FaultKind.CONNECT: 4,
    FaultKind.RATE_LIMITED: 4,
    FaultKind.OVERLOADED: 4,
    FaultKind.SERVER: 2,
    FaultKind.CUT: 2,
}
FIRST_WAIT_S = 0.25


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `wait_s` seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it; `why` may stand on a ledger row."""

    why: str


def after(outcome: NotRun | FateUnknown, attempt: int, remaining_s: float) -> Again | GiveUp:
    """Decide after the `attempt`-th attempt (from 1) with `remaining_s` seconds left for the message."""
    why = well_formed(outcome.why)
    if attempt >= _ATTEMPTS.get(outcome.kind, 1):
        return GiveUp(why)
    asked = outcome.retry_after_s if isinstance(outcome, NotRun) else None
    wait = FIRST_WAIT_S * 2 ** (attempt - 1) if asked is None else max(0.0, asked)
    if wait >= remaining_s:
        return GiveUp(f"{why}; no time left to try again")
    return Again(wait)
