"""Speech of one message written down, before its loop begins.

    recording ─▶ remembered from an earlier try | meter ─▶ text

Rules: it is a call like any other: held in all scopes before a byte leaves, stored with its payment. A message
has one recording that is written down; its text is the first step of the turn, so that a turn begun again does
not pay for it twice. Where an earlier try went on without the text, this one does too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.asks import Ask, Failed, Refused, ScopesOf
from runner.agent.meter import Meter
from runner.agent.replies import PaidReply, Step
from runner.bots import ModelChoice, Secret
from runner.conversations.recordings import Recording
from runner.money.ledger import Attempt
from runner.ports.books import MoneyStore
from runner.ports.dialogue import ModelRequest, StopReason

FEATURE = "transcribe"
"""What the ledger calls it."""
_ANY_LIMIT = 1
"""Of output: a row that is priced by the second has none."""


@dataclass(frozen=True, slots=True)
class Listening:
    """For whom speech is written down, and by whom.

    Attributes:
        choice: the model that does it; None: nobody does, but what an earlier try paid for is remembered.
        about: the ledger row as far as it is known.
        done: all steps that an earlier try of the turn has stored, in order.
        deadline: `clock.monotonic()` at which the message's time is over.
    """

    choice: ModelChoice | None
    about: Attempt
    scopes: ScopesOf
    deadline: float
    done: tuple[Step, ...]
    attempts_used: int
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Unheard:
    """There is no text. `stop`: the turn ends with it (money or time); None: it goes on without."""

    why: str
    stop: StopReason | None = None


class Ear:
    """Hears the recording of one turn.

    Attributes:
        paid: what was heard, once something was, now or in an earlier try.
        attempts_used: ledger rows that the turn has by now.
    """

    __slots__ = ("_listening", "_meter", "_session", "attempts_used", "paid")

    def __init__(self, meter: Meter, listening: Listening, session: MoneyStore) -> None:
        self._meter = meter
        self._listening = listening
        self._session = session
        self.attempts_used = listening.attempts_used
        first = listening.done[0] if listening.done else None
        self.paid = first if isinstance(first, PaidReply) and first.feature == FEATURE else None

    @property
    def hears(self) -> bool:
        """Whether a recording is worth fetching."""
        return self._listening.choice is not None

    @property
    def steps(self) -> int:
        """How many of the turn's steps are its own."""
        return 0 if self.paid is None else 1

    async def hear(self, recording: Recording) -> str | Unheard:
        """Write it down."""
        listening = self._listening
        if listening.choice is None:
            return Unheard("nobody writes it down")
        if listening.done:
            return Unheard("an earlier try of this message went on without it")
        ask = Ask(
            request=ModelRequest(
                listening.choice, system="", messages=(), max_output_tokens=_ANY_LIMIT, recording=recording
            ),
            about=replace(listening.about, feature=FEATURE),
            scopes=listening.scopes,
            deadline=listening.deadline,
            attempts_used=self.attempts_used,
            step_number=0,
            key=listening.key,
        )
        result = await self._meter.call(ask, self._session)
        self.attempts_used = result.attempts_used
        if isinstance(result, Refused):
            return Unheard(result.scope, StopReason.BUDGET if result.limit else StopReason.BUSY)
        if isinstance(result, Failed):
            return Unheard(result.why, StopReason.TIMEOUT if result.timed_out else None)
        self.paid = result.paid
        return result.paid.reply.text
