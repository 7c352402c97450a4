"""What is asked of the meter, and what comes back. A refusal is a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.agent.replies import PaidReply
from runner.bots import Secret
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.ports.dialogue import ModelRequest
from runner.ports.listener import Listener

ScopesOf = Callable[[Attempt], tuple[ScopeLimit, ...]]
"""What a call is held against, with the limits as they are at that moment."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One step's call.

    Attributes:
        about: the ledger row as far as it is known; id, time, model, price and number are filled in here.
        scopes: what such a call is held against; asked anew at each try, so that a raised cap holds at once.
        deadline: `clock.monotonic()` at which the message's time is over.
        attempts_used: ledger rows that this turn has already.
        step_number: under which number the reply is stored; None: it is not a step of a turn, and is not stored.
        listener: hears the answer while it comes.
        patient: whether a busy or broken model is tried again; not where another one stands ready.
    """

    request: ModelRequest
    about: Attempt
    scopes: ScopesOf
    deadline: float
    attempts_used: int
    step_number: int | None
    key: Secret | None = None
    patient: bool = True
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """The model answered; it is paid, and stored where it is a step."""

    paid: PaidReply
    attempts_used: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No model was called. `limit`: reached for good; else busy: held by others until the time was over."""

    scope: str
    limit: bool
    attempts_used: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer could be had.

    Attributes:
        timed_out: the message's time is over.
        elsewhere: another model may well answer: this one is busy, broken or out of reach.
    """

    why: str
    attempts_used: int
    timed_out: bool = False
    unpriced: bool = False
    elsewhere: bool = False


MeterResult = Metered | Refused | Failed
