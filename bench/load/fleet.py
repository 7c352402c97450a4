"""`bench load --daemons 1,2,4`: messages a second of several daemons on one PostgreSQL, beside a task queue.

    a fresh database ─▶ processes ready ─▶ go ─▶ all producers fed ─▶ everything done and sent ─▶ looked over

Rules: a real PostgreSQL whose commits reach the disk, real processes, one clock: from `go` until nothing is left to
do. Each round is checked: every message done once, in its order; every call settled; the caps' counters are the sums
of the ledger's rows; every reply sent. The producers, the daemons and the database share this machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import psutil

from bench.load.fleet_plan import Plan, write_bots
from bench.load.measures import Figures
from runner.testing.postgres_server import PostgresServer

ROOT = Path(__file__).parents[2]
PRODUCERS = 16
WORKERS = 16
LOOK_S = 0.05
PATIENCE_S = 600.0
STOP_S = 40.0
OURS, QUEUE = "botrunner", "procrastinate"
LEFT = {
    OURS: """
        SELECT (SELECT count(*) FROM inbox WHERE finished_ms IS NULL)
            + (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending'))""",
    QUEUE: "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
}
WRONG = {
    "messages that are not there": "SELECT {messages} - count(*) FROM inbox WHERE finished_ms IS NOT NULL",
    "turns that are not there": "SELECT {messages} - count(*) FROM turns",
    "replies that were not sent": "SELECT {messages} - count(*) FROM outbox WHERE state = 'sent'",
    "calls that were not settled once": "SELECT {messages} - count(*) FROM ledger WHERE state = 'settled'",
    "turns out of their order": """
        SELECT count(*) FROM (
            SELECT number, lag(number) OVER (PARTITION BY conversation, producer ORDER BY seq) AS before
            FROM turns
            JOIN (
                SELECT 't' || id AS turn, substring(event_id from '^[^-]+-[^-]+') AS producer,
                    split_part(event_id, '-', 3)::integer AS number
                FROM inbox
            ) AS asked USING (turn)
        ) AS walked WHERE before > number""",
    "pico-dollars that no row has": """
        SELECT abs((SELECT sum(settled + unknown + held) FROM scopes WHERE name LIKE 'bot:%')
            - (SELECT sum(cost) FROM ledger))""",
}


class Wrong(Exception):
    """A round after which something was not as it must be."""


@dataclass(frozen=True, slots=True)
class Round:
    """What is played: `messages` in all."""

    subject: str
    daemons: int
    bots: int
    messages: int
    conversations: int = 1000
    hands: int = 1

    def plans(self, url: str, config: Path) -> list[Plan]:
        """Each process's part; every process has as many producers as the next, or one more."""
        each = self.messages // PRODUCERS
        shares = [
            PRODUCERS // self.daemons + (number < PRODUCERS % self.daemons) for number in range(self.daemons)
        ]
        return [
            Plan(
                url,
                str(config),
                number,
                self.bots,
                share,
                each,
                self.conversations,
                WORKERS // self.daemons,
                self.hands,
            )
            for number, share in enumerate(shares)
        ]


async def play(round_: Round, server: PostgresServer, folder: Path) -> Figures:
    """One round.

    Raises:
        Wrong: it did not end well.
    """
    whole = PRODUCERS * round_.hands
    round_ = replace(round_, messages=max(1, round_.messages // whole) * whole)
    url = server.url(await asyncio.to_thread(server.fresh))
    config = folder / f"{url.rpartition('/')[2]}.yaml"
    write_bots(config, url, round_.bots)
    if round_.subject == QUEUE:
        from bench.load.fleet_queue import prepare  # noqa: PLC0415 - needs a client library of its own

        await prepare(url, round_.bots)
    module = "bench.load.fleet_daemon" if round_.subject == OURS else "bench.load.fleet_queue"
    async with AsyncExitStack() as opened:
        processes = [
            await opened.enter_async_context(
                running(module, plan, folder / f"state-{config.stem}-{plan.number}")
            )
            for plan in round_.plans(url, config)
        ]
        watch = await asyncpg.connect(url)
        opened.push_async_callback(watch.close)
        async with asyncio.timeout(PATIENCE_S):
            await every(processes, "ready")
            theirs, ours = _cpu_s([server.pid]), _cpu_s([one.pid for one in processes])
            begun = time.perf_counter()
            _tell(processes, "go")
            await every(processes, "fed")
            fed_s = time.perf_counter() - begun
            while await watch.fetchval(LEFT[round_.subject]):  # noqa: ASYNC110 - others' rows ring no bell
                await asyncio.sleep(LOOK_S)
            took_s = time.perf_counter() - begun
        figures = {
            "rate": round_.messages / took_s,
            "accepted": round_.messages / fed_s,
            "database_ms": (_cpu_s([server.pid]) - theirs) * 1000 / round_.messages,
            "daemons_ms": (_cpu_s([one.pid for one in processes]) - ours) * 1000 / round_.messages,
        }
        _tell(processes, "stop")
        for process in processes if round_.subject == OURS else ():
            await _ended(process)
        if round_.subject == OURS:
            await _look_over(watch, round_.messages)
    return figures


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.send_signal(signal.SIGABRT)  # it says where it stands
        await process.wait()
        raise Wrong(f"a daemon did not stop within {STOP_S:.0f} s") from None
    if process.returncode:
        raise Wrong(f"a daemon ended with {process.returncode}")


async def _look_over(watch: asyncpg.Connection[asyncpg.Record], messages: int) -> None:
    for what, query in WRONG.items():
        found = await watch.fetchval(query.format(messages=messages))
        if found:
            raise Wrong(f"{found} {what}")


@asynccontextmanager
async def running(module: str, plan: Plan, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, started; killed on leaving where it did not end by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, plan.text()),
        cwd=ROOT,
        env={**_environ(), "BOTRUNNER_STATE": str(state)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}


def _tell(processes: Sequence[asyncio.subprocess.Process], word: str) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n".encode())


async def every(processes: Sequence[asyncio.subprocess.Process], word: str) -> None:
    """Wait until each has said so. Raises Wrong where one says anything else."""
    for process in processes:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode().strip()
        if line != word:
            raise Wrong(f"a process said {line!r} instead of {word}")


def _cpu_s(pids: Sequence[int]) -> float:
    """Processor time so far of these processes and all that they started and is there or was waited for."""
    total = 0.0
    for pid in pids:
        parent = psutil.Process(pid)
        times = parent.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
        for child in parent.children(recursive=True):
            with_child = child.cpu_times()
            total += with_child.user + with_child.system
    return total


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[PostgresServer, Path]]:
    """A durable PostgreSQL and a folder, for all rounds."""
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as name:
        folder = Path(name)
        os.chmod(name, 0o755)  # noqa: PTH101 - the server is another user where we are root
        server = PostgresServer(folder / "postgres", {"max_connections": "300"}, durable=True)
        await asyncio.to_thread(server.start)
        try:
            yield server, folder
        finally:
            await asyncio.to_thread(server.stop)
