"""What is true of a fleet afterwards: what its store lists, its ledger holds, in which order it answered."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.money.ledger import LedgerEntry
from runner.ports.books import LedgerFilter
from runner.ports.mail import OutboxState
from runner.store.catalogue import open_reader
from tests.faults.reckoning import STILL_S, text_of


async def books_at(database: str, folder: Path) -> list[LedgerEntry]:
    """All rows of the ledger, which must agree with the counters."""
    reader = open_reader(database, folder)
    await reader.open()
    assert await reader.verify_books() == []
    rows = [row async for row in reader.ledger(LedgerFilter())]
    await reader.close()
    return rows


async def listed_at(database: str, folder: Path) -> Counter[str]:
    """Answers that the store lists as possibly doubled, with how often."""
    reader = open_reader(database, folder)
    await reader.open()
    found: Counter[str] = Counter()
    for state in (OutboxState.SENT, OutboxState.UNKNOWN):
        after = 0
        while page := await reader.outgoing(state, 500, after):
            after = page[-1].id
            for row in page:
                found[text_of(row)] += row.crashes
    await reader.close()
    return +found


async def until_all(missing: Callable[[], set[str]]) -> None:
    """Wait while answers come, until there are all."""
    left, still = missing(), 0.0
    while left:
        await asyncio.sleep(0.1)
        now = missing()
        still = 0.0 if now != left else still + 0.1
        left = now
        assert still < STILL_S, f"not answered: {sorted(left)[:20]} and {max(0, len(left) - 20)} more"


def check_order(said: Mapping[str, Sequence[str]], read: Sequence[str]) -> None:
    """Each writer's words were answered in their order, looking at each answer's first coming."""
    first: dict[str, list[str]] = defaultdict(list)
    writers = {f"re {word}": writer for writer, words in said.items() for word in words}
    for text in read:
        writer = writers.get(text)
        if writer is not None and text not in first[writer]:
            first[writer].append(text)
    for writer, words in said.items():
        assert first[writer] == [f"re {word}" for word in words], writer
