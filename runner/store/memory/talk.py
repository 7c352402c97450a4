"""The talk of the memory store: conversations, their messages, turns and steps. Plain Python; no call waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runner.errors import IllegalStep
from runner.ports.mail import ConversationState, FinishedTurn, StoredStep
from runner.ports.stores import TurnRecord


@dataclass(slots=True)
class _Talk:
    """A conversation with all that was said in it, from number 0."""

    lane: str
    state: ConversationState
    messages: list[str] = field(default_factory=list)


class Conversations:
    """What was said."""

    def __init__(self) -> None:
        self._talks: dict[str, _Talk] = {}
        self._latest: dict[str, str] = {}
        self._turns: dict[str, TurnRecord] = {}
        self._steps: dict[str, dict[int, StoredStep]] = {}

    def latest(self, lane: str) -> tuple[ConversationState | None, tuple[str, ...]]:
        """The lane's latest conversation, and what of it a model may see."""
        talk = self._talks.get(self._latest.get(lane, ""))
        if talk is None:
            return None, ()
        return talk.state, tuple(talk.messages[talk.state.first_seq :])

    def remember(self, turn: FinishedTurn) -> None:
        """A turn, its conversation's new state and its messages."""
        talk = self._talks.get(turn.conversation.id)
        if talk is None:
            talk = self._talks[turn.conversation.id] = _Talk(turn.lane, turn.conversation)
            self._latest[turn.lane] = turn.conversation.id
        talk.messages += turn.messages
        talk.state = replace(turn.conversation, started_ms=talk.state.started_ms, next_seq=len(talk.messages))
        self._turns[turn.turn] = TurnRecord(
            turn=turn.turn,
            bot=turn.bot,
            channel=turn.channel,
            conversation=turn.conversation.id,
            user=turn.user,
            stop_reason=turn.stop_reason,
            at_ms=turn.at_ms,
            report=turn.report,
        )

    def turn(self, turn: str) -> TurnRecord | None:
        """As `Store.turn`."""
        return self._turns.get(turn)

    def steps(self, turn: str) -> tuple[StoredStep, ...]:
        """The turn's steps, in order."""
        found = self._steps.get(turn, {})
        return tuple(found[number] for number in sorted(found))

    def check_step(self, turn: str, step: StoredStep) -> None:
        """Raise IllegalStep where the turn has that step."""
        if step.number in self._steps.get(turn, {}):
            raise IllegalStep(f"turn {turn} has a step {step.number} already")

    def save_step(self, turn: str, step: StoredStep) -> None:
        """As `LaneSession.save_step`."""
        self.check_step(turn, step)
        self._steps.setdefault(turn, {})[step.number] = step

    def forget_steps(self, turn: str) -> int:
        """Remove a turn's steps; how many there were."""
        return len(self._steps.pop(turn, ()))

    def forget_idle(self, before_ms: int, has_work: Callable[[str], bool]) -> int:
        """Remove idle conversations of lanes without work, with their messages and turns; how many rows."""
        idle = {
            name
            for name, talk in self._talks.items()
            if talk.state.last_ms < before_ms and not has_work(talk.lane)
        }
        turns = [name for name, record in self._turns.items() if record.conversation in idle]
        for name in turns:
            del self._turns[name]
        self._latest = {lane: name for lane, name in self._latest.items() if name not in idle}
        return len(turns) + sum(1 + len(self._talks.pop(name).messages) for name in idle)
