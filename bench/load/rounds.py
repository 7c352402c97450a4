"""The rounds: one life of one subject on a stage, from its start to its figures.

start ─▶ first answer ─▶ idle ─▶ users at once, model 0 ms ─▶ one by one, slow model ─▶ users at once, slow model
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from statistics import median

from bench.load.measures import Figures, added_ms, percentile
from bench.load.stage import PATIENCE_S, Crowd, Stage
from bench.load.subjects import BOTRUNNER, Running, Subject, running

IDLE_S = 5.0
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


async def one_bot(subject: Subject, stage: Stage, token: str, load: Load) -> Figures:
    """All figures of one bot."""
    loop = asyncio.get_running_loop()
    account = stage.telegram.account(token)
    stage.model.latency_s = 0.0
    begun = loop.time()
    account.say("hi", user_id=1)
    async with running(subject, stage, [token]) as process:
        async with asyncio.timeout(PATIENCE_S):
            await account.replies(1)
        figures = {"start_s": loop.time() - begun, "start_cpu_s": process.cpu_s()}
        await asyncio.sleep(SETTLE_S)
        figures["rss_idle"] = process.rss_mib()
        await Crowd(account, 1000).all_at_once(
            load.users, load.users * 3
        )  # connections, caches, compiled SQL
        crowd = Crowd(account, 10_000)
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


async def many_bots(stage: Stage, bots: int, first_id: int) -> Figures:
    """One daemon with so many bots: time until each polls, memory, idle processor time, a message to each."""
    loop = asyncio.get_running_loop()
    stage.model.latency_s = 0.0
    tokens = [f"{first_id + number}:abcdefgh" for number in range(bots)]
    accounts = [stage.telegram.account(token) for token in tokens]
    begun = loop.time()
    async with running(BOTRUNNER, stage, tokens) as process, asyncio.timeout(4 * PATIENCE_S):
        for account in accounts:
            await account.called("getUpdates")
        figures = {"all_polling_s": loop.time() - begun}
        for account in accounts:
            account.say("hi", user_id=1)
        for account in accounts:
            await account.replies(1)
        figures["all_answered_s"] = loop.time() - begun
        await asyncio.sleep(SETTLE_S)
        figures["rss_idle"] = process.rss_mib()
        cpu = process.cpu_s()
        await asyncio.sleep(IDLE_S)
        figures["idle_cpu_percent"] = (process.cpu_s() - cpu) / IDLE_S * 100
        at = loop.time()
        for times in (2, 3, 4):
            for account in accounts:
                account.say("hello", user_id=2)
            for account in accounts:
                await account.replies(times)
        figures["rate"] = 3 * bots / (loop.time() - at)
        figures["rss_after"] = process.rss_mib()
    return figures
