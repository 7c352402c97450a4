"""What is played, and the tables of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.fleet.database import background
from bench.fleet.outcome import Outcome
from bench.fleet.settings import MEASURED, Costs, Faults, Flaw, Habits, Scenario, Server

Play = Callable[[Scenario], Outcome]
DAEMONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1000)
FEW_DAEMONS = (1, 4)
BOTS = (1, 100, 10_000)
EACH = 64
"""Messages on their way for each daemon: its users wait for their answers and write again."""
MOST_AT_ONCE = 8192
ENOUGH, QUICK = 6000, 1000
MOST_HABITS = 0.9
LOCKS_OF_A_TRANSACTION = 24
"""Tables and indexes that a batch touches, beyond those for which a session has room of its own."""
SPARE_CONNECTIONS = 100
MIB_PER_GIB = 1024


def crowded(
    daemons: int, bots: int, costs: Costs, server: Server, habits: Habits, enough: int = ENOUGH
) -> Scenario:
    """As many messages as the daemons can take: how much is that?"""
    at_once = min(MOST_AT_ONCE, daemons * EACH)
    return Scenario(
        daemons=daemons, bots=bots, conversations=max(10_000, 4 * at_once), messages=max(enough, 5 * at_once),
        at_once=at_once, costs=costs, server=server, habits=habits,
    )  # fmt: skip


def limit_of(outcome: Outcome) -> str:
    """What is busiest, by its share of the time."""
    shares = {
        "daemons' own processors": outcome.daemon,
        "the database's processors": outcome.cores,
        "the log": outcome.log,
        "the cap's row": outcome.row,
    }
    name = max(shares, key=lambda key: shares[key])
    return f"{name} ({min(1.0, shares[name]):.0%})"


def habits_share(scenario: Scenario) -> float:
    """What of the database's processors the daemons keep busy by themselves; from 1 on nothing else is done."""
    locks = scenario.daemons + scenario.at_once
    return background(scenario.costs, scenario.habits, scenario.daemons, locks) / scenario.server.cores


def stands_still(scenario: Scenario) -> bool:
    """Whether there is no point in playing it."""
    return habits_share(scenario) > MOST_HABITS


def speeds(
    play: Play, bots: int, costs: Costs, server: Server, daemons: Sequence[int], enough: int = ENOUGH
) -> str:
    """Messages a second against the number of daemons."""
    rows = []
    for number in daemons:
        scenario = crowded(number, bots, costs, server, Habits(), enough)
        if stands_still(scenario):
            rows.append((str(number), "0", "", "", "", "", f"{habits_share(scenario):.0%}", "looks alone"))
            continue
        found = play(scenario)
        rows.append(
            (
                str(number), f"{found.rate:,.0f}", f"{found.p50 * 1000:,.0f}", f"{found.p99 * 1000:,.0f}",
                f"{found.batch:.1f}", f"{found.longest_wait:.2f}", f"{found.background:.0%}", limit_of(found),
            )
        )  # fmt: skip
    title = "one hot bot" if bots == 1 else f"{bots:,} bots"
    head = ("daemons", "messages/s", "p50, ms", "p99, ms", "units a batch", "row, s", "habits", "busiest")
    return markdown(title, head, rows)


def remedies(play: Play, costs: Costs, server: Server) -> str:
    """What helps at which place: one thing changed at a time."""
    plain = Habits()
    slow = replace(costs, fsync=0.005)
    near = replace(costs, trip=0.0001)
    big, few = replace(server, cores=32), replace(plain, scale_looks=16)
    tries: tuple[tuple[int, int, Costs, str, Costs, Server, Habits], ...] = (
        (16, 1, costs, "one cap in 8 slices", costs, server, replace(plain, slices=8)),
        (16, 8, costs, "the same in 8 bots with a cap each, for comparison", costs, server, plain),
        (16, 1, costs, "0.1 ms to the database and back, not 0.3", near, server, plain),
        (16, 1, slow, "0.3 ms a commit on the disk, not 5", costs, server, plain),
        (16, 100, slow, "0.3 ms a commit on the disk, not 5", costs, server, plain),
        (
            16,
            100,
            costs,
            "a session gathers for 5 ms before each transaction",
            costs,
            server,
            replace(plain, gather=0.005),
        ),
        (16, 100, costs, "four writer sessions a daemon, not two", costs, server, replace(plain, sessions=4)),
        (
            16,
            10_000,
            costs,
            "a session gathers for 5 ms before each transaction",
            costs,
            server,
            replace(plain, gather=0.005),
        ),
        (64, 10_000, costs, "32 processors, not 8", costs, big, plain),
        (256, 10_000, costs, "all together look no more often than 16", costs, server, few),
        (1000, 10_000, costs, "all together look no more often than 16", costs, server, few),
    )
    rows = []
    for daemons, bots, before, what, after, machine, habits in tries:
        first = crowded(daemons, 1 if "comparison" in what else bots, before, server, plain)
        old = 0.0 if stands_still(first) else play(first).rate
        new = play(crowded(daemons, bots, after, machine, habits)).rate
        share = f"{new / old:.1f}" if old else ""
        rows.append((str(daemons), f"{bots:,}", f"{old:,.0f}", what, f"{new:,.0f}", share))
    head = ("daemons", "bots", "messages/s", "changed", "then", "ratio")
    return markdown("what to do then, one thing at a time", head, rows)


def sizes(costs: Costs, habits: Habits, lanes: int) -> str:
    """What a number of daemons asks of PostgreSQL. `lanes`: at work in one daemon at a moment."""
    rows = []
    for daemons in DAEMONS:
        connections = daemons * habits.connections
        locks = daemons * (lanes + 1) + connections * LOCKS_OF_A_TRANSACTION
        rows.append(
            (
                str(daemons), f"{connections:,}", f"{connections * costs.backend_mib / MIB_PER_GIB:.1f}",
                f"{locks:,}", str(max(64, -(-locks // (connections + SPARE_CONNECTIONS)))),
            )
        )  # fmt: skip
    head = ("daemons", "connections", "their memory, GiB", "locks at once", "max_locks_per_transaction")
    return markdown(f"what it asks for, with {lanes} conversations at work in each daemon", head, rows)


def markdown(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for the page that tells of it."""
    lines = [f"**{title}**", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def small(seed: int, flaws: Flaw = Flaw.NONE) -> Scenario:
    """A small run with deaths: each seed has other numbers of everything."""
    return Scenario(
        daemons=2 + seed % 7,
        bots=1 + seed % 3,
        conversations=(3, 20, 60)[seed % 3],
        messages=60 + seed % 80,
        rate=(30.0, 120.0, 500.0)[seed // 3 % 3],
        cap=(20, 60, 10_000)[seed // 9 % 3] * 10**9,
        call=(0.05, 0.8),
        send=0.05,
        faults=Faults(kills=seed % 4, hangs=seed % 3),
        flaws=flaws,
    )


def stormy(seed: int, flaws: Flaw = Flaw.NONE) -> Scenario:
    """The same on a disk of 30 ms, so that a daemon that hangs has something under way."""
    return replace(small(seed, flaws), faults=Faults(kills=1, hangs=6), costs=replace(MEASURED, fsync=0.03))


def whole(costs: Costs) -> Scenario:
    """1,000 daemons and 1,000,000 conversations, each of which says something; 20 kills, 10 hangs."""
    return Scenario(
        daemons=1000,
        bots=10_000,
        conversations=1_000_000,
        messages=1_200_000,
        rate=3000.0,
        call=(0.5, 3.0),
        send=0.05,
        costs=costs,
        server=Server(cores=32),
        habits=Habits(scale_looks=16),
        faults=Faults(kills=20, hangs=10),
    )
