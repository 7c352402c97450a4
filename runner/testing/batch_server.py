"""A provider's batches in the same process, for tests: scripted, with its own bill.

    server = FakeBatchServer(clock)
    server.book.looks = 3                                  ended at the third look
    server.book.fates["b"] = Fault(400)                    what becomes of a line; the others: `server.book.standing`
    server.book.script("submit", CutOff())                 the batch is made, but nobody hears of it
    made = await server.submit(items, "our-id", 30.0)
    server.bill                                            a row for each line that ran, marked as a batch's

Rule: it waits by the clock that it is given and by nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from runner.clock import Clock
from runner.ports.batch_server import BatchItem, NotTaken, RemoteBatch
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.testing.model_batches import (
    BatchBook,
    Call,
    Canceled,
    CutOff,
    Expired,
    Fate,
    Garbled,
    MadeBatch,
    MadeLine,
    before_the_cut,
)
from runner.testing.model_script import PLAIN, Billed, Fault, Hang, Say
from runner.testing.provider import outcome_of

AGAIN_S = 30.0
"""When it wants to be asked again, where a script does not say."""
FIRST_SERVER_ERROR = 500
TOO_MANY = 429


class FakeBatchServer:
    """Takes batches.

    Attributes:
        book: the batches it was given, and what is to become of them.
        bill: what it would charge, also for what nobody asks about any more.
        submitted: the items of each submission, whatever came of it.
        calls: what it was asked, in order.
    """

    def __init__(
        self, clock: Clock, standing: Fate | Callable[[str], Fate] = PLAIN, *, keeps_marks: bool = True
    ) -> None:
        """`keeps_marks`: whether a batch can be known again by the mark of its submission."""
        self.bill: list[Billed] = []
        self.book = BatchBook(clock, self.bill, standing)
        self.submitted: list[tuple[BatchItem, ...]] = []
        self.calls: list[Call] = []
        self.closed = False
        self._clock = clock
        self._keeps_marks = keeps_marks

    async def submit(self, items: Sequence[BatchItem], mark: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Take a batch."""
        self.submitted.append(tuple(items))
        if refused := await self._refused("submit", timeout_s, lambda: self._make(items, mark)):
            return refused
        return _told(self._make(items, mark))

    async def look(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Go on with it a little, and say how far it is."""
        if refused := await self._refused("look", timeout_s, lambda: self.book.look(batch_id)):
            return refused
        batch = self.book.look(batch_id)
        return NOT_FOUND if batch is None else _told(batch)

    async def recent(self, since_ms: int, timeout_s: float) -> list[RemoteBatch] | NotTaken:
        """The batches made since then, the latest first."""
        if refused := await self._refused("recent", timeout_s):
            return refused
        return [_told(batch) for batch in self.book.recent() if batch.created_ms >= since_ms]

    async def cancel(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Run no more lines of it. One that is over cannot be canceled."""
        if refused := await self._refused("cancel", timeout_s, lambda: self.book.cancel(batch_id)):
            return refused
        batch = self.book.made.get(batch_id)
        if batch is not None and batch.over:
            return NotTaken("HTTP 409: it is over", certain=True)
        batch = self.book.cancel(batch_id)
        return NOT_FOUND if batch is None else _told(batch)

    async def results(self, batch_id: str, timeout_s: float) -> AsyncIterator[tuple[str, Outcome] | NotTaken]:
        """Each line's outcome, in no order."""
        self.calls.append("results")
        trouble = self.book.trouble("results")
        if trouble is not None and not isinstance(trouble, CutOff):
            yield await self._told_no(trouble, timeout_s)
            return
        batch = self.book.made.get(batch_id)
        if batch is None or not batch.over:
            yield NOT_FOUND
            return
        for line in before_the_cut(self.book.results(batch), trouble):
            self.book.told(line)
            yield line.custom_id, _outcome(line)
        if trouble is not None:
            yield CUT

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _make(self, items: Sequence[BatchItem], mark: str) -> MadeBatch:
        lines = [
            MadeLine(
                item.custom_id,
                _model(item.prepared.body),
                len(item.prepared.size.text.encode()),
                item.max_output_tokens,
                item.prepared.body,
            )
            for item in items
        ]
        return self.book.make(lines, mark if self._keeps_marks else "")

    async def _refused(
        self, call: Call, timeout_s: float, do: Callable[[], object] = lambda: None
    ) -> NotTaken | None:
        """What the script says comes of this call in place of its answer; done all the same where it was cut off."""
        self.calls.append(call)
        trouble = self.book.trouble(call)
        if trouble is None:
            return None
        if isinstance(trouble, CutOff):
            do()
        return await self._told_no(trouble, timeout_s)

    async def _told_no(self, trouble: object, timeout_s: float) -> NotTaken:
        if isinstance(trouble, Hang):
            await self._clock.sleep(timeout_s)
            return NotTaken("no answer in time", certain=False, again_s=AGAIN_S)
        if not isinstance(trouble, Fault):
            return CUT
        why = f"HTTP {trouble.status}: {trouble.message}"
        if trouble.status >= FIRST_SERVER_ERROR:
            return NotTaken(why, certain=trouble.status in (503, 529), again_s=AGAIN_S)
        if trouble.status == TOO_MANY:
            return NotTaken(why, certain=True, again_s=float(trouble.retry_after or AGAIN_S))
        return NotTaken(why, certain=True)


CUT = NotTaken("the connection broke", certain=False, again_s=AGAIN_S)
NOT_FOUND = NotTaken("HTTP 404: there is no such batch, or no results yet", certain=True)


def _told(batch: MadeBatch) -> RemoteBatch:
    return RemoteBatch(
        id=batch.id,
        state=batch.state,
        total=len(batch.lines),
        done=batch.count(Say),
        failed=batch.count((Fault, Expired, Canceled, Garbled)),
        created_ms=batch.created_ms,
        ours=batch.mark,
        why=batch.invalid if batch.over else "",
    )


def _outcome(line: MadeLine) -> Outcome:
    match line.fate:
        case Say() | Fault():
            return outcome_of(line.fate, line.usage, line.limit, line.request_id)
        case Garbled():
            return FateUnknown(FaultKind.NO_USAGE, "the result cannot be read")
        case Expired():
            return NotRun(FaultKind.TIMEOUT, "it was not reached within the day")
        case _:
            return NotRun(FaultKind.REJECTED, "the batch was canceled before it was reached")


def _model(body: Any) -> str:  # noqa: ANN401 - a provider's own business
    choice = getattr(body, "choice", None)
    return str(choice.model) if choice is not None else ""
