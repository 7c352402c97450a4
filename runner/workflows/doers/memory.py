"""memory_store: what a workflow remembers from one run to the next.

| scope | who sees it                     | kept with                                              |
|-------|---------------------------------|--------------------------------------------------------|
| user  | runs of that user, one platform | the user: it goes when they are forgotten               |
| bot   | all runs of the bot             | the bot                                                |

Rules: doing it again leaves things as doing it once; a key that is not there is null; keys and values are bounded, and
the oldest keys of an owner give way (`MOST_MEMORIES`).
"""

from __future__ import annotations

import json
from typing import Protocol

from runner.clock import Clock
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json

LONGEST_KEY = 200
LONGEST_VALUE = 64 * 1024
"""Characters of a value as JSON."""


class Memories(Protocol):
    """What remembers; `runner.ports.runs.RunStore` is one."""

    async def recall(self, bot: str, owner: str, key: str) -> str | None:
        """What is remembered under this key; `owner`: a user's id, or empty for the whole bot."""

    async def remember(self, bot: str, owner: str, key: str, value: str | None, at_ms: int) -> None:
        """Remember it in place of what was there; None forgets it."""


class MemoryDoer:
    """Does memory_store."""

    def __init__(self, memories: Memories, clock: Clock) -> None:
        self._memories = memories
        self._clock = clock

    async def do(self, doing: Doing) -> Outcome:
        """Get, set or delete one value."""
        inputs = doing.inputs
        key = str(inputs["key"]).strip()
        if not key or len(key) > LONGEST_KEY:
            return Outcome(Failed(f"a key has 1 to {LONGEST_KEY} characters, this one {len(key)}"))
        bot, owner, kept_under = doing.bot.id, *_place(doing, key)
        if inputs["op"] == "get":
            found = await self._memories.recall(bot, owner, kept_under)
            return Outcome(Done(None if found is None else _value(found)))
        text = None
        if inputs["op"] == "set":
            text = json.dumps(inputs["value"], ensure_ascii=False, separators=(",", ":"))
            if len(text) > LONGEST_VALUE:
                return Outcome(
                    Failed(f"a value has at most {LONGEST_VALUE} characters, this one {len(text)}")
                )
        await self._memories.remember(bot, owner, kept_under, text, self._clock.now_ms())
        return Outcome(Done(inputs["value"] if text is not None else None))


def _place(doing: Doing, key: str) -> tuple[str, str]:
    """Whose it is, and under what it is kept: two platforms may give the same id to two people."""
    if doing.inputs["scope"] == "bot":
        return "", f"kept:{key}"
    return doing.user, f"kept:{doing.platform}:{key}"


def _value(text: str) -> Json:
    try:
        found: Json = json.loads(text)
    except ValueError:
        return text
    return found
