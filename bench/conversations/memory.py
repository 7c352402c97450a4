"""What many conversations leave behind in one daemon's memory.

Rule: each conversation is one message of a user who never wrote before, through a real daemon, to its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.load.stage import Crowd, Stage
from bench.load.subjects import BOTRUNNER, running

AT_ONCE = 50


async def resident_mib(samples: int, each: int, told: Callable[[int], None]) -> list[float]:
    """Resident memory after every `each` conversations, MiB; `told` is called with the number so far."""
    found = []
    async with Stage("telegram") as stage:
        bot = stage.seat("telegram")
        async with running(BOTRUNNER, stage, [bot]) as process:
            for number in range(1, samples + 1):
                crowd = Crowd(bot.seat, number * 1_000_000)
                await crowd.all_at_once(AT_ONCE, each, strangers=True)
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
