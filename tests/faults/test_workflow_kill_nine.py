"""Workflows through kill -9, between any two nodes: each run ends right, and no paid node is paid twice.

The shipped templates, and a workflow that waits for its user, the clock and a reviewer, are at work for many users
while the daemon is killed at random moments; what users, reviewer, shop, ledger and the model's own bill say
afterwards must agree. $BOTRUNNER_KILLS sets how often (`make faults`: 200).
"""

import asyncio
import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.clock import SystemClock
from runner.money.ledger import LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.runs import Decision, Handoff, RunRecord, RunStatus
from runner.store.sqlite.store import SqliteStore
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.reckoning import books, check_bill, given_up, listed, until_answered
from tests.faults.workflow_town import (
    OF,
    Mind,
    Reviewer,
    Shop,
    Town,
    config,
    is_approved,
    place_of,
    texts_of,
)

KILLS = int(os.environ.get("BOTRUNNER_KILLS", "3"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
WORDS = 15 + 5 * KILLS
MOST_CALLS = 12
CALLS_S = 2.0
LATER_MS = 60_000
"""Asks for a code are given up after a quarter of an hour; of all else nothing may be owed so long."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds in the end.

    Attributes:
        runs: by the word that they are about.
        memories: what each user's runs have counted.
    """

    runs: dict[str, list[RunRecord]]
    handoffs: list[Handoff]
    memories: dict[str, str | None]
    owed: list[str]


@pytest.mark.faults
@pytest.mark.timeout(200 + KILLS * 6)
async def test_each_run_ends_right_and_no_node_is_paid_twice(tmp_path: Path, unused_tcp_port: int) -> None:
    rng, mind, shop = random.Random(SEED), Mind(), Shop()
    model = ModelServer(standing=mind)
    async with TelegramServer() as telegram, aiohttp.ClientSession() as session:
        text = config(unused_tcp_port, await model.start(), telegram.url, await shop.start())
        town = Town(telegram, random.Random(SEED), most=WORDS)
        with Daemon(tmp_path, text) as daemon:
            await daemon.start()
            await daemon.ready()
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(town.write())
                reviewing = group.create_task(Reviewer(daemon, session).decide())
                answering = group.create_task(town.give_codes())
                cut = await _killed(daemon, model, rng)
                town.over = True
                await writing
                for text_given_up in await given_up(daemon, place_of):
                    town.give_code(text_given_up)  # its user is told otherwise
                await until_answered(daemon, lambda: town.unanswered(texts_of), place_of)
                reviewing.cancel()
                answering.cancel()
            await daemon.stop()
            kept = await _kept(daemon, town)
            rows = await books(daemon)
            doubled, lost = await listed(daemon, place_of), await given_up(daemon, place_of)
        await shop.stop()
        await model.stop()
    print(f"kills {KILLS}, words {len(town.words)}, turns cut {cut.total()}: {dict(cut.most_common())}")
    unsure = _check_runs(kept, town)
    _check_texts(town, doubled, lost, unsure)
    _check_paid(kept, rows, mind, model)
    _check_done_once(kept, town, shop, unsure)


async def _killed(daemon: Daemon, model: ModelServer, rng: random.Random) -> Counter[str]:
    """Kill it at moments of all kinds, most of them among calls; what the turns cut short had done last."""
    cut: Counter[str] = Counter()
    for _ in range(KILLS):
        if rng.random() < 0.7:
            await _called(model, len(model.bill) + rng.randint(1, MOST_CALLS))
            await asyncio.sleep(rng.uniform(0.0, 0.05))
        else:
            await asyncio.sleep(rng.uniform(0.0, 0.5))
        daemon.kill()
        await daemon.gone()
        cut += _cut(daemon.state / "botrunner.db")
        await daemon.start()
        if rng.random() < 0.8:
            await daemon.ready()
    await daemon.ready()
    return cut


async def _called(model: ModelServer, count: int) -> None:
    """Wait until the model was asked so often, or a while: there may be nothing to ask."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CALLS_S):
            await model.wait_for(lambda _: len(model.bill) >= count)


def _cut(path: Path) -> Counter[str]:
    """What stands last among the stored steps of each turn that has not ended."""
    query = "SELECT turn, payload FROM steps WHERE turn NOT IN (SELECT turn FROM turns) ORDER BY turn, number"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        last = {turn: json.loads(payload) for turn, payload in store.execute(query)}
    return Counter(step.get("node") or step.get("feature") or step["kind"] for step in last.values())


async def _kept(daemon: Daemon, town: Town) -> Kept:
    store = SqliteStore(daemon.state / "botrunner.db", SystemClock())
    await store.open()
    runs: dict[str, list[RunRecord]] = {}
    for bot in ("support", "waits"):
        for run in await store.runs.runs(bot, 100_000):
            runs.setdefault(json.loads(run.state)["variables"]["message"], []).append(run)
    waiters = {word: str(user) for word, user in town.words.items() if word[0] == "w"}
    memories = {
        word: await store.runs.recall("waits", user, "kept:telegram:runs") for word, user in waiters.items()
    }
    soon = SystemClock().now_ms() + LATER_MS
    owed = [errand.key for errand in await store.runs.errands(soon, 1000)]
    handoffs = await store.runs.handoffs(None, 100_000)
    await store.close()
    return Kept(runs, handoffs, memories, owed)


# ── what must be true ────────────────────────────────────────────────────────────────────────────────────
def _check_runs(kept: Kept, town: Town) -> set[str]:
    """A run for each word, ended, by its way; returns those that could not know whether they had booked."""
    flowing = {word for word in town.words if OF[word[0]] in {"support", "waits"}}
    assert kept.runs.keys() == flowing
    assert {word: len(runs) for word, runs in kept.runs.items() if len(runs) > 1} == {}
    unsure = set()
    for word, [run] in kept.runs.items():
        assert run.status is RunStatus.FINISHED, (word, run)
        path = [line["node"] for line in json.loads(run.trace)]
        if "unsure" in path:
            unsure.add(word)
        assert path == _way(word, unsure=word in unsure), word
    asked = Counter(handoff.run for handoff in kept.handoffs)
    decided = {
        kept.runs[word][0].id: Decision.APPROVED if is_approved(word) else Decision.REJECTED
        for word in flowing
        if word[0] in "pw"
    }
    assert asked == dict.fromkeys(decided, 1)
    assert {handoff.run: handoff.decision for handoff in kept.handoffs} == decided
    return unsure


def _way(word: str, *, unsure: bool) -> list[str]:
    """The nodes of a run, in order; one that waits stands there when it begins, and when it goes on."""
    match word[0]:
        case "q":
            return ["kind", "answer", "send"]
        case "p":
            return ["kind", "ask_a_person", "ask_a_person", "taken" if is_approved(word) else "not_taken"]
        case "x":
            return ["kind", "sorry"]
        case _:
            waits = ["think", "say", "gate", "gate", "rest", "rest"]
            works = ["look", "before", "count", "keep", "book", *(["unsure"] if unsure else [])]
            end = ["close", "remind", "done"] if is_approved(word) else ["refused"]
            return [*waits, *works, "person", "person", *end]


def _check_texts(town: Town, doubled: Counter[str], lost: set[str], unsure: set[str]) -> None:
    """All that was promised was read, nothing else, and twice only what is listed."""
    read = town.read()
    promised = {
        f"{OF[word[0]]}|{user}|{text}" for word, user in town.words.items() for text in texts_of(word)
    } | {f"waits|{town.words[word]}|unsure {word}" for word in unsure}
    again = {text: count - 1 for text, count in read.items() if count > 1}
    print(
        f"texts {len(read)}, doubled and listed {len(again)}, given up and listed {len(promised - read.keys())}"
    )
    assert read.keys() - promised == set()
    assert promised - read.keys() <= lost
    assert all(doubled[text] >= count for text, count in again.items()), (again, doubled)


def _check_paid(kept: Kept, rows: Sequence[LedgerEntry], mind: Mind, model: ModelServer) -> None:
    """Each paid node of each run is settled once; it was asked again only where the call under way is unknown."""
    check_bill(list(rows), model)
    asked: Counter[str] = Counter()
    for (word, _), count in mind.asked.items():
        asked[word] += count
    for word, [run] in kept.runs.items():
        mine = [row for row in rows if _is_of(row, word, run)]
        paid = Counter(row.attempt.feature for row in mine if row.state is ReservationState.SETTLED)
        unknown = sum(row.state is ReservationState.UNKNOWN for row in mine)
        assert paid == _paid_nodes(word), word
        assert paid.total() <= asked[word] <= paid.total() + unknown, (word, asked[word], mine)
    again = sum(row.state is ReservationState.UNKNOWN for row in rows)
    print(f"runs {len(kept.runs)}, calls of theirs and others' under way at a kill {again}")


def _is_of(row: LedgerEntry, word: str, run: RunRecord) -> bool:
    """Whether a row is this run's: all that a support run pays is in its first turn."""
    about = row.attempt
    if word[0] == "w":
        return (about.bot, about.user) == (run.bot, run.user)
    return f"r{about.turn}" == run.id


def _paid_nodes(word: str) -> dict[str, int]:
    """How many calls of each node are paid."""
    match word[0]:
        case "q":
            return {"workflow:kind": 1, "workflow:answer": 2}
        case "w":
            return {"workflow:think": 1} | ({"workflow:close": 1} if is_approved(word) else {})
        case _:
            return {"workflow:kind": 1}


def _check_done_once(kept: Kept, town: Town, shop: Shop, unsure: set[str]) -> None:
    """Booked once, or not known and said so; counted once; nothing is owed any more."""
    waiters = {word for word in town.words if word[0] == "w"}
    assert {word for word in waiters if shop.booked[word] != 1} <= unsure
    assert max(shop.booked.values(), default=0) <= 1
    assert {word for word in waiters if not shop.looked[word]} == set()
    assert kept.memories == dict.fromkeys(waiters, '"1"')
    assert kept.owed == []
    print(f"booked {shop.booked.total()}, could not know whether they had {len(unsure)}")
