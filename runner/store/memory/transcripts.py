"""Conversations of the memory store as people read them: what was said beside what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.ports.books import UsageSum
from runner.ports.reports import ConversationLine, Transcript, TranscriptTurn
from runner.store.memory.books import Books
from runner.store.memory.talk import Conversations


def page(
    talks: Conversations, books: Books, bot: str | None, user: str | None, before: tuple[int, str] | None
) -> list[ConversationLine]:
    """All conversations that come after `before`, the latest first."""
    costs = books.by_conversation()
    return [
        _with_cost(line, costs)
        for line in talks.lines(bot, user)
        if before is None or (line.last_ms, line.id) < before
    ]


def transcript(talks: Conversations, books: Books, conversation: str, latest: int) -> Transcript | None:
    """As `ReportStore.transcript`."""
    line = talks.line(conversation)
    if line is None:
        return None
    costs = books.by_turn()
    turns = talks.transcript(conversation)
    return Transcript(
        _with_cost(line, books.by_conversation()),
        tuple(_with_figures(turn, costs.get(turn.turn)) for turn in turns[max(0, len(turns) - latest) :]),
    )


def _with_cost(line: ConversationLine, costs: Mapping[str, UsageSum]) -> ConversationLine:
    sums = costs.get(line.id)
    return line if sums is None else replace(line, cost=sums.cost, unknown=sums.unknown)


def _with_figures(turn: TranscriptTurn, sums: UsageSum | None) -> TranscriptTurn:
    if sums is None:
        return turn
    return replace(
        turn,
        calls=sums.calls,
        input_tokens=sums.usage.input_tokens,
        output_tokens=sums.usage.output_tokens,
        cost=sums.cost,
        unknown=sums.unknown,
    )
