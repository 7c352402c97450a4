"""The promise: a daemon that has seen many people is no bigger than one that has seen a few.

$BOTRUNNER_CONVERSATIONS sets how many (10000: the whole of it, as `python -m bench.conversations` shows it).
"""

import os

import pytest

from bench.conversations.memory import resident_mib

CONVERSATIONS = int(os.environ.get("BOTRUNNER_CONVERSATIONS", "3000"))
SAMPLES = 6
WARM = 2
MOST_GROWTH_MIB = 3.0
"""2 KiB for each conversation after the warm-up would already be more; measured: some 0.3 MiB in all."""


@pytest.mark.slow
@pytest.mark.faults
async def test_memory_is_flat_once_it_is_warm() -> None:
    passed: list[int] = []

    rss = await resident_mib(SAMPLES, CONVERSATIONS // SAMPLES, passed.append)

    assert passed[-1] == CONVERSATIONS // SAMPLES * SAMPLES
    assert rss[-1] - rss[WARM - 1] < MOST_GROWTH_MIB, f"MiB after each {CONVERSATIONS // SAMPLES}: {rss}"
