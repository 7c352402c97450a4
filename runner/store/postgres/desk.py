"""Rare work and reads, each in a transaction of its own, on a few connections that are made when they are needed.

Rules:
* `write`: one transaction, READ COMMITTED; undone and done again where another daemon was in its way (deadlock,
  serialization, a lock that took too long), so a unit has no effect but on the connection.
* `read`: one snapshot (REPEATABLE READ, read only), done again on another connection where one broke.
* IllegalStep and other errors of a unit undo it and pass; the database's become StoreError.
* A connection that broke is left; the next work makes another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from runner.clock import Clock
from runner.errors import StoreError
from runner.store.postgres.connection import Connection, hang_up
from runner.store.postgres.faults import in_our_words, is_lost, is_passing

T = TypeVar("T")
Unit = Callable[[Connection], Awaitable[T]]
Connect = Callable[[], Awaitable[Connection]]

CONNECTIONS = 4
TRIES = 6
_AGAIN_S = 0.02
"""The first wait before a transaction is done again; then twice as long each time."""


class Desk:
    """Runs units.

    Args:
        connect: makes a connection; raises StoreError and StoreRefused.
    """

    def __init__(self, connect: Connect, clock: Clock, connections: int = CONNECTIONS) -> None:
        self._connect = connect
        self._clock = clock
        self._room = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []
        self._is_open = False

    async def open(self, *, at_once: bool = True) -> None:
        """Make the first connection, or wait with it for the first work. Raises StoreRefused and StoreError."""
        self._is_open = True
        if at_once:
            async with self._connection():
                return

    async def close(self) -> None:
        """Let the connections go; what is under way ends by itself. Again: does nothing."""
        self._is_open = False
        idle, self._idle = self._idle, []
        for connection in idle:
            await hang_up(connection)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit that may write; returns when it is durable.

        Raises:
            StoreError: nothing of it was done; or, where the connection broke at its very end, perhaps.
        """
        for number in range(TRIES):
            try:
                async with self._connection() as connection, connection.transaction():
                    return await unit(connection)
            except Exception as error:
                if number == TRIES - 1 or not is_passing(error):
                    told = in_our_words(error)
                    if told is error:
                        raise
                    raise told from error
            await self._clock.sleep(_AGAIN_S * 2**number)
        raise AssertionError("the last try has returned or raised")

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Rows of one statement that only reads, which needs no transaction. Raises StoreError."""
        return await self._reading(lambda connection: connection.fetch(query, *args))

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, all of it as of one moment. Raises StoreError."""

        async def snapshot(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await unit(connection)

        return await self._reading(snapshot)

    async def _reading(self, unit: Unit[T]) -> T:
        for number in range(TRIES):
            try:
                async with self._connection() as connection:
                    return await unit(connection)
            except StoreError:
                raise  # there is no connection to be had
            except Exception as error:
                if number == TRIES - 1 or not is_lost(error):
                    told = in_our_words(error)
                    if told is error:
                        raise
                    raise told from error
        raise AssertionError("the last try has returned or raised")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """One that nobody else uses meanwhile."""
        async with self._room:
            if not self._is_open:
                raise StoreError("the store is not open")
            connection = await self._take()
            try:
                yield connection
            except BaseException as error:
                if is_lost(error) or isinstance(error, asyncio.CancelledError):
                    connection.terminate()
                raise
            finally:
                await self._give_back(connection)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._connect()

    async def _give_back(self, connection: Connection) -> None:
        if connection.is_closed():
            return
        if self._is_open:
            self._idle.append(connection)
        else:
            await hang_up(connection)
