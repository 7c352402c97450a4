"""The one thread that writes, with group commit.

    loop    write(unit) ─▶ queue ─┐                                    ┌─▶ results, one wake-up a batch
    thread                        └─▶ BEGIN  unit unit unit …  COMMIT ─┘

Rules:
* A unit is a function of the connection, and all that waits at that moment goes into ONE transaction: one
  fsync for many.
* A unit that raises is undone alone and its neighbours go on. Nearly none raises after it has written, so the
  batch is first run without savepoints; where one does, all of it is rolled back and run again with one each.
* So a unit has no effect but on the connection, writes by INSERT, UPDATE and DELETE only, and may be run twice.
* Nothing is reported before the commit; where the commit fails, all of the batch failed and nothing was done.
* Units run in the order in which they were asked for. Cancelling whoever waits for a unit does not cancel the
  unit: a later one sees its deed.
* The queue is bounded: beyond it, asking waits.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from runner.errors import StoreError
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.queries import Queries

T = TypeVar("T")
Unit = Callable[[sqlite3.Connection], T]

WAITING = 4096
"""Units that may wait for the thread."""
BATCH = 256
"""Units in one transaction at most: what bounds how long the first of them waits."""


class _Job:
    """A unit on its way through the thread: it has a result or an error when it comes back."""

    __slots__ = ("error", "future", "result", "unit", "writes")

    def __init__(self, unit: Unit[Any], future: asyncio.Future[Any], *, writes: bool) -> None:
        self.unit = unit
        self.future = future
        self.writes = writes
        self.result: Any = None
        self.error: Exception | None = None

    def report(self) -> None:
        """On the loop: tell whoever still waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Owns the connection and its thread, from `open` until `close`."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], sql: Queries, waiting: int = WAITING
    ) -> None:
        self._connect = connect
        self._sql = sql
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(waiting)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Start the thread and connect in it; raises what `connect` raises, and is closed then."""
        loop = self._loop = asyncio.get_running_loop()
        self._jobs = queue.SimpleQueue()
        opened: asyncio.Future[None] = loop.create_future()
        self._ended = loop.create_future()
        threading.Thread(target=self._run, args=(opened,), name="store-writer", daemon=True).start()
        try:
            await opened
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for, then let the connection go. Again: does nothing."""
        if self._loop is None or self._ended is None:
            return
        self._loop = None
        self._jobs.put(None)
        await asyncio.shield(self._ended)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit that may write; returns when it is durable.

        Raises:
            StoreError: nothing of it was done.
        """
        return await self._ask(unit, writes=True)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, in order with the others."""
        return await self._ask(unit, writes=False)

    async def _ask(self, unit: Unit[T], *, writes: bool) -> T:
        await self._room.acquire()
        if self._loop is None:
            self._room.release()
            raise StoreError("the store is not open")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(unit, future, writes=writes))
        return await future

    # ── on the loop, called by the thread ────────────────────────────────────────────────────────────────
    def _report(self, batch: Sequence[_Job]) -> None:
        for job in batch:
            self._room.release()
            job.report()

    @staticmethod
    def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    # ── on the thread ────────────────────────────────────────────────────────────────────────────────────
    def _run(self, opened: asyncio.Future[None]) -> None:
        loop, ended = opened.get_loop(), self._ended
        try:
            connection = self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever opens the store is told
            _tell(loop, self._settle, opened, error)
        else:
            _tell(loop, self._settle, opened, None)
            while batch := self._next_batch():
                self._commit(connection, batch)
                _tell(loop, self._report, batch)
            connection.close()
        if ended is not None:
            _tell(loop, self._settle, ended, None)

    def _next_batch(self) -> list[_Job]:
        """All that waits now; waits where there is nothing; empty: close."""
        first = self._jobs.get()
        if first is None:
            return []
        batch = [first]
        for _ in range(min(self._jobs.qsize(), BATCH - 1)):
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)  # the end comes after this batch
                break
            batch.append(job)
        return batch

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        begin = self._sql["begin_write" if any(job.writes for job in batch) else "begin_read"]
        try:
            connection.execute(begin)
            if not self._run_plainly(connection, batch):
                connection.execute(self._sql["rollback"])
                connection.execute(begin)
                self._run_guarded(connection, batch)
            connection.execute(self._sql["commit"])
        except sqlite3.Error as error:
            for job in batch:
                job.error = store_error(error)
            self._roll_back(connection)

    @staticmethod
    def _run_plainly(connection: sqlite3.Connection, batch: Sequence[_Job]) -> bool:
        """Run the units one after the other; False: one raised after it had written."""
        for job in batch:
            written = connection.total_changes
            try:
                job.result = job.unit(connection)
            except Exception as error:
                job.error = _in_our_words(error)
                if not connection.in_transaction:
                    raise  # SQLite has rolled all of it back: disk full, I/O error
                if connection.total_changes != written:
                    return False
        return True

    def _run_guarded(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        """Run the units, each in a savepoint that is undone where it raises."""
        for job in batch:
            job.error = None
            connection.execute(self._sql["savepoint"])
            try:
                job.result = job.unit(connection)
            except Exception as error:
                job.error = _in_our_words(error)
                if not connection.in_transaction:
                    raise
                connection.execute(self._sql["undo_unit"])
            connection.execute(self._sql["keep_unit"])

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute(self._sql["rollback"])
        except sqlite3.Error:
            # The next BEGIN fails loudly, and each unit is told so.
            return


def _in_our_words(error: Exception) -> Exception:
    return store_error(error) if isinstance(error, sqlite3.Error | OverflowError) else error


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> None:
    """Wake the loop, if there is one still."""
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:
        # The loop was closed without closing the store: nobody is left to be told.
        return
