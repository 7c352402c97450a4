"""What of a history the model sees.

Rules: never more than the upper mark; when that would be passed the window moves in ONE step to the lower one,
so that between two steps what is sent begins with the same bytes and the provider's prompt cache goes on
hitting; what is left is always legal: it starts with a user's message and holds no tool result without its call.
The message being answered is never dropped, and a turn of many tools is not dropped where less than half of the lower
mark would be left: then it is kept whole, within the upper mark. Where a summary was prepared for a start of its own,
and that start keeps the window within its upper mark, the window moves there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.bots import ConversationRules
from runner.conversations.models import Message, UserMessage


@dataclass(frozen=True, slots=True)
class Marks:
    """The window holds at most `high` messages; when it would hold more it drops to at most `low`."""

    low: int
    high: int


def plain_marks(rules: ConversationRules) -> Marks:
    """The marks that the rules give by themselves; `auto`: those of blocks."""
    most = rules.max_messages
    return Marks(most if rules.context == "sliding" else min(rules.keep_messages, most), most)


def first_kept(history: Sequence[Message], marks: Marks, prepared: int | None = None) -> int:
    """Index of the first message to send; `history` ends with the user message that is being answered.

    The answer is the same for the same history and marks, so a turn that is run again sends the same bytes.
    `prepared`: the index of a start that a summary stands ready for.
    """
    if len(history) <= marks.high:
        return _legal_from(history, 0)
    if prepared is not None and len(history) - marks.high <= prepared < len(history):
        start = _legal_from(history, prepared)
        if start == prepared:
            return start
    start = max(0, len(history) - min(marks.low, marks.high))
    return nearest_start(len(history), _turn_before(history, start), _legal_from(history, start), marks)


def nearest_start(length: int, earlier: int, later: int, marks: Marks) -> int:
    """Of two legal starts around the lower mark the one that the window of so many messages moves to."""
    low = min(marks.low, marks.high)
    if (length - later) * 2 < low and earlier > 0 and length - earlier <= marks.high:
        return earlier
    return later


def _turn_before(history: Sequence[Message], start: int) -> int:
    """Where the turn begins that this start is in."""
    while start > 0 and not isinstance(history[start], UserMessage):
        start -= 1
    return start


def _legal_from(history: Sequence[Message], start: int) -> int:
    """The first start from there on with which the window is legal."""
    while start < len(history) - 1 and not isinstance(history[start], UserMessage):
        start += 1
    return start
