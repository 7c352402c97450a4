"""A process that works on a store until it is killed; each thing that was promised is a line on stdout first.

accept <event>     hold <attempt>     settle <attempt> <cost>     finish <event>
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from runner.clock import SystemClock
from runner.errors import IllegalStep
from runner.ports.books import Held, HoldRequest, Settlement
from runner.ports.mail import OutboxState, StoredStep, Work
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import (
    NOON,
    RELEASED,
    WANTED,
    attempt,
    finished,
    inbound,
    scope,
    settled,
    wish,
)

ENDS = (OutboxState.SENT, OutboxState.REJECTED, OutboxState.UNKNOWN)


def promise(*words: object) -> None:
    """Say it as soon as the store has returned."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def answer(store: SqliteStore, work: Work, dice: random.Random) -> None:
    """One turn, as it is walked: hold, settle with the reply, finish with the outbox, send."""
    name = f"{work.turn}.{work.attempts_used}"
    cost = dice.randrange(1, 1100)
    result = await store.hold(wish(name, [scope("bot", None), scope(work.lane, None)], turn=work.turn))
    assert isinstance(result, Held)
    promise("hold", name)
    step = StoredStep(len(work.steps), "reply")
    await store.settle(settled(name, cost, step=step))
    promise("settle", name, cost)
    if dice.randrange(5) == 0:
        await stumble(store, f"{name}.again", work, step)
    parts = await store.finish(finished(work, work.payload, parts=1))
    promise("finish", work.payload.split('"')[3])
    for part in parts:
        await store.end_sending(part.id, dice.choice(ENDS))


async def stumble(store: SqliteStore, name: str, work: Work, step: StoredStep) -> None:
    """A unit that fails after it has written, among neighbours that must not notice."""
    await store.hold(HoldRequest(attempt(name, turn=work.turn), (scope("bot", None),), WANTED))
    promise("hold", name)
    try:
        await store.settle(settled(name, step=step))
    except IllegalStep:
        await store.settle(Settlement(name, RELEASED))


async def lane(store: SqliteStore, name: str, dice: random.Random) -> None:
    """Accept and answer, for ever; some events come twice."""
    number = 0
    while True:
        event = f"{name}-{os.getpid()}-{number}"
        number += dice.randrange(2)
        await store.accept(inbound(event, lane=name))
        promise("accept", event)
        async with store.lane(name) as session:
            assert session is not None
            work = await session.next(NOON)
            if work is not None:
                await answer(store, work, dice)


async def main(path: str, seed: int) -> None:
    dice = random.Random(seed)
    store = SqliteStore(Path(path), SystemClock())
    await store.open()
    await store.recover()
    async with asyncio.TaskGroup() as group:
        for n in range(12):
            group.create_task(lane(store, f"lane-{n}", dice), name=f"lane {n}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
