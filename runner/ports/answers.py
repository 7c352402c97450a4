"""Answers that are kept to be given again, and summaries made ahead, as stores keep them.

Rules: a kept answer is found by its key until its time is over, never afterwards; a store holds a bounded number
of them for each bot (`MOST_ANSWERS`), the latest; heads belong to their conversation and go with it, and so do they
when part of what they sum up is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import Money
from runner.ports.mail import PreparedHead

MOST_ANSWERS = 10_000


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer. `cost`: what it cost when it was made: what giving it again saves. Times in Unix ms."""

    key: str
    bot: str
    text: str
    cost: Money
    made_ms: int
    until_ms: int


class AnswerStore(Protocol):
    """Kept answers and prepared heads."""

    async def kept_answer(self, key: str, now_ms: int) -> KeptAnswer | None:
        """The answer of that key, unless its time is over."""

    async def keep_answer(self, answer: KeptAnswer) -> None:
        """Keep it, in place of an earlier one of the same key; the bot's oldest go where there are too many."""

    async def forget_answers(self, bot: str) -> int:
        """All of that bot's; returns how many there were."""

    async def prepare_head(self, conversation: str, head: PreparedHead) -> None:
        """Keep a summary for when the window moves, in place of an earlier one.

        Nothing is kept where there is no such conversation, or where its window begins there or later already.
        """
