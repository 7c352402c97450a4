"""What things cost on this machine's PostgreSQL, for the simulation: the real store and its own queries.

    rows, first   the store does so many of a kind one by one, and all at once: a batch's first unit, and each further
    batch         a transaction with nothing in it
    fsync         a commit that waits for the disk, less one that does not
    the rest      the daemons' habits, asked many times of a database that is as full as it says

Rules: a cost is processor time of the server's sessions, by the kernel's own count, so that a machine that others use
too changes it little; only `fsync` and `trip_here` are times on the clock.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import psutil

from bench.fleet.settings import Kind
from bench.load.fleet import OURS, Round, every, running
from bench.load.fleet_plan import write_bots
from runner.clock import SystemClock
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import HoldRequest, Settlement
from runner.ports.mail import (
    ConversationState,
    FinishedTurn,
    NewInbound,
    NewOutbound,
    OutboxState,
    StoredStep,
    Work,
)  # fmt: skip
from runner.ports.stores import LaneSession, Store
from runner.store.catalogue import open_store
from runner.store.postgres.fleet import NEIGHBOURS
from runner.store.postgres.news import CHANNEL
from runner.testing.postgres_server import PostgresServer

MANY, ALONE = 1024, 150
BATCH = 256
TIMES = 300
QUIET_S = 5.0
LISTENERS = 40
LOCKS = 10_000
FEW = 50
SLEEP = """
WITH others AS (
    INSERT INTO daemons (name, version, schema, started_ms, seen_ms)
    SELECT 'bench', '', 1, now_ms, now_ms
    FROM generate_series(1, $1::integer),
        (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
    RETURNING id
)
SELECT count(pg_advisory_lock(1651471474, id)) FROM others"""
"""Daemons that are there and do nothing: rows with their locks."""
NANO = 1e9
Answer = dict[str, Any]


def calibrate() -> Answer:
    """Start a durable server and measure; what `read_costs` reads."""
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as name:
        Path(name).chmod(0o755)
        server = PostgresServer(Path(name) / "postgres", {"max_connections": "300"}, durable=True)
        server.start()
        try:
            found = asyncio.run(_measure(server.url(server.fresh())))
            return found | {"idle": asyncio.run(_idle(server, Path(name)))}
        finally:
            server.stop()


async def _measure(url: str) -> Answer:
    async with AsyncExitStack() as opened:
        watch = await asyncpg.connect(url)
        opened.push_async_callback(watch.close)
        store = open_store(url, Path(), SystemClock())
        await store.open()
        opened.push_async_callback(store.close)
        bench = _Bench(store, watch)
        first, rows = await bench.kinds()
        found: Answer = {
            "rows": {kind.name.lower(): cost for kind, cost in rows.items()},
            "first": {kind.name.lower(): cost for kind, cost in first.items()},
            "backend_mib": await bench.memory(),
        }
        return found | await bench.habits(url)


class _Bench:
    """The store's hot paths, one kind after the other on the same messages."""

    def __init__(self, store: Store, watch: asyncpg.Connection[asyncpg.Record]) -> None:
        self._store = store
        self._watch = watch
        self._lanes: dict[int, LaneSession] = {}
        self._work: dict[int, Work] = {}
        self._parts: dict[int, int] = {}
        self._held: dict[int, AbstractAsyncContextManager[LaneSession | None]] = {}

    async def kinds(self) -> tuple[dict[Kind, float], dict[Kind, float]]:
        """What the first unit of a kind adds to a batch, and what each further one does."""
        steps: Sequence[tuple[Kind, Callable[[int], Awaitable[None]]]] = (
            (Kind.ACCEPT, self._accept), (Kind.ENTER, self._enter), (Kind.NEXT, self._next),
            (Kind.HOLD, self._hold), (Kind.SETTLE, self._settle), (Kind.FINISH, self._finish),
            (Kind.SENT, self._sent), (Kind.LEAVE, self._leave),
        )  # fmt: skip
        alone: dict[Kind, float] = {}
        rows: dict[Kind, float] = {}
        for _, step in steps:  # once for nothing: plans, caches
            await asyncio.gather(*(step(number) for number in range(-BATCH, 0)))
        for kind, step in steps:
            begun = await self._cpu_s()
            for number in range(ALONE):
                await step(number)
            alone[kind] = (await self._cpu_s() - begun) / ALONE
        for kind, step in steps:
            begun = await self._cpu_s()
            await asyncio.gather(*(step(number) for number in range(ALONE, ALONE + MANY)))
            batches = 1 + -(-(MANY - 1) // BATCH)
            spent = await self._cpu_s() - begun
            rows[kind] = max(0.0, (spent - batches * alone[kind]) / (MANY - batches))
        return {kind: max(0.0, alone[kind] - rows[kind]) for kind in alone}, rows

    async def memory(self) -> float:
        """What a writer's session has to itself, MiB."""
        return max(map(private_mib, await self._pids()))

    async def _pids(self) -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'botrunner/%'"
        return [row[0] for row in await self._watch.fetch(query)]

    async def _cpu_s(self) -> float:
        return sum(map(cpu_s, await self._pids()))

    async def _accept(self, number: int) -> None:
        lane = f"shop|web|c{number}"
        text = '{"text": "Could you tell me when the shop opens on Sunday?", "sender": "4711", "chat": "c"}'
        await self._store.accept(NewInbound("shop", "web", "a", f"e{number}", lane, text, _now_ms()))

    async def _enter(self, number: int) -> None:
        held = self._store.lane(f"shop|web|c{number}")
        session = await held.__aenter__()
        assert session is not None
        self._lanes[number], self._held[number] = session, held

    async def _next(self, number: int) -> None:
        work = await self._lanes[number].next(_now_ms())
        assert work is not None
        self._work[number] = work

    async def _hold(self, number: int) -> None:
        turn = self._work[number].turn
        attempt = Attempt(
            id=f"{turn}-1", time_ms=_now_ms(), bot="shop", platform="custom", channel="web",
            conversation=f"c{number}", user=f"u{number}", turn=turn, provider="house", model="m",
            price_version="1",
        )  # fmt: skip
        bound = Estimate(500, 512, 256, Money(50_000_000), 400_000_000_000)
        await self._lanes[number].hold(HoldRequest(attempt, (ScopeLimit("bot:shop", 10**17),), bound))

    async def _settle(self, number: int) -> None:
        step = StoredStep(0, '{"reply": "On Sunday the shop opens at ten and closes at four."}')
        attempt = f"{self._work[number].turn}-1"
        usage = Usage(100, 60)
        await self._lanes[number].settle(
            Settlement(attempt, ReservationState.SETTLED, Money(60_000_000), usage, step=step)
        )

    async def _finish(self, number: int) -> None:
        work, now_ms = self._work[number], _now_ms()
        state = ConversationState(f"c{number}", now_ms, now_ms, 0, 2)
        reply = NewOutbound("shop", "web", f"c{number}", '{"text": "On Sunday the shop opens at ten."}')
        filed = await self._lanes[number].finish(
            FinishedTurn(
                work.inbox_id, work.turn, "shop", "web", work.lane, f"u{number}", state, "end", now_ms,
                ('{"user": "When?"}', '{"assistant": "On Sunday at ten."}'), (reply,), platform="custom",
            )
        )  # fmt: skip
        self._parts[number] = filed[0].id

    async def _sent(self, number: int) -> None:
        await self._store.end_sending(self._parts[number], OutboxState.SENT)

    async def _leave(self, number: int) -> None:
        await self._held.pop(number).__aexit__(None, None, None)

    async def habits(self, url: str) -> Answer:
        """What daemons do without a message, and what it takes more in a large fleet."""
        async with AsyncExitStack() as opened:

            async def connect() -> asyncpg.Connection[asyncpg.Record]:
                made = await asyncpg.connect(url)
                opened.push_async_callback(made.close)
                return made

            other = await connect()
            locks = [await _locks(other)]
            await other.execute(f"SELECT count(pg_advisory_lock(g)) FROM generate_series(1, {LOCKS}) AS g")
            locks.append(await _locks(other))
            await other.execute("SELECT pg_advisory_unlock_all()")
            burials = [await self._each(self._bury)]
            await other.fetch(SLEEP, NEIGHBOURS)
            burials.append(await self._each(self._bury))
            empty = await _transactions(other)
            tell = await self._tell(other, [await connect() for _ in range(LISTENERS)])
            slow, fast = [await _commits(other, wait) for wait in ("on", "off")]
        return {
            "batch": empty,
            "fsync": max(0.0, slow - fast),
            "look_lock": max(0.0, locks[1] - locks[0]) / LOCKS,
            "bury_daemon": max(0.0, burials[1] - burials[0]) / NEIGHBOURS,
            "tell": tell[0],
            "tell_listener": tell[1],
        }

    async def _bury(self) -> None:
        assert self._store.fleet is not None
        await self._store.fleet.bury()

    async def _each(self, act: Callable[[], Awaitable[None]]) -> float:
        """Processor time of one."""
        begun = await self._cpu_s()
        for _ in range(TIMES):
            await act()
        return (await self._cpu_s() - begun) / TIMES

    async def _tell(
        self,
        teller: asyncpg.Connection[asyncpg.Record],
        listeners: Sequence[asyncpg.Connection[asyncpg.Record]],
    ) -> tuple[float, float]:
        """Processor time of one hint, the teller's and each listener's."""
        heard = asyncio.Semaphore(0)
        for one in listeners:
            await one.add_listener(CHANNEL, lambda *_: heard.release())
        pids = [one.get_server_pid() for one in listeners]
        mine, theirs = cpu_s(teller.get_server_pid()), sum(map(cpu_s, pids))
        for _ in range(TIMES):
            await teller.execute(f"SELECT pg_notify('{CHANNEL}', '')")
            for _ in listeners:
                await heard.acquire()
        told = (cpu_s(teller.get_server_pid()) - mine) / TIMES
        return told, (sum(map(cpu_s, pids)) - theirs) / TIMES / len(listeners)


async def _idle(server: PostgresServer, folder: Path) -> float:
    """What the server does for a real daemon with a hundred bots in a second in which nobody writes."""
    url, config = server.url(await asyncio.to_thread(server.fresh)), folder / "bots.yaml"
    write_bots(config, url, 100)
    (plan,) = Round(OURS, 1, 100, 0).plans(url, config)
    async with running("bench.load.fleet_daemon", plan, folder / "state") as process:
        await every([process], "ready")
        await asyncio.sleep(QUIET_S)
        pids = [child.pid for child in psutil.Process(server.pid).children()]
        begun = sum(map(cpu_s, pids))
        await asyncio.sleep(QUIET_S)
        return (sum(map(cpu_s, pids)) - begun) / QUIET_S


async def _locks(asked: asyncpg.Connection[asyncpg.Record]) -> float:
    """Processor time of reading who holds which lane, as a look for waiting lanes does."""
    query = (
        "SELECT count(*) FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
    )
    begun = cpu_s(asked.get_server_pid())
    for _ in range(FEW):
        await asked.fetch(query)
    return (cpu_s(asked.get_server_pid()) - begun) / FEW


async def _transactions(asked: asyncpg.Connection[asyncpg.Record]) -> float:
    """Processor time of a transaction with nothing in it."""
    begun = cpu_s(asked.get_server_pid())
    for _ in range(TIMES):
        await asked.execute("BEGIN")
        await asked.execute("COMMIT")
    return (cpu_s(asked.get_server_pid()) - begun) / TIMES


async def _commits(asked: asyncpg.Connection[asyncpg.Record], wait: str) -> float:
    """A small commit on the clock, seconds; the median."""
    await asked.execute(f"SET synchronous_commit = {wait}")
    await asked.execute("CREATE TABLE IF NOT EXISTS bench_commits (value integer)")
    times = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        await asked.execute("INSERT INTO bench_commits VALUES (1)")
        times.append(time.perf_counter() - begun)
    return median(times)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / NANO


def private_mib(pid: int) -> float:
    """Memory that a process shares with nobody, MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _now_ms() -> int:
    return SystemClock().now_ms()
