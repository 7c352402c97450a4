"""One bot's latency, alone and while somebody does worse to another bot of the same daemon.

alone        a message every `EVERY_S`, the next only after the answer
half-open    the same, while `half_open` connections each send a byte of a request now and then, and never all of it
1 MiB        the same, while one connection sends bodies of 1 MiB, `LARGE_EVERY_S` after the last one was answered
1 MiB, more  the same without a pause: as much as the daemon takes of one client
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from bench.http.clients import ask
from bench.http.subjects import OTHER_BOT, PATH, Server
from bench.load.measures import Figures, percentile

EVERY_S = 0.02
DRIP_S = 1.0
LARGE_EVERY_S = 0.5
LARGEST = 1024 * 1024
"""Bytes of a body: the most that the custom platform takes."""
ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Siege:
    """How long each is measured, and how many connections stay half open."""

    seconds: float
    half_open: int = 500


@dataclass(slots=True)
class Done:
    """What the besiegers got done."""

    bodies: int = 0
    connections: int = 0


Besiegers = Callable[[Server, Siege, Done], AbstractAsyncContextManager[None]]


async def besieged(server: Server, siege: Siege, rounds: int) -> dict[str, list[Figures]]:
    """The latencies of each way, in turn."""
    ways: dict[str, Besiegers] = {
        ALONE: _nobody,
        "half-open": _half_open,
        "1 MiB": partial(_large_bodies, LARGE_EVERY_S),
        "1 MiB, more": partial(_large_bodies, 0.0),
    }
    found: dict[str, list[Figures]] = {}
    async with aiohttp.ClientSession() as session:
        for _ in range(rounds):
            for name, besiegers in ways.items():
                done = Done()
                async with besiegers(server, siege, done):
                    latencies = await _latencies(session, server, siege.seconds)
                found.setdefault(name, []).append(
                    {
                        "p50": percentile(latencies, 0.5),
                        "p99": percentile(latencies, 0.99),
                        "bodies_per_s": done.bodies / siege.seconds,
                        "connections": done.connections,
                    }
                )
    return found


async def _latencies(session: aiohttp.ClientSession, server: Server, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    latencies = []
    while loop.time() < end:
        latencies.append(await ask(session, server.hook(), "patient"))
        await asyncio.sleep(EVERY_S)
    return latencies


@asynccontextmanager
async def _nobody(_: Server, __: Siege, ___: Done) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _half_open(server: Server, siege: Siege, done: Done) -> AsyncIterator[None]:
    """All are there before it is measured; who is shown out comes back."""
    there = asyncio.Event()
    address = urlsplit(server.url)

    async def drip() -> None:
        while True:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            done.connections += 1
            if done.connections == siege.half_open:
                there.set()
            try:
                writer.write(f"POST {PATH}/{OTHER_BOT} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".encode())
                while not reader.at_eof():
                    writer.write(b"a")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1024), DRIP_S)
            except ConnectionError:
                pass
            finally:
                writer.close()

    async with asyncio.TaskGroup() as group:
        dripping = [group.create_task(drip(), name=f"half-open {n}") for n in range(siege.half_open)]
        await there.wait()
        yield
        for task in dripping:
            task.cancel()


@asynccontextmanager
async def _large_bodies(pause_s: float, server: Server, _: Siege, done: Done) -> AsyncIterator[None]:
    """Each is a new user's: what slows is the body and not the past."""
    there = asyncio.Event()

    async def send() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                user = f"large{done.bodies}"
                rest = len(json.dumps({"text": "", "user_id": user}))
                await ask(session, server.hook(OTHER_BOT), user, "a" * (LARGEST - rest))
                done.bodies += 1
                there.set()
                await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(send(), name="large bodies")
        await there.wait()
        done.bodies = 0
        yield
        sending.cancel()
