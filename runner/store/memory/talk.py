"""The talk of the memory store: conversations, their messages, turns and steps. Plain Python; no call waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runner.errors import IllegalStep
from runner.ports.mail import ConversationState, FinishedTurn, PreparedHead, StoredStep
from runner.ports.reports import ConversationLine, TranscriptTurn
from runner.ports.stores import TurnRecord
from runner.store.rules import heads_after


@dataclass(slots=True)
class _Talk:
    """A conversation: its messages by number, of which some may be forgotten, and the ids of its turns."""

    lane: str
    bot: str
    channel: str
    user: str
    state: ConversationState
    messages: dict[int, str] = field(default_factory=dict)
    turns: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn and the numbers of its messages."""

    record: TurnRecord
    said: range


class Conversations:
    """What was said."""

    def __init__(self) -> None:
        self._talks: dict[str, _Talk] = {}
        self._lanes: dict[str, list[str]] = {}
        self._turns: dict[str, _Turn] = {}
        self._steps: dict[str, dict[int, StoredStep]] = {}
        self._parts: dict[str, set[str]] = {}
        """Of each turn its own parts that have steps (`t12.d1`), under the turn's id."""

    def latest(self, lane: str) -> tuple[ConversationState | None, tuple[str, ...]]:
        """The lane's latest conversation, and what of it a model may see."""
        names = self._lanes.get(lane)
        if not names:
            return None, ()
        talk = self._talks[names[-1]]
        first = talk.state.first_seq
        return talk.state, tuple(text for seq, text in talk.messages.items() if seq >= first)

    def is_begun(self, conversation: str) -> bool:
        """Whether a turn of it is over."""
        return conversation in self._talks

    def remember(self, turn: FinishedTurn) -> None:
        """A turn, its conversation's new state and its messages."""
        now = turn.conversation
        talk = self._talks.get(now.id)
        begins = talk is None
        if talk is None:
            begun = _Talk(turn.lane, turn.bot, turn.channel, turn.user, replace(now, next_seq=0))
            talk = self._talks[now.id] = begun
            self._lanes.setdefault(turn.lane, []).append(now.id)
        head, prepared = heads_after(None if begins else talk.state, now)
        first = talk.state.next_seq
        said = range(first, first + len(turn.messages))
        talk.messages.update(zip(said, turn.messages, strict=True))
        talk.turns.append(turn.turn)
        talk.state = replace(
            now, started_ms=talk.state.started_ms, next_seq=said.stop, head=head, prepared=prepared
        )
        record = TurnRecord(
            turn=turn.turn,
            bot=turn.bot,
            channel=turn.channel,
            conversation=now.id,
            user=turn.user,
            stop_reason=turn.stop_reason,
            at_ms=turn.at_ms,
            report=turn.report,
        )
        self._turns[turn.turn] = _Turn(record, said)

    def prepare_head(self, conversation: str, head: PreparedHead) -> None:
        """As `AnswerStore.prepare_head`."""
        talk = self._talks.get(conversation)
        if talk is not None and talk.state.first_seq < head.first_seq:
            talk.state = replace(talk.state, prepared=head)

    def turn(self, turn: str) -> TurnRecord | None:
        """As `Store.turn`."""
        found = self._turns.get(turn)
        return None if found is None else found.record

    # ── for people ───────────────────────────────────────────────────────────────────────────────────────
    def lines(self, bot: str | None, user: str | None) -> list[ConversationLine]:
        """All conversations of a bot and a user, the latest first, without their cost."""
        found = [
            self._line(name, talk)
            for name, talk in self._talks.items()
            if bot in (None, talk.bot)
            and (user is None or any(self._turns[turn].record.user == user for turn in talk.turns))
        ]
        return sorted(found, key=lambda line: (line.last_ms, line.id), reverse=True)

    def line(self, conversation: str) -> ConversationLine | None:
        """One of them."""
        talk = self._talks.get(conversation)
        return None if talk is None else self._line(conversation, talk)

    def transcript(self, conversation: str) -> list[TranscriptTurn]:
        """Its turns, the oldest first, without their cost."""
        talk = self._talks[conversation]
        turns = [self._turns[turn] for turn in talk.turns]
        return [
            TranscriptTurn(
                turn=turn.record.turn,
                user=turn.record.user,
                stop_reason=turn.record.stop_reason,
                at_ms=turn.record.at_ms,
                report=turn.record.report,
                messages=tuple(talk.messages[seq] for seq in turn.said),
            )
            for turn in turns
        ]

    def turns_of(self, bot: str | None, user: str) -> list[TurnRecord]:
        """A user's turns."""
        records = (turn.record for turn in self._turns.values())
        return [record for record in records if record.user == user and bot in (None, record.bot)]

    def turns_in(self, conversation: str) -> list[TurnRecord]:
        """A conversation's turns."""
        return [turn.record for turn in self._turns.values() if turn.record.conversation == conversation]

    def _line(self, name: str, talk: _Talk) -> ConversationLine:
        return ConversationLine(
            id=name,
            bot=talk.bot,
            channel=talk.channel,
            user=talk.user,
            started_ms=talk.state.started_ms,
            last_ms=talk.state.last_ms,
            turns=len(talk.turns),
            messages=len(talk.messages),
        )

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────
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
        whole, dot, _ = turn.partition(".")
        if dot:
            self._parts.setdefault(whole, set()).add(turn)

    # ── forgetting ───────────────────────────────────────────────────────────────────────────────────────
    def forget_steps(self, turn: str) -> int:
        """Remove a turn's steps with those of its parts; how many there were."""
        return sum(len(self._steps.pop(name, ())) for name in (turn, *self._parts.pop(turn, ())))

    def forget_turn(self, turn: str, has_work: Callable[[str], bool]) -> int:
        """Remove a turn with its messages, and its conversation where it was the last of it; how many rows."""
        gone = self._turns.pop(turn)
        name = gone.record.conversation
        talk = self._talks[name]
        talk.turns.remove(turn)
        talk.state = replace(talk.state, head="", prepared=None)
        for seq in gone.said:
            del talk.messages[seq]
        removed = 1 + len(gone.said) + self.forget_steps(turn)
        return removed + self.forget_if_empty(name, has_work)

    def forget_if_empty(self, conversation: str, has_work: Callable[[str], bool]) -> int:
        """Remove a conversation without turns, unless its lane has work that goes on with it; how many rows."""
        talk = self._talks.get(conversation)
        if talk is None or talk.turns or has_work(talk.lane):
            return 0
        self._drop(conversation)
        return 1

    def forget_idle(self, before_ms: int, has_work: Callable[[str], bool]) -> int:
        """Remove idle conversations of lanes without work, with their messages and turns; how many rows."""
        idle = [
            name
            for name, talk in self._talks.items()
            if talk.state.last_ms < before_ms and not has_work(talk.lane)
        ]
        removed = 0
        for name in idle:
            talk = self._drop(name)
            removed += 1 + len(talk.messages) + len(talk.turns)
            for turn in talk.turns:
                del self._turns[turn]
        return removed

    def _drop(self, conversation: str) -> _Talk:
        talk = self._talks.pop(conversation)
        self._lanes[talk.lane].remove(conversation)
        if not self._lanes[talk.lane]:
            del self._lanes[talk.lane]
        return talk
