"""The control session: by it a daemon is alive, hears news, and knows its number.

    open ─▶ joined: a row in `daemons`, its advisory lock ─▶ a beat each second ─▶ close: it left
                 ▲                                              │ the connection broke
                 └── the same number, where nobody buried it ◀──┤ again and again, `FIRST_WAIT_S` .. `LONGEST_WAIT_S`
                     another number, where somebody did ◀───────┘ and a `GAP` is heard

Rules:
* The server ends a session that says nothing for six seconds (`TALKATIVE`): a daemon that hangs loses its lock.
* Every other session that writes in the daemon's name is made here (`session`): it bears the daemon's name, by which
  others see that the daemon is not gone, and its number is then the one that stands. While the control session is
  broken none is made.
* One unit at a time uses the session; a unit that fails for want of a connection has a `StoreError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from runner.clock import Clock
from runner.errors import StoreError, StoreRefused
from runner.ports.fleet import News, NewsKind
from runner.store.hearing import Ears
from runner.store.postgres.connection import Connection, hang_up
from runner.store.postgres.faults import in_our_words, is_lost, is_passing
from runner.store.postgres.news import CHANNEL, news_from, payloads
from runner.store.queries import Queries

T = TypeVar("T")
Connect = Callable[[], Awaitable[Connection]]

BEAT_S = 1.0
ANSWER_S = 4.0
"""A statement that is not answered by then: the connection is of no use."""
LONGEST_UNIT_S = 20.0
MOST_UNTOLD = 1000
"""Hints that wait until they can be told; more are lost."""
GRACE_S = 3.0
"""After we came back, others may still be on their way back: so long nobody is taken for dead."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0
TRIES = 6
_LOCK_WAIT_S = 0.05
_LOCK_TRIES = 60


@dataclass(frozen=True, slots=True)
class About:
    """What the others are told of us; `schema`: the newest that we know."""

    name: str
    version: str
    schema: int


def session_name(daemon: int) -> str:
    """What the sessions of a daemon that must be gone before it is buried are called on the server."""
    return f"botrunner/{daemon}"


class Control:
    """The session. `run` beats, and reconnects, for as long as the store is open.

    Args:
        connect: makes a `TALKATIVE` connection; raises StoreError and StoreRefused.
        ears: who listens here.
        grace_s: as `GRACE_S`; seconds.
    """

    def __init__(
        self, connect: Connect, clock: Clock, sql: Queries, about: About, ears: Ears, grace_s: float = GRACE_S
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._sql = sql
        self._about = about
        self._ears = ears
        self._grace_s = grace_s
        self._session: Connection | None = None
        self._pid = 0
        self._number = 0
        self._turn = asyncio.Lock()
        self._there = asyncio.Event()
        self._lost = asyncio.Event()
        self._since = 0.0
        self._measured = (0, 0.0)
        self._untold: dict[News, None] = {}

    @property
    def number(self) -> int:
        """Ours, as far as we know; 0 before `open`."""
        return self._number

    @property
    def is_steady(self) -> bool:
        """Whether we have been connected for long enough to say that somebody else is not."""
        return self._there.is_set() and self._clock.monotonic() - self._since >= self._grace_s

    def now_ms(self) -> int:
        """The server's clock, as near as the latest beat told."""
        told, at = self._measured
        return told + round((self._clock.monotonic() - at) * 1000)

    async def open(self) -> None:
        """Join. Raises StoreRefused and StoreError."""
        self._ears.open()
        await self._begin()
        await self.tell_others(News(NewsKind.DAEMONS))

    async def close(self) -> None:
        """Leave, once the daemon's other sessions have ended. Again: does nothing."""
        with suppress(StoreError):
            await self._do(self._leave)
            await self.tell_others(News(NewsKind.DAEMONS))
        session, self._session = self._session, None
        self._there.clear()
        if session is not None:
            await hang_up(session)
        self._ears.close()

    async def run(self) -> None:
        """Beat and reconnect. Runs until it is cancelled; never raises by itself."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._lost.wait()
            if self._lost.is_set():
                await self._come_back()
                continue
            try:
                await self._do(self._beat)
            except Exception:  # noqa: BLE001 - whatever it is, a new session is the answer to it
                self._lose(self._session)

    async def session(self) -> Connection:
        """A new connection that may write in our name (`number`) for as long as it lasts.

        Nobody buries us while it lives; where we were buried all of them have ended.

        Raises:
            StoreRefused: as `connect`.
            StoreError: it cannot be had now, as while the control session is broken.
        """
        connection = await self._connect()
        async with _ended_where_it_fails(connection), asyncio.timeout(ANSWER_S):
            await self._introduce(connection)
        return connection

    async def _introduce(self, connection: Connection) -> None:
        """Give it our name; then see whether that name still is ours."""
        while True:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await self._there.wait()
            number = self._number
            await connection.execute(self._sql["name_session"], session_name(number))
            if await self._stands(connection) and number == self._number:
                return
            self._lose(self._session)  # buried: it comes back as another one

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """Rows of one statement. Raises StoreError."""
        return await self._do(lambda connection: connection.fetch(query, *args))

    async def write(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        """One transaction, done again where others were in its way. Raises StoreError."""

        async def transaction(connection: Connection) -> T:
            for number in range(TRIES):
                try:
                    async with connection.transaction():
                        return await unit(connection)
                except asyncpg.PostgresError as error:
                    if number == TRIES - 1 or not is_passing(error):
                        raise
                await self._clock.sleep(FIRST_WAIT_S)
            raise AssertionError("the last try has returned or raised")

        return await self._do(transaction, LONGEST_UNIT_S)

    async def tell_others(self, *news: News) -> None:
        """Give hints, those of several callers at once; a hint that cannot be given is lost."""
        if self._there.is_set() and len(self._untold) < MOST_UNTOLD:
            self._untold.update(dict.fromkeys(news))
            with suppress(StoreError):
                await self._do(self._tell)

    # ── on the session ───────────────────────────────────────────────────────────────────────────────────
    async def _do(self, unit: Callable[[Connection], Awaitable[T]], within_s: float = ANSWER_S) -> T:
        """One unit; the connection is given up where it takes longer."""
        async with self._turn:
            session = self._session
            if session is None or session.is_closed():
                self._lose(session)
                raise StoreError("the connection with the database is gone")
            alarm = asyncio.get_running_loop().call_later(within_s, self._lose, session)
            try:
                return await unit(session)
            except Exception as error:
                if is_lost(error):
                    self._lose(session)
                told = in_our_words(error)
                if told is error:
                    raise
                raise told from error
            finally:
                alarm.cancel()

    async def _beat(self, session: Connection) -> None:
        asked = self._clock.monotonic()
        seen_ms = await session.fetchval(self._sql["beat"], self._number)
        answered = self._clock.monotonic()
        if seen_ms is None:
            self._lose(session)
        else:
            self._measured = (int(seen_ms), (asked + answered) / 2)

    async def _tell(self, session: Connection) -> None:
        told, self._untold = self._untold, {}
        if told:
            await session.execute(self._sql["tell"], payloads(self._number, told))

    async def _leave(self, session: Connection) -> None:
        await session.execute(self._sql["leave"], self._number)
        await session.execute(self._sql["name_session"], "botrunner")
        await session.execute(self._sql["unlock_daemon"], self._number)

    # ── coming and going ─────────────────────────────────────────────────────────────────────────────────
    async def _come_back(self) -> None:
        wait = FIRST_WAIT_S
        while True:
            try:
                await self._begin()
            except Exception:  # noqa: BLE001 - it must not end while the store is open
                await self._clock.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                self._ears.gap()
                return

    async def _begin(self) -> None:
        """A new connection, with our number or another one. Raises StoreError."""
        session = await self._connect()
        async with _ended_where_it_fails(session):
            self._number = await self._identify(session)
            await session.add_listener(CHANNEL, self._hear)
            self._since = self._clock.monotonic()
            await self._beat(session)
        self._pid = session.get_server_pid()
        self._session = session
        self._lost.clear()
        self._there.set()
        session.add_termination_listener(self._lose)

    async def _identify(self, session: Connection) -> int:
        """Our number: the one that we had, unless it was buried."""
        if self._number and await self._still_stands(session):
            await session.execute(self._sql["name_session"], session_name(self._number))
            return self._number
        about = self._about
        async with session.transaction():
            await session.execute(self._sql["wait_at_the_door"])
            await session.execute(self._sql["enter_door"])
            await session.execute(self._sql["forget_daemons"])
            number = await session.fetchval(self._sql["join"], about.name, about.version, about.schema)
        if number is None:
            raise StoreRefused(
                "the store has a schema that this botrunner must not use: install the newer one"
            )
        await session.execute(self._sql["name_session"], session_name(number))
        return int(number)

    async def _still_stands(self, session: Connection) -> bool:
        """Take our lock again, where we were not buried. Raises StoreError where it is not to be had."""
        for _ in range(_LOCK_TRIES):
            if not await self._stands(session):
                return False
            if await session.fetchval(self._sql["lock_daemon"], self._number):
                if await self._stands(session):
                    return True
                await session.execute(self._sql["unlock_daemon"], self._number)
                return False
            await session.execute(self._sql["end_old_control"], self._pid, session_name(self._number))
            await self._clock.sleep(_LOCK_WAIT_S)
        raise StoreError("an old session of ours does not end")

    async def _stands(self, connection: Connection) -> bool:
        return bool(await connection.fetchval(self._sql["daemon_stands"], self._number, self._about.name))

    def _lose(self, session: object) -> None:
        """That session is of no more use: `run` makes another one."""
        if self._session is None or session is not self._session:
            return
        lost, self._session = self._session, None
        self._there.clear()
        self._lost.set()
        lost.terminate()

    def _hear(self, _session: object, _pid: int, _channel: str, payload: object) -> None:
        daemon, news = news_from(str(payload))
        if daemon != self._number:
            self._ears.hear(news)


@asynccontextmanager
async def _ended_where_it_fails(session: Connection) -> AsyncIterator[None]:
    """Let go of a session whose beginning fails; what the database says is told in our words."""
    try:
        yield
    except BaseException as error:
        session.terminate()
        if isinstance(error, Exception):
            told = in_our_words(error)
            if told is not error:
                raise told from error
        raise
