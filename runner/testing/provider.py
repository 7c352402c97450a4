"""A provider in the same process, for tests: scripted, with its own bill.

Rule: it waits by the clock that it is given and by nothing else, so a test with a manual clock decides when
an answer comes and when a call times out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.clock import Clock
from runner.conversations.models import message_to_json
from runner.money.estimate import RequestSize
from runner.money.usage import Usage
from runner.ports.dialogue import FinishReason, ModelReply, ModelRequest
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.ports.provider import Hear, Prepared
from runner.testing.model_audio import heard_usage
from runner.testing.model_script import PLAIN, At, Behaviour, Billed, Drop, Fault, Hang, Say, usage_of

NOT_RUN = {429: FaultKind.RATE_LIMITED, 503: FaultKind.OVERLOADED, 529: FaultKind.OVERLOADED}


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt that was made."""

    request: ModelRequest
    max_output_tokens: int
    timeout_s: float


class FakeProvider:
    """Answers as scripted, else with `standing`.

    Attributes:
        calls: each attempt, in order.
        bill: what it would charge, also for calls that timed out or were cut.
    """

    def __init__(
        self, clock: Clock, standing: Behaviour | Callable[[ModelRequest], Behaviour] = PLAIN
    ) -> None:
        self.calls: list[Call] = []
        self.bill: list[Billed] = []
        self.closed = False
        self._clock = clock
        self._standing = standing
        self._script: deque[Behaviour] = deque()

    def script(self, *behaviours: Behaviour) -> None:
        """Do these next, one a call."""
        self._script.extend(behaviours)

    def prepare(self, request: ModelRequest) -> Prepared:
        """Keep the request; everything in it counts for the size, of a recording its seconds."""
        if request.recording is not None:
            return Prepared(request, RequestSize("", messages=0, audio_seconds=request.recording.seconds))
        tools = (f"{t.name}{t.description}{dict(t.parameters)}" for t in request.tools)
        text = "\n".join([request.system, *tools, *map(message_to_json, request.messages)])
        size = RequestSize(text=text, messages=1 + len(request.messages), cache_writes=request.cache.widest)
        return Prepared(body=request, size=size)

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Do what the script says; a wait of `timeout_s` or more ends as a timeout."""
        request: ModelRequest = prepared.body
        self.calls.append(Call(request, max_output_tokens, timeout_s))
        behaviour = self._next(request)
        request_id = f"fake-{len(self.calls)}"
        usage = _usage(behaviour, prepared, max_output_tokens)
        row = None
        if usage is not None:
            row = Billed(request_id, request.choice.model, usage, max_output_tokens, answered=False)
            self.bill.append(row)
        latency_s = behaviour.latency_s if isinstance(behaviour, Say | Fault) else 0.0
        stalls = isinstance(behaviour, Hang) or (
            isinstance(behaviour, Say) and behaviour.stall_at is not None
        )
        if stalls or latency_s >= timeout_s:
            await self._clock.sleep(timeout_s)
            return FateUnknown(FaultKind.TIMEOUT, "no answer in time", request_id=request_id)
        if latency_s:
            await self._clock.sleep(latency_s)
        outcome = outcome_of(behaviour, usage, max_output_tokens, request_id)
        if hear is not None and isinstance(behaviour, Say):
            hear(behaviour.text)
        if row is not None and isinstance(outcome, Completed):
            self.bill[self.bill.index(row)] = replace(row, answered=True)
        return outcome

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _next(self, request: ModelRequest) -> Behaviour:
        if self._script:
            return self._script.popleft()
        return self._standing(request) if callable(self._standing) else self._standing


def _usage(behaviour: Behaviour, prepared: Prepared, limit: int) -> Usage | None:
    """What the call costs; None: nothing."""
    if not isinstance(behaviour, Say):
        return behaviour.usage
    if prepared.size.audio_seconds:
        return heard_usage(behaviour, prepared.size.audio_seconds)
    return usage_of(behaviour, len(prepared.size.text.encode()), limit)


def outcome_of(behaviour: Behaviour, usage: Usage | None, limit: int, request_id: str) -> Outcome:
    """What the caller gets of a behaviour, at once."""
    match behaviour:
        case Say():
            return _said(behaviour, usage or Usage(), limit, request_id)
        case Fault(status=status) if 400 <= status < 500 or status in NOT_RUN:  # noqa: PLR2004 - HTTP
            return NotRun(
                NOT_RUN.get(status, FaultKind.REJECTED),
                f"HTTP {status}: {behaviour.message}",
                status=status,
                retry_after_s=None if behaviour.retry_after is None else float(behaviour.retry_after),
                request_id=request_id,
            )
        case Fault(status=status):
            why = f"HTTP {status}: {behaviour.message}"
            return FateUnknown(FaultKind.SERVER, why, status=status, request_id=request_id)
        case Drop() | Hang():
            return FateUnknown(FaultKind.CUT, "the connection was closed without an answer")


def _said(say: Say, usage: Usage, limit: int, request_id: str) -> Outcome:
    broken = say.cut_at or say.error_at
    if broken is not None and broken is not At.STOP:
        kind = FaultKind.CUT if say.cut_at else FaultKind.SERVER
        started = None if broken is At.FIRST else replace(usage, output_tokens=0, reasoning_tokens=0)
        return FateUnknown(kind, "the stream broke off", started=started, request_id=request_id)
    finish = FinishReason.TOOLS if say.tools else FinishReason.END
    if usage.output_tokens >= limit:
        finish = FinishReason.LENGTH
    reply = ModelReply(say.text, say.tools, finish)
    if not say.tells_usage:
        return FateUnknown(FaultKind.NO_USAGE, "no usage", reply=reply, request_id=request_id)
    return Completed(reply, usage, request_id)
