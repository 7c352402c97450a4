"""Runs, errands, hand-offs, memories: written with their turn or not at all, done once, forgotten with their user."""

from dataclasses import replace
from typing import Any

import pytest

from runner.clock import UnixMs
from runner.errors import IllegalStep
from runner.ports.mail import NewOutbound, OutboxState, StoredStep
from runner.ports.runs import (
    ERRAND_ACCOUNT,
    MOST_MEMORIES,
    Decision,
    Errand,
    Handoff,
    RunRecord,
    RunStatus,
)
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON, answer, finished, held, inbound, work_on

DAY_1 = "2026-01-01"


def run_of(name: str = "rt1", **others: Any) -> RunRecord:
    plain = RunRecord(
        id=name,
        bot="bot-1",
        conversation="c1",
        channel="telegram",
        user="anna",
        status=RunStatus.WAITING,
        started_ms=UnixMs(NOON - 5),
        at_ms=UnixMs(NOON),
        state='{"at":"n1"}',
        trace="[]",
        turn="t1",
        waiting_for="a reviewer",
    )
    return replace(plain, **others)


def errand_of(key: str = "e.t1", **others: Any) -> Errand:
    plain = Errand(key, "bot-1", "telegram", "lane-1", f"payload of {key}", NOON, "rt1", "anna")
    return replace(plain, **others)


def handoff_of(name: str = "ht1.n1", **others: Any) -> Handoff:
    plain = Handoff(
        id=name,
        run="rt1",
        bot="bot-1",
        conversation="c1",
        channel="telegram",
        lane="lane-1",
        user="anna",
        reason="wants money back",
        errand="what goes on",
        asked_ms=UnixMs(NOON),
    )
    return replace(plain, **others)


# ── with a turn's end ────────────────────────────────────────────────────────────────────────────────────
async def test_a_turn_ends_with_its_run_its_errands_and_its_handoff(store: Store, again: Again) -> None:
    errands = (errand_of("late", due_ms=NOON + 9), errand_of("soon"))
    await answer(store, inbound("e1"), run=run_of(), errands=errands, handoff=handoff_of())
    await store.close()
    later = again()
    await later.open()
    try:
        assert await later.runs.run("rt1") == run_of()
        assert await later.runs.errands(NOON + 9, 9) == [errands[1], errands[0]]
        assert await later.runs.handoff("ht1.n1") == handoff_of()
    finally:
        await later.close()


async def test_a_turn_that_cannot_end_leaves_nothing_of_its_run(store: Store) -> None:
    await store.accept(inbound("e1"))
    work = await work_on(store)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work))
        with pytest.raises(IllegalStep):
            await session.finish(finished(work, run=run_of(), errands=(errand_of(),), handoff=handoff_of()))
    assert await store.runs.run("rt1") is None
    assert await store.runs.next_errand_ms() is None
    assert await store.runs.handoffs(None, 9) == []


async def test_a_question_that_was_asked_before_undoes_the_whole_end(store: Store) -> None:
    await answer(store, inbound("e1"), handoff=handoff_of())
    await store.accept(inbound("e2"))
    work = await work_on(store)
    async with store.lane("lane-1") as session:
        assert session is not None
        with pytest.raises(IllegalStep):
            await session.finish(finished(work, "said", parts=1, run=run_of(), handoff=handoff_of()))
    assert await store.runs.run("rt1") is None
    assert await store.answers(work.inbox_id) == []
    assert (await work_on(store)).inbox_id == work.inbox_id


async def test_a_run_takes_the_place_of_what_was_stored_of_it(store: Store) -> None:
    await answer(store, inbound("e1"), run=run_of())
    over = run_of(status=RunStatus.FINISHED, state="{}", trace='["n1"]', turn="t2", waiting_for="")
    await answer(store, inbound("e2"), run=over)
    assert await store.runs.run("rt1") == over
    assert await store.runs.runs("bot-1", 9) == [over]


async def test_the_latest_runs_come_first(store: Store) -> None:
    for number, at_ms in enumerate((NOON, NOON + 5, NOON + 5, NOON + 1)):
        await answer(store, inbound(f"e{number}"), run=run_of(f"r{number}", at_ms=UnixMs(at_ms)))
    await answer(store, inbound("other"), run=run_of("r9", bot="bot-9"))
    assert [run.id for run in await store.runs.runs("bot-1", 3)] == ["r2", "r1", "r3"]
    assert await store.runs.run("nobody's") is None


async def test_what_waits_in_a_conversation_is_found(store: Store) -> None:
    await answer(store, inbound("e1"), run=run_of("r1"))
    await answer(store, inbound("e2"), run=run_of("r2", at_ms=UnixMs(NOON + 1)))
    await answer(store, inbound("e3"), run=run_of("r3", status=RunStatus.FINISHED))
    await answer(store, inbound("e4"), run=run_of("r4", conversation="c2"))
    assert [run.id for run in await store.runs.waiting_runs("c1")] == ["r2", "r1"]


async def test_an_errands_turn_is_no_message_received(store: Store) -> None:
    await answer(store, inbound("e1"), parts=1)
    await answer(store, inbound("e2"), parts=1, asked=False, user="somebody else")
    [day] = await store.traffic("bot-1", DAY_1, DAY_1)
    assert (day.received, day.sent, day.users) == (1, 2, 1)
    assert (await store.bot_facts(["bot-1"]))["bot-1"].messages == 3
    assert await store.unique_users("bot-1", DAY_1, DAY_1) == 1


# ── errands ──────────────────────────────────────────────────────────────────────────────────────────────
async def test_errands_come_in_the_order_of_their_times(store: Store) -> None:
    for key, due_ms in (("b", NOON + 2), ("a", NOON + 2), ("c", NOON), ("d", NOON + 3)):
        assert await store.runs.owe(errand_of(key, due_ms=due_ms))
    assert [errand.key for errand in await store.runs.errands(NOON + 2, 9)] == ["c", "b", "a"]
    assert [errand.key for errand in await store.runs.errands(NOON + 2, 1)] == ["c"]
    assert await store.runs.errands(NOON - 1, 9) == []
    assert await store.runs.next_errand_ms() == NOON


async def test_an_errand_becomes_a_message_of_its_lane_once(store: Store, again: Again) -> None:
    await store.runs.owe(errand_of())
    assert await store.runs.send_errand("e.t1", NOON + 7) == 1
    assert await store.runs.send_errand("e.t1", NOON + 8) is None
    assert await store.runs.send_errand("never", NOON + 8) is None
    assert await store.runs.next_errand_ms() is None
    assert await store.waiting_lanes(["bot-1"], [], 9, NOON + 7) == ["lane-1"]
    await store.close()
    later = again()
    await later.open()
    try:
        work = await work_on(later, now_ms=NOON + 7)
        assert (work.payload, work.accepted_ms, work.turn) == ("payload of e.t1", NOON + 7, "t1")
        assert (work.bot, work.channel) == ("bot-1", "telegram")
        assert await later.runs.send_errand("e.t1", NOON + 9) is None
    finally:
        await later.close()


async def test_what_is_owed_or_done_is_not_owed_again(store: Store) -> None:
    assert await store.runs.owe(errand_of())
    assert not await store.runs.owe(errand_of(payload="another", due_ms=0))
    [only] = await store.runs.errands(NOON, 9)
    assert only == errand_of()
    await store.runs.send_errand("e.t1", NOON)
    assert not await store.runs.owe(errand_of())
    await answer(store, inbound("e1", lane="other"), errands=(errand_of(),))
    assert await store.runs.next_errand_ms() is None


async def test_a_platforms_message_of_the_same_id_is_another_one(store: Store) -> None:
    await store.accept(inbound("e.t1", lane="of the platform"))
    assert await store.runs.owe(errand_of())
    assert await store.runs.send_errand("e.t1", NOON) == 2


async def test_what_came_last_in_a_channel_is_never_an_errand(store: Store) -> None:
    await store.accept(inbound("e1"))
    await store.accept(inbound("e2", account=ERRAND_ACCOUNT))
    await store.runs.owe(errand_of())
    await store.runs.send_errand("e.t1", NOON)
    assert await store.recent("bot-1", "telegram", 9) == [inbound("e1").payload]


# ── hand-offs ────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_decision_and_its_errand_are_one(store: Store) -> None:
    await answer(store, inbound("e1"), handoff=handoff_of())
    decided = await store.runs.decide(
        "ht1.n1", Decision.APPROVED, "reviewer", "fine, once", errand_of(), NOON + 3
    )
    assert decided == replace(
        handoff_of(),
        decision=Decision.APPROVED,
        by="reviewer",
        comment="fine, once",
        decided_ms=UnixMs(NOON + 3),
    )
    assert await store.runs.handoff("ht1.n1") == decided
    assert await store.runs.errands(NOON, 9) == [errand_of()]


async def test_a_handoff_is_decided_once(store: Store) -> None:
    await answer(store, inbound("e1"), handoff=handoff_of())
    await store.runs.decide("ht1.n1", Decision.REJECTED, "one", "no", errand_of("first"), NOON)
    for name in ("ht1.n1", "never asked"):
        with pytest.raises(IllegalStep):
            await store.runs.decide(name, Decision.APPROVED, "two", "yes", errand_of("second"), NOON)
    [left] = await store.runs.handoffs(None, 9)
    assert (left.decision, left.by) == (Decision.REJECTED, "one")
    assert [errand.key for errand in await store.runs.errands(NOON, 9)] == ["first"]


async def test_handoffs_are_listed_by_what_became_of_them(store: Store) -> None:
    for number in range(3):
        await answer(store, inbound(f"e{number}"), handoff=handoff_of(f"h{number}"))
    await store.runs.decide("h1", Decision.APPROVED, "x", "", errand_of(), NOON)

    async def names(decision: Decision | None, limit: int = 9) -> list[str]:
        return [one.id for one in await store.runs.handoffs(decision, limit)]

    assert await names(None) == ["h2", "h1", "h0"]
    assert await names(Decision.PENDING) == ["h2", "h0"]
    assert await names(Decision.APPROVED) == ["h1"]
    assert await names(None, 1) == ["h2"]


# ── memories ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_remembered_is_found_by_its_owner(store: Store) -> None:
    runs = store.runs
    await runs.remember("bot-1", "anna", "city", "Oslo", NOON)
    await runs.remember("bot-1", "", "city", "everywhere", NOON)
    await runs.remember("bot-1", "anna", "city", "Bergen", NOON + 1)
    assert await runs.recall("bot-1", "anna", "city") == "Bergen"
    assert await runs.recall("bot-1", "", "city") == "everywhere"
    assert await runs.recall("bot-2", "anna", "city") is None
    await runs.remember("bot-1", "anna", "city", None, NOON + 2)
    await runs.remember("bot-1", "anna", "never there", None, NOON + 2)
    assert await runs.recall("bot-1", "anna", "city") is None


async def test_a_memory_is_bounded_and_the_oldest_goes(store: Store) -> None:
    for number in range(MOST_MEMORIES):
        await store.runs.remember("bot-1", "anna", f"k{number}", "v", NOON)
    await store.runs.remember("bot-1", "anna", "k0", "written anew", NOON)
    await store.runs.remember("bot-1", "bert", "k1", "another's", NOON)
    await store.runs.remember("bot-1", "anna", "one more", "v", NOON)
    assert await store.runs.recall("bot-1", "anna", "k1") is None
    assert await store.runs.recall("bot-1", "anna", "k0") == "written anew"
    assert await store.runs.recall("bot-1", "bert", "k1") == "another's"


# ── steps with what they send; steps of a turn's parts ───────────────────────────────────────────────────
async def test_a_step_and_what_it_sends_are_one(store: Store) -> None:
    await store.accept(inbound("e1"))
    parts = (
        NewOutbound("bot-1", "telegram", "place", "one"),
        NewOutbound("bot-1", "telegram", "place", "two"),
    )
    elsewhere = (NewOutbound("bot-1", "telegram", "another", "three"),)
    async with store.lane("lane-1") as session:
        assert session is not None
        ids = await session.save_step("t1", StoredStep(0, "sent"), parts)
        with pytest.raises(IllegalStep):
            await session.save_step("t1", StoredStep(0, "again"), parts)
        [now] = await session.save_step("t1.d1", StoredStep(0, "of a part"), elsewhere, OutboxState.SENDING)
        assert await session.save_step("t1", StoredStep(1, "silent")) == ()
        work = await session.next(NOON)
        assert work is not None
        [last] = await session.finish(finished(work, parts=1))
    found = await store.answers(1)
    assert [(part.id, part.payload, part.state, part.tries) for part in found] == [
        (ids[0].id, "one", OutboxState.PENDING, 0),
        (ids[1].id, "two", OutboxState.PENDING, 0),
        (now.id, "three", OutboxState.SENDING, 1),
        (last.id, "part 0", OutboxState.SENDING, 1),
    ]


async def test_a_part_of_a_turn_has_steps_of_its_own(store: Store) -> None:
    await store.accept(inbound("e1"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t1", StoredStep(0, "the turn's"))
        await session.save_step("t1.d1", StoredStep(0, "the part's"))
        await session.save_step("t1.d1", StoredStep(1, "and on"))
        await held(store, "t1-1", turn="t1")
        await held(store, "t1.d1-1", turn="t1.d1")
        await held(store, "t1.d1-2", turn="t1.d1")
        assert await session.steps("t1.d1") == ((StoredStep(0, "the part's"), StoredStep(1, "and on")), 2)
        assert await session.steps("t1.d2") == ((), 0)
    work = await work_on(store)
    assert (work.steps, work.attempts_used) == ((StoredStep(0, "the turn's"),), 1)


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────
async def test_the_steps_of_a_turns_parts_go_with_it(store: Store) -> None:
    for number in range(1, 13):
        await answer(store, inbound(f"e{number}"), at_ms=NOON if number in (1, 12) else NOON + 5)
        async with store.lane("lane-1") as session:
            assert session is not None
            await session.save_step(f"t{number}.d1", StoredStep(0, "x"))
            await session.save_step(f"t{number}.d1.d2", StoredStep(0, "x"))
    assert await store.prune(NOON + 1, 0) == 6  # two messages with two steps each, and none of t10 and t11
    async with store.lane("lane-1") as session:
        assert session is not None
        assert await session.steps("t1.d1") == ((), 0)
        assert await session.steps("t11.d1.d2") == ((StoredStep(0, "x"),), 0)


async def test_old_runs_are_forgotten_but_never_one_that_waits(store: Store) -> None:
    await answer(store, inbound("e1"), run=run_of("waits"), handoff=handoff_of("pending"))
    await answer(store, inbound("e2"), run=run_of("done", status=RunStatus.FINISHED))
    await answer(
        store, inbound("e3"), run=run_of("failed", status=RunStatus.FAILED), handoff=handoff_of("old")
    )
    await answer(store, inbound("e4"), run=run_of("new", status=RunStatus.FINISHED, at_ms=UnixMs(NOON + 9)))
    await store.runs.decide("old", Decision.APPROVED, "x", "", errand_of(), NOON)
    await store.runs.remember("bot-1", "anna", "k", "stays", NOON)
    before = {run.id for run in await store.runs.runs("bot-1", 9)}
    assert before == {"waits", "done", "failed", "new"}
    await store.prune(0, NOON + 1)
    assert {run.id for run in await store.runs.runs("bot-1", 9)} == {"waits", "new"}
    assert [one.id for one in await store.runs.handoffs(None, 9)] == ["pending"]
    assert await store.runs.errands(NOON, 9) == [errand_of()]
    assert await store.runs.recall("bot-1", "anna", "k") == "stays"


async def test_a_user_is_forgotten_with_all_that_is_owed(store: Store) -> None:
    for user, bot in (("anna", "bot-1"), ("bert", "bot-1"), ("anna", "bot-2")):
        name = f"{user} of {bot}"
        await answer(
            store,
            inbound(name, lane=name, bot=bot),
            user=user,
            run=run_of(f"r {name}", user=user, bot=bot),
            errands=(errand_of(f"e {name}", user=user, bot=bot),),
            handoff=handoff_of(f"h {name}", user=user, bot=bot),
        )
        await store.runs.remember(bot, user, "k", "v", NOON)
    await store.runs.remember("bot-1", "", "k", "of all", NOON)
    # a run, an errand, a hand-off, a memory; the message, its turn, its conversation
    assert await store.forget_user("bot-1", "anna") == 4 + 3
    assert [run.user for run in await store.runs.runs("bot-1", 9)] == ["bert"]
    assert {errand.key for errand in await store.runs.errands(NOON, 9)} == {
        "e bert of bot-1",
        "e anna of bot-2",
    }
    assert {one.id for one in await store.runs.handoffs(None, 9)} == {"h bert of bot-1", "h anna of bot-2"}
    assert await store.runs.recall("bot-1", "anna", "k") is None
    assert await store.runs.recall("bot-1", "bert", "k") == "v"
    assert await store.forget_user(None, "anna") == 4 + 3
    assert await store.forget_user(None, "") == 0
    assert await store.runs.recall("bot-1", "", "k") == "of all"


async def test_a_conversation_is_forgotten_with_its_runs(store: Store) -> None:
    for name in ("c1", "c2"):
        await answer(
            store,
            inbound(name, lane=name),
            run=run_of(f"r {name}", conversation=name),
            errands=(errand_of(f"e {name}", run=f"r {name}"),),
            handoff=handoff_of(f"h {name}", conversation=name),
        )
    assert await store.forget_conversation("c1") == 3 + 3
    assert await store.runs.run("r c1") is None
    assert [errand.key for errand in await store.runs.errands(NOON, 9)] == ["e c2"]
    assert [one.id for one in await store.runs.handoffs(None, 9)] == ["h c2"]
