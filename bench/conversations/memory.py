"""What many conversations leave behind in one daemon's memory.

Rule: each conversation is one message of a user who never wrote before, through a real daemon, to its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load.stage import Crowd, Stage
from bench.load.subjects import BOTRUNNER, running

AT_ONCE = 50
TOKEN = "42:abcdefgh"


async def resident_mib(samples: int, each: int, told: Callable[[int], None]) -> list[float]:
    """Resident memory after every `each` conversations, MiB; `told` is called with the number so far."""
    found = []
    async with Stage() as stage:
        account = stage.telegram.account(TOKEN)
        async with running(BOTRUNNER, stage, [TOKEN]) as process:
            for number in range(1, samples + 1):
                crowd = Crowd(account, number * 1_000_000)
                await crowd.all_at_once(AT_ONCE, each, strangers=True)
                account.sent.clear()
                found.append(process.rss_mib())
                told(number * each)
    return found


def slope(values: Sequence[float]) -> float:
    """How much a value grows from one sample to the next: the median over all pairs (Theil and Sen)."""
    slopes = sorted(
        (later - earlier) / (j - i)
        for i, earlier in enumerate(values)
        for j, later in enumerate(values[i + 1 :], i + 1)
    )
    return slopes[len(slopes) // 2] if slopes else 0.0
