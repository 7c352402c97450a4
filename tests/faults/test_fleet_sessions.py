"""Daemons on PostgreSQL that are killed, that hang, and that lose their server: who is buried, and who is not."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.ports.fleet import Burial, News, NewsKind
from runner.ports.stores import Recovery, Store
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.fleets.postgres_world import daemon_at
from tests.contract.fleets.relay import Relay
from tests.contract.fleets.worlds import PATIENCE_S, buried, fleet_of
from tests.contract.stores.examples import NOON, UNKNOWN, answer, finished, held, inbound, rows
from tests.faults.fleet_member import LANE

ROOT = Path(__file__).parents[2]
FOR_EVER_S = 1e9

pytestmark = [pytest.mark.faults, pytest.mark.slow]


class Child:
    """A daemon in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self, word: str) -> str:
        """What came after that word, the next time it says it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._process.stdout:
                first, _, rest = line.decode().strip().partition(" ")
                if first == word:
                    return rest
        raise AssertionError(f"it ended and never said {word}")

    def send(self, what: signal.Signals) -> None:
        self._process.send_signal(what)


@asynccontextmanager
async def child_of(url: str) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.fleet_member", url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def opened(url: str, name: str = "watcher") -> AsyncIterator[PostgresStore]:
    store = daemon_at(url, name)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def take_over(store: Store) -> None:
    """Work on the lane that the child held."""
    async with store.lane(LANE) as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        await session.finish(finished(work, "hello"))


async def test_a_killed_daemon_is_missed_at_once(postgres_url: str) -> None:
    async with opened(postgres_url) as store, child_of(postgres_url) as child:
        number = int(await child.said("there"))
        assert await fleet_of(store).bury() == Burial()
        async with store.lane(LANE) as session:
            assert session is None
        began = time.monotonic()
        child.send(signal.SIGKILL)
        assert await buried(store, number) == Burial((number,), holds_unknown=1, sends_again=1)
        print(f"buried {time.monotonic() - began:.2f} s after the kill")
        await take_over(store)
        assert [row.state for row in await rows(store)] == [UNKNOWN]


async def test_a_hung_daemon_is_buried_and_goes_on_as_another(postgres_url: str) -> None:
    async with opened(postgres_url) as store, child_of(postgres_url) as child:
        number = int(await child.said("there"))
        began = time.monotonic()
        child.send(signal.SIGSTOP)
        try:
            assert await buried(store, number) == Burial((number,), holds_unknown=1, sends_again=1)
            print(f"buried {time.monotonic() - began:.2f} s after it stopped")
            await take_over(store)
        finally:
            child.send(signal.SIGCONT)
        later = int(await child.said("gap"))
        assert later > fleet_of(store).daemon
        assert later != number
        assert await child.said("settled") == "LaneLost"
        lines = {line.id: line.ended_ms is None for line in await fleet_of(store).daemons()}
        assert lines == {fleet_of(store).daemon: True, number: False, later: True}


async def test_after_the_server_was_away_nobody_is_buried_who_lives(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    database = server.fresh()
    relays = [Relay(server.port), Relay(server.port)]
    stores: list[PostgresStore] = []
    try:
        for relay in relays:
            await relay.open()
            url = server.url(database)
            stores.append(daemon_at(url.replace(f":{server.port}/", f":{relay.port}/"), "one"))
            await stores[-1].open()
            stores[-1]._control._grace_s = FOR_EVER_S
        await outlive(server, database, stores, relays)
    finally:
        for store, relay in zip(stores, relays, strict=False):
            relay.mend()
            await store.close()
            await relay.close()
        server.stop("immediate")


async def outlive(
    server: PostgresServer, database: str, stores: list[PostgresStore], relays: list[Relay]
) -> None:
    """The server crashes; a newcomer is there first, then one after the other comes back."""
    one, two = stores
    await held(one, "a1")
    await answer(two, inbound("e1"), parts=1)
    numbers = [store.fleet.daemon for store in stores]
    ears = [store.fleet.listen() for store in stores]
    for relay in relays:
        relay.cut()
    server.restart("immediate")  # in this thread: the server goes with the one that starts it
    newcomer = daemon_at(server.url(database), "newcomer")
    newcomer._control._grace_s = newcomer.fleet._silent_s = FOR_EVER_S
    await newcomer.open()
    assert await newcomer.recover() == Recovery()
    for relay, listener, store in zip(relays, ears, stores, strict=True):
        assert await newcomer.fleet.bury() == Burial()
        relay.mend()
        async with asyncio.timeout(PATIENCE_S):
            while await anext(listener) != News(NewsKind.GAP):
                pass
        assert await store.fleet.bury() == Burial()
    assert [store.fleet.daemon for store in stores] == numbers
    for store in stores:
        store._control._grace_s = 0.0
        assert await store.fleet.bury() == Burial()
    await newcomer.close()
    assert await buried(one, newcomer.fleet.daemon) == Burial((newcomer.fleet.daemon,))
    assert [row.state for row in await rows(one)] == ["held"]
