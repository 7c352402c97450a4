"""Several real daemons on one real PostgreSQL, with the same bots.yaml but for the port, and who stands before them."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import asyncpg

from runner.testing.postgres_server import PostgresServer
from tests.faults.daemon_process import Daemon

HOLDER = "SELECT d.name FROM leases JOIN daemons AS d ON d.id::text = leases.holder WHERE leases.name = $1"


class Fleet:
    """The daemons, each in a folder of its own. `database`: the address of their store, one for each or one for all."""

    def __init__(self, daemons: Sequence[Daemon], server: PostgresServer, database: str) -> None:
        self.daemons = list(daemons)
        self.server = server
        self.database = database
        self.stopped: set[int] = set()

    def url(self, number: int) -> str:
        """Where that daemon answers, whether it does or not."""
        return self.daemons[number].url

    def up(self) -> list[Daemon]:
        """Those that run and are not stopped by a signal."""
        return [each for each in self.daemons if each.alive() and each.pid not in self.stopped]

    async def start(self) -> None:
        """All of them, one after another as a rolling start does."""
        for daemon in self.daemons:
            await daemon.start()
            await daemon.ready()

    async def holder(self, lease: str) -> Daemon:
        """Who holds that lease; waits until somebody does who runs."""
        async with asyncio.timeout(60):
            while True:
                connection = await asyncpg.connect(self.database)
                try:
                    name = await connection.fetchval(HOLDER, lease)
                finally:
                    await connection.close()
                for daemon in self.up():
                    if name is not None and name.endswith(f"/{daemon.pid}"):
                        return daemon
                await asyncio.sleep(0.1)

    async def again(self, daemon: Daemon) -> None:
        """Start one that was killed."""
        await daemon.gone()
        await daemon.start()
        await daemon.ready()

    def freeze(self, daemon: Daemon) -> None:
        """SIGSTOP: it hangs."""
        self.stopped.add(daemon.pid)
        os.kill(daemon.pid, signal.SIGSTOP)

    def thaw(self, daemon: Daemon) -> None:
        """SIGCONT: it goes on."""
        os.kill(daemon.pid, signal.SIGCONT)
        self.stopped.discard(daemon.pid)

    async def stop(self) -> None:
        """SIGTERM for all, and wait for their ends."""
        for daemon in self.daemons:
            if daemon.alive():
                await daemon.stop()


@asynccontextmanager
async def fleet(
    folder: Path, server: PostgresServer, config: str, number: int, database: str = ""
) -> AsyncIterator[Fleet]:
    """So many daemons, not yet started.

    `config` has PORT where each one's port belongs and STORE for its store; LINK in `database` is its number.
    """
    address = database or server.url(server.fresh())
    with ExitStack() as stack:
        daemons = []
        for place in range(number):
            home = folder / f"daemon{place}"
            home.mkdir()
            own = address.replace("LINK", str(place))
            text = config.replace("PORT", str(free_port())).replace("STORE", own)
            daemons.append(stack.enter_context(Daemon(home, text)))
        found = Fleet(daemons, server, address)
        try:
            yield found
        finally:
            for daemon in daemons:
                if daemon.pid in found.stopped and daemon.alive():
                    found.thaw(daemon)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Balancer:
    """One address before all daemons: each connection goes to another one that takes it, at random."""

    def __init__(self, house: Fleet, rng: random.Random) -> None:
        self._house = house
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        targets = self._house.up()
        self._rng.shuffle(targets)
        for daemon in targets:
            try:
                far_reader, far_writer = await asyncio.open_connection(
                    "127.0.0.1", int(daemon.url.rpartition(":")[2])
                )
            except OSError:
                continue
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, far_writer))
                    group.create_task(_pump(far_reader, writer))
            except* OSError:
                pass
            finally:
                far_writer.close()
            return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
