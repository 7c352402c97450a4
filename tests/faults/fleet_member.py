"""A process that has a store open as one daemon of a fleet, until it is killed; what happens to it is a line on stdout.

there <number>     it holds the lane `lane-child`, the attempt `child` and is sending a part
gap <number>       it heard a gap, and that is its number then
settled <how>      after the first gap it tried to settle the attempt, and to go on in the lane
"""

import asyncio
import os
import sys

from runner.clock import SystemClock
from runner.errors import BotrunnerError
from runner.ports.books import Held
from runner.ports.fleet import NewsKind
from runner.ports.stores import LaneSession
from runner.store.postgres.address import address_of
from runner.store.postgres.store import PostgresStore
from tests.contract.stores.examples import NOON, answer, inbound, settled, wish

LANE = "lane-child"


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def live(url: str) -> None:
    """For ever."""
    store = PostgresStore(address_of(url), SystemClock())
    await store.open()
    news = store.fleet.listen()
    await answer(store, inbound("first", lane="another"), parts=1)
    await store.accept(inbound("second", lane=LANE))
    async with store.lane(LANE) as session:
        assert session is not None
        await session.next(NOON)
        assert isinstance(await session.hold(wish("child")), Held)
        say("there", store.fleet.daemon)
        async for one in news:
            if one.kind is NewsKind.GAP:
                say("gap", store.fleet.daemon)
                say("settled", await go_on(session))


async def go_on(session: LaneSession) -> str:
    """What the lane's holder is told."""
    try:
        await session.settle(settled("child"))
    except BotrunnerError as error:
        return type(error).__name__
    return "as if nothing had happened"


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1]))
