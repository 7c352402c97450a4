"""Who asks: wrk, or a small client of our own; each connection has one message under way.

Rule: a message counts when its answer is a 200; a burst in which anything else happened is an error, not a figure.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import aiohttp

from bench.http.subjects import Server
from bench.load.measures import Figures, percentile

TEXT = "Could you tell me when the shop opens on Sunday?"
_SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """`connections` at once for `seconds`, on which `users` write in turn."""

    connections: int
    users: int
    seconds: float


class Failed(Exception):
    """Not every message was answered."""


async def burst(server: Server, load: Load) -> Figures:
    """By wrk, on one thread. Raises Failed."""
    cpu = server.running.cpu_s()
    wrk = await asyncio.create_subprocess_exec(
        "wrk",
        *("-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", "--timeout", "60s"),
        *("-s", str(_SCRIPT), server.hook(), "--", str(load.users)),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await wrk.communicate()
    cpu = server.running.cpu_s() - cpu
    told = json.loads(printed.splitlines()[-1]) if wrk.returncode == 0 else {}
    if not told.get("answered") or told["refused"] or told["failed"]:
        raise Failed(f"wrk: {told or printed.decode()}")
    return _figures(told["answered"], told["seconds"], cpu, told["p50"], told["p99"])


async def own_burst(server: Server, load: Load) -> Figures:
    """By a client of our own. Raises Failed."""
    loop = asyncio.get_running_loop()
    latencies_ms: list[float] = []
    numbers = count()
    cpu, begun = server.running.cpu_s(), loop.time()

    async def connection(session: aiohttp.ClientSession) -> None:
        while loop.time() < begun + load.seconds:
            latencies_ms.append(await ask(session, server.hook(), f"u{next(numbers) % load.users}"))

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(load.connections):
            group.create_task(connection(session), name=f"connection {number}")
    seconds, cpu = loop.time() - begun, server.running.cpu_s() - cpu
    p50, p99 = percentile(latencies_ms, 0.5), percentile(latencies_ms, 0.99)
    return _figures(len(latencies_ms), seconds, cpu, p50, p99)


async def ask(session: aiohttp.ClientSession, url: str, user: str, text: str = TEXT) -> float:
    """One message; how long its answer took, milliseconds. Raises Failed where it is no 200."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with session.post(url, json={"text": text, "user_id": user}) as response:
        body = await response.read()
        if response.status != 200:
            raise Failed(f"{response.status}: {body[:200]!r}")
    return (loop.time() - begun) * 1000


def _figures(answered: int, seconds: float, cpu_s: float, p50_ms: float, p99_ms: float) -> Figures:
    return {
        "rate": answered / seconds,
        "cpu_ms": cpu_s * 1000 / answered,
        "p50": p50_ms,
        "p99": p99_ms,
    }
