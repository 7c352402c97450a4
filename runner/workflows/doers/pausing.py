"""Nodes that speak or wait: send_message, action (human_handoff), wait_delay.

Rule: a wait of some seconds is waited for in the turn, where its time allows that; a longer one ends the turn, and
the run goes on in another one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.clock import Clock
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed, Paused
from runner.workflows.expressions import text_of
from runner.workflows.nodes.talking import LONGEST_WAIT_S, HumanHandoff, SendMessage, WaitDelay
from runner.workflows.state import Wait

AT_ONCE_S = 5.0
"""The longest wait that a turn waits for; a run that is cut short while it does waits anew."""


class Saying:
    """Says something to the user, now."""

    async def do(self, doing: Doing) -> Outcome:
        """Do one send_message; a text that came out empty says nothing."""
        if not isinstance(doing.step.placed.node, SendMessage):
            return Outcome(Failed("says nothing"))
        text = text_of(doing.inputs["text"])
        return Outcome(Done(), say=(text,) if text.strip() else ())


class Escalating:
    """Asks a reviewer: the turn's end writes the question down."""

    async def do(self, doing: Doing) -> Outcome:
        """Begin one human_handoff."""
        if not isinstance(doing.step.placed.node, HumanHandoff):
            return Outcome(Failed("asks nobody"))
        return Outcome(Paused(Wait("decision")))


class Delaying:
    """Waits for the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def do(self, doing: Doing) -> Outcome:
        """Do one wait_delay."""
        node = doing.step.placed.node
        if not isinstance(node, WaitDelay):
            return Outcome(Failed("waits for nothing"))
        now = self._clock.now_ms()
        until = _until(doing, node, now)
        if isinstance(until, str):
            return Outcome(Failed(until))
        left_s = (until - now) / 1000
        if left_s > LONGEST_WAIT_S:
            return Outcome(Failed("would have to wait for more than a month"))
        if left_s > AT_ONCE_S or self._clock.monotonic() + left_s >= doing.deadline:
            return Outcome(Paused(Wait("time", until)))
        if left_s > 0:
            await self._clock.sleep(left_s)
        return Outcome(Done())


def _until(doing: Doing, node: WaitDelay, now_ms: int) -> int | str:
    """Unix ms, or why there is no such time."""
    if node.seconds is not None:
        return now_ms + int(node.seconds * 1000)
    text = text_of(doing.inputs["until"])
    found = moment(text)
    return f"{text[:60]!r} is no time such as 2026-11-23T09:00:00Z" if found is None else found


def moment(text: str) -> int | None:
    """Unix ms of an ISO 8601 time, UTC where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
