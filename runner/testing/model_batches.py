"""The batches that a fake server was given, and how far it is with them. Pure but for its bill.

    make ──▶ RUNNING ──look──▶ ... ──look──▶ ENDED        `looks` says how many; a share of the lines runs at each
                │                              ▲
                └──cancel──▶ CANCELING ──look──┘          what has not run is `Canceled`
    make ──▶ RUNNING ──look──▶ FAILED                     where `invalid` says why

`FakeBatchServer` and `ModelServer` share it. Rules: a line is billed when it runs, whoever asks for it
afterwards; results are never told in the order in which the lines were handed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from runner.clock import Clock
from runner.money.usage import Usage
from runner.ports.batch_server import RemoteState
from runner.testing.model_script import PLAIN, Billed, Drop, Fault, Hang, Say, usage_of

Call = Literal["upload", "submit", "look", "recent", "cancel", "results"]
"""What a server can be asked. `upload`: only where a batch's lines are handed in as a file before it."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A line that was not reached within its day."""


@dataclass(frozen=True, slots=True)
class Canceled:
    """A line that was not reached before the batch was canceled."""


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line that ran, and whose result is these bytes, whatever they are. Without a newline."""

    data: bytes
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class CutOff:
    """What was asked is done, and then the connection breaks: of results, after that many `lines`."""

    lines: int = 0


Fate = Say | Fault | Expired | Canceled | Garbled
"""What becomes of a line. `Say` answers it; a `Fault` is its error. `usage` is billed, whatever is told."""
Trouble = Fault | Hang | Drop | CutOff
"""What comes of a call in place of its answer. After a `Drop` or a `Hang` nothing was done."""


@dataclass(slots=True)
class MadeLine:
    """A line. `row`: its row of the bill; `body`: the request, as it came."""

    custom_id: str
    model: str
    request_bytes: int
    limit: int
    body: Any = None
    fate: Fate | None = None
    usage: Usage | None = None
    row: int | None = None
    request_id: str = ""

    @property
    def answered(self) -> bool:
        """Whether it was answered."""
        return isinstance(self.fate, Say)


@dataclass(slots=True)
class MadeBatch:
    """A batch.

    Attributes:
        looks: after how many more looks it has ended; None: when `BatchBook.end` says so.
        way: in which protocol it came; empty: in none.
        file_id: the file that its lines came in, if they did.
    """

    id: str
    mark: str
    created_ms: int
    lines: list[MadeLine]
    looks: int | None
    invalid: str
    state: RemoteState = RemoteState.RUNNING
    canceled: bool = False
    way: str = ""
    file_id: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in (RemoteState.ENDED, RemoteState.FAILED)

    def count(self, kind: type | tuple[type, ...]) -> int:
        """How many lines came to that."""
        return sum(isinstance(line.fate, kind) for line in self.lines)


class BatchBook:
    """All batches of a fake server, and what is to become of the next.

    Attributes:
        fates: what becomes of a line, by its `custom_id`.
        standing: what becomes of the others; a function is asked with the `custom_id`.
        looks: at which look a batch that is made from now on has ended; None: when `end` says so.
        invalid: why batches that are made from now on fail as a whole; empty: they do not.
        made: the batches, by id, in order.
    """

    def __init__(
        self, clock: Clock, bill: list[Billed], standing: Fate | Callable[[str], Fate] = PLAIN
    ) -> None:
        self.fates: dict[str, Fate] = {}
        self.standing = standing
        self.looks: int | None = 1
        self.invalid = ""
        self.made: dict[str, MadeBatch] = {}
        self._clock = clock
        self._bill = bill
        self._troubles: dict[Call, deque[Trouble]] = {}

    def script(self, call: Call, *troubles: Trouble) -> None:
        """Let these come of the next calls of that kind, one each."""
        self._troubles.setdefault(call, deque()).extend(troubles)

    def trouble(self, call: Call) -> Trouble | None:
        """What comes of this call in place of its answer, if anything."""
        waiting = self._troubles.get(call)
        return waiting.popleft() if waiting else None

    def make(self, lines: list[MadeLine], mark: str = "", *, way: str = "", file_id: str = "") -> MadeBatch:
        """Take a batch."""
        batch = MadeBatch(
            f"batch_{len(self.made) + 1}",
            mark,
            self._clock.now_ms(),
            lines,
            self.looks,
            self.invalid,
            way=way,
            file_id=file_id,
        )
        self.made[batch.id] = batch
        return batch

    def look(self, batch_id: str) -> MadeBatch | None:
        """Go on with it a little; None: there is no such batch."""
        batch = self.made.get(batch_id)
        if batch is None or batch.over:
            return batch
        if batch.canceled:
            self.end(batch_id)
        elif batch.invalid:
            batch.state = RemoteState.FAILED
        elif batch.looks is not None:
            self._share(batch)
        return batch

    def recent(self) -> list[MadeBatch]:
        """All batches, the latest first."""
        return list(reversed(self.made.values()))

    def cancel(self, batch_id: str) -> MadeBatch | None:
        """Run no more lines of it; None: there is no such batch. One that is over stays as it is."""
        batch = self.made.get(batch_id)
        if batch is not None and not batch.over:
            batch.canceled = True
            batch.state = RemoteState.CANCELING
        return batch

    def end(self, batch_id: str) -> None:
        """Let it end now: what has not run runs, or is canceled."""
        batch = self.made[batch_id]
        for line in batch.lines:
            if line.fate is None:
                self._run(line, Canceled() if batch.canceled else None)
        batch.state = RemoteState.ENDED

    def results(self, batch: MadeBatch) -> list[MadeLine]:
        """Its lines, in no order that anybody could rely on."""
        return batch.lines[1::2] + batch.lines[::2]

    def told(self, line: MadeLine) -> None:
        """Remember that somebody heard this result."""
        if line.row is not None and line.answered:
            self._bill[line.row] = replace(self._bill[line.row], answered=True)

    def _share(self, batch: MadeBatch) -> None:
        """Run as many lines as one look brings."""
        batch.looks = (batch.looks or 1) - 1
        if batch.looks <= 0:
            self.end(batch.id)
            return
        waiting = [line for line in batch.lines if line.fate is None]
        for line in waiting[: len(waiting) // (batch.looks + 1)]:
            self._run(line, None)

    def _run(self, line: MadeLine, fate: Fate | None) -> None:
        if fate is None:
            standing = self.standing
            fate = self.fates.get(line.custom_id) or (
                standing(line.custom_id) if callable(standing) else standing
            )
        line.fate = fate
        if isinstance(fate, Say):
            line.usage = usage_of(fate, line.request_bytes, line.limit)
        elif isinstance(fate, Fault | Garbled):
            line.usage = fate.usage
        if line.usage is None:
            return
        line.row = len(self._bill)
        line.request_id = f"line_{line.row + 1}"
        self._bill.append(
            Billed(line.request_id, line.model, line.usage, line.limit, answered=False, batch=True)
        )


def before_the_cut(lines: list[MadeLine], trouble: Trouble | None) -> list[MadeLine]:
    """What of the results is told before they break off, if they do."""
    return lines[: trouble.lines] if isinstance(trouble, CutOff) else lines
