"""The rounds: one life of one subject on a stage, from its start to its figures.

start ─▶ first answer ─▶ idle ─▶ users at once, model 0 ms ─▶ one by one, slow model ─▶ users at once, slow model
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.load.measures import Figures, added_ms, percentile
from bench.load.stage import PATIENCE_S, Crowd, Stage, Taken
from bench.load.subjects import BOTRUNNER, Running, Subject, running
from bench.load.venues import Seat

SETTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """How much of everything.

    Attributes:
        users: at once, in the closed loop without model latency.
        messages: in that loop.
        slow_s: the slow model's latency.
        paced: messages that come one by one to the slow model, each `every_s` after the last.
        slow_users: users at once with the slow model; each writes `slow_each` messages.
    """

    users: int = 20
    messages: int = 1000
    slow_s: float = 0.8
    paced: int = 20
    every_s: float = 1.0
    slow_users: int = 100
    slow_each: int = 3
    rest_s: float = 2.0
    idle_s: float = 5.0


async def one_bot(subject: Subject, platform: str, load: Load) -> Figures:
    """All figures of one bot."""
    async with Stage(platform) as stage:
        return await _one_bot(subject, stage, stage.seat(platform), load)


async def _one_bot(subject: Subject, stage: Stage, bot: Taken, load: Load) -> Figures:
    loop = asyncio.get_running_loop()
    seat = bot.seat
    begun = loop.time()
    async with running(subject, stage, [bot]) as process:
        async with asyncio.timeout(PATIENCE_S):
            await seat.joined(process.url)
            seat.say(1)
            await seat.answered()
        figures = {"start_s": loop.time() - begun, "start_cpu_s": process.cpu_s()}
        await asyncio.sleep(SETTLE_S)
        figures["rss_idle"] = process.rss_mib()
        await Crowd(seat, 1000).all_at_once(load.users, load.users * 3)  # connections, caches, compiled SQL
        crowd = Crowd(seat, 10_000)
        cpu, at = process.cpu_s(), loop.time()
        latencies = await crowd.all_at_once(load.users, load.messages)
        figures["rate"] = load.messages / (loop.time() - at)
        figures["cpu_ms"] = (process.cpu_s() - cpu) * 1000 / load.messages
        figures["busy_p50"] = percentile(latencies, 0.5) * 1000
        figures["busy_p99"] = percentile(latencies, 0.99) * 1000
        if load.slow_s:
            figures |= await _slow(process, stage, crowd, load)
        figures["rss_after"] = process.rss_mib()
    return figures


async def _slow(process: Running, stage: Stage, crowd: Crowd, load: Load) -> Figures:
    loop = asyncio.get_running_loop()
    stage.model.latency_s = load.slow_s
    cpu = process.cpu_s()
    stage.model.took_s.clear()
    latencies = await crowd.one_by_one(load.paced, load.every_s)
    added = added_ms(latencies, median(stage.model.took_s))
    slow_cpu = (process.cpu_s() - cpu) * 1000 / load.paced
    total = load.slow_users * load.slow_each
    cpu, at = process.cpu_s(), loop.time()
    await crowd.all_at_once(load.slow_users, total)
    return {
        "added_p50": percentile(added, 0.5),
        "added_p99": percentile(added, 0.99),
        "paced_cpu_ms": slow_cpu,
        "slow_rate": total / (loop.time() - at),
        "slow_cpu_ms": (process.cpu_s() - cpu) * 1000 / total,
    }


async def many_bots(platforms: Sequence[str], load: Load) -> Figures:
    """One daemon with a bot for each name: time until each hears, memory, idle processor time, a message to each."""
    async with Stage(*dict.fromkeys(platforms)) as stage:
        bots = [stage.seat(platform) for platform in platforms]
        return await _many_bots(stage, bots, load)


async def _many_bots(stage: Stage, bots: Sequence[Taken], load: Load) -> Figures:
    loop = asyncio.get_running_loop()
    seats = [bot.seat for bot in bots]
    begun = loop.time()
    async with running(BOTRUNNER, stage, bots) as process, asyncio.timeout(4 * PATIENCE_S):
        for seat in seats:
            await seat.joined(process.url)
        figures = {"all_joined_s": loop.time() - begun}
        await asyncio.sleep(load.rest_s)
        figures["rss_joined"] = process.rss_mib()
        cpu = process.cpu_s()
        await asyncio.sleep(load.idle_s)
        figures["idle_cpu_percent"] = (process.cpu_s() - cpu) / load.idle_s * 100
        await _to_each(seats, 1)
        await asyncio.sleep(SETTLE_S)
        figures["rss_idle"] = process.rss_mib()
        at = loop.time()
        for user in (2, 3, 4):
            await _to_each(seats, user)
        figures["rate"] = 3 * len(seats) / (loop.time() - at)
        figures["rss_after"] = process.rss_mib()
    return figures


async def _to_each(seats: Sequence[Seat], user: int) -> None:
    """A message to each bot at once, and all answers."""
    for seat in seats:
        seat.say(user)
    for seat in seats:
        await seat.answered()
