"""What people look at: usage by day, traffic, bots, conversations with what was said and what it cost."""

import asyncio
from dataclasses import replace

import pytest

from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import Correction, LedgerFilter, Settlement, UsageSum
from runner.ports.mail import ConversationState, OutboxState
from runner.ports.reports import BotFacts, ConversationLine, DayTraffic, TranscriptTurn
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import DAY, NOON, UNKNOWN, answer, attempt, held, inbound, scope, spent

MIDNIGHT = NOON - DAY // 2
NEW_YEAR, NEXT_DAY = "2026-01-01", "2026-01-02"


def talk(name: str, last_ms: int = NOON, next_seq: int = 0) -> ConversationState:
    return ConversationState(name, NOON, last_ms, next_seq=next_seq)


# ── usage of whole days ──────────────────────────────────────────────────────────────────────────────────
async def test_a_day_is_from_midnight_to_midnight(store: Store) -> None:
    for name, cost, moment in (("a1", 1, MIDNIGHT - 1), ("a2", 2, MIDNIGHT), ("a3", 4, MIDNIGHT + DAY - 1)):
        await spent(store, name, cost, time_ms=moment)
    await spent(store, "a4", 8, time_ms=MIDNIGHT + DAY)
    for bot in (None, "bot-1"):
        day = LedgerFilter(bot=bot, from_ms=MIDNIGHT, to_ms=MIDNIGHT + DAY)
        assert [(group.key, group.cost) for group in await store.usage(day, ["day"])] == [((NEW_YEAR,), 6)]
        assert [group.cost for group in await store.usage(day, ["user"])] == [6]
    late = LedgerFilter(from_ms=MIDNIGHT + 1, to_ms=MIDNIGHT + DAY)
    assert [group.cost for group in await store.usage(late, ["day"])] == [4]


async def test_days_and_users_and_the_rest_at_once(store: Store) -> None:
    await spent(store, "a1", 5, user="anna", model="m", time_ms=NOON)
    await spent(store, "a2", 7, user="ben", model="m", time_ms=NOON + DAY)
    await spent(store, "a3", 1, user="anna", model="n", time_ms=NOON + DAY)
    found = await store.usage(LedgerFilter(), ["user", "model", "day"])
    assert [(group.key, group.cost) for group in found] == [
        (("ben", "m", NEXT_DAY), 7),
        (("anna", "m", NEW_YEAR), 5),
        (("anna", "n", NEXT_DAY), 1),
    ]
    found = await store.usage(LedgerFilter(), ["day", "model"])
    assert [group.key for group in found] == [(NEXT_DAY, "m"), (NEW_YEAR, "m"), (NEXT_DAY, "n")]
    found = await store.usage(LedgerFilter(), ["user"])
    assert [(group.key, group.cost) for group in found] == [(("ben",), 7), (("anna",), 6)]


@pytest.mark.parametrize("by", ["model", "day", "user"])
async def test_the_dearest_are_brought(store: Store, by: str) -> None:
    for number, cost in enumerate((3, 9, 1, 5)):
        field = {"time_ms": NOON + number * DAY} if by == "day" else {by: f"{by} {number}"}
        await spent(store, f"a{number}", cost, **field)
    costs = [group.cost for group in await store.usage(LedgerFilter(), [by], limit=2)]
    assert costs == [9, 5]
    assert len(await store.usage(LedgerFilter(from_ms=1), [by], limit=2)) == 2


async def test_a_correction_counts_on_its_own_day(store: Store) -> None:
    await held(store, "a1", scope(), user="anna")
    await store.settle(Settlement("a1", UNKNOWN, usage=Usage(3, 1)))
    await store.correct(Correction("a1", Money(40), "the invoice", NOON + DAY))
    first, second = (LedgerFilter(from_ms=MIDNIGHT + n * DAY, to_ms=MIDNIGHT + (n + 1) * DAY) for n in (0, 1))
    for by, key in (((), ()), (("day",), (NEW_YEAR,)), (("user",), ("anna",))):
        assert await store.usage(first, by) == [
            UsageSum(key, Money(0), 1, 0, Usage(3, 1), unknown=Money(1100))
        ]
    for by, key in (((), ()), (("day",), (NEXT_DAY,)), (("user",), ("anna",))):
        assert await store.usage(second, by) == [UsageSum(key, Money(40), 0, 0, unknown=Money(-1100))]
    [both] = await store.usage(LedgerFilter(), ("bot",))
    assert (both.cost, both.unknown, both.calls) == (40, 0, 1)


async def test_what_runs_still_is_not_in_the_sums(store: Store, again: Again) -> None:
    await held(store, "a1", scope())
    assert await store.usage(LedgerFilter(), ("bot",)) == []
    await store.close()
    later = again()
    await later.open()
    try:
        await later.recover()
        [lost] = await later.usage(LedgerFilter(), ("bot",))
        assert (lost.cost, lost.unknown, lost.calls) == (0, 1100, 1)
    finally:
        await later.close()


async def test_the_users_who_cost_most(store: Store) -> None:
    for number, (bot, user, cost) in enumerate(
        (("b", "anna", 3), ("c", "anna", 9), ("b", "ben", 4), ("b", "anna", 3), ("b", "carl", 1))
    ):
        await spent(store, f"a{number}", cost, bot=bot, user=user)
    top = await store.top_users(LedgerFilter(from_ms=MIDNIGHT), 3)
    assert [(one.key, one.cost, one.calls) for one in top] == [
        (("c", "anna"), 9, 1),
        (("b", "anna"), 6, 2),
        (("b", "ben"), 4, 1),
    ]
    assert [one.key for one in await store.top_users(LedgerFilter(bot="b"), 1)] == [("b", "anna")]
    assert [one.cost for one in await store.top_users(LedgerFilter(from_ms=NOON + 1), 9)] == []


# ── traffic ──────────────────────────────────────────────────────────────────────────────────────────────
async def test_traffic_counts_on_the_day_of_the_message(store: Store) -> None:
    before_midnight = inbound("e1", at_ms=MIDNIGHT + DAY - 1)
    await answer(store, before_midnight, parts=2, at_ms=MIDNIGHT + DAY + 5)
    await answer(store, inbound("e2", at_ms=MIDNIGHT + DAY), parts=1)
    assert await store.traffic("bot-1", NEW_YEAR, NEXT_DAY) == [
        DayTraffic(NEW_YEAR, "bot-1", received=1, sent=2, users=1),
        DayTraffic(NEXT_DAY, "bot-1", received=1, sent=1, users=1),
    ]
    assert [day.day for day in await store.traffic("bot-1", NEXT_DAY, "2026-01-09")] == [NEXT_DAY]
    assert await store.traffic("bot-1", NEXT_DAY, NEW_YEAR) == []


async def test_traffic_of_all_bots_comes_by_day_and_bot(store: Store) -> None:
    for event, bot, moment in (("e1", "b", NOON + DAY), ("e2", "c", NOON), ("e3", "b", NOON)):
        await answer(store, inbound(event, lane=event, bot=bot, at_ms=moment))
    found = await store.traffic(None, NEW_YEAR, NEXT_DAY)
    assert [(day.day, day.bot) for day in found] == [(NEW_YEAR, "b"), (NEW_YEAR, "c"), (NEXT_DAY, "b")]
    assert [day.bot for day in await store.traffic("c", NEW_YEAR, NEXT_DAY)] == ["c"]


async def test_users_are_different_people(store: Store) -> None:
    """The same id on two platforms is two people, on two days one."""
    said = [
        ("anna", "telegram", "b", NOON),
        ("anna", "telegram", "b", NOON + 1),
        ("anna", "discord", "b", NOON),
        ("ben", "telegram", "b", NOON),
        ("anna", "telegram", "b", NOON + DAY),
        ("anna", "telegram", "c", NOON + DAY),
    ]
    for number, (user, platform, bot, moment) in enumerate(said):
        message = inbound(f"e{number}", lane=f"lane {number}", bot=bot, at_ms=moment)
        await answer(store, message, user=user, platform=platform)
    assert [day.users for day in await store.traffic("b", NEW_YEAR, NEXT_DAY)] == [3, 1]
    assert await store.unique_users("b", NEW_YEAR, NEXT_DAY) == 3
    assert await store.unique_users("b", NEXT_DAY, NEXT_DAY) == 1
    assert await store.unique_users(None, NEXT_DAY, NEXT_DAY) == 1
    assert await store.unique_users(None, NEW_YEAR, NEXT_DAY) == 3
    assert await store.unique_users("b", NEXT_DAY, NEW_YEAR) == 0
    assert await store.unique_users(None, "2020-01-01", "2020-12-31") == 0


async def test_a_day_must_be_one(store: Store) -> None:
    with pytest.raises(ValueError, match="isoformat"):
        await store.traffic(None, "yesterday", NEXT_DAY)
    with pytest.raises(ValueError, match="month"):
        await store.unique_users("b", NEW_YEAR, "2026-13-01")


async def test_a_turn_that_fails_to_end_counts_nothing(store: Store) -> None:
    await answer(store, inbound("e1"), "said", parts=1)
    before = (await store.traffic(None, NEW_YEAR, NEW_YEAR), await store.bot_facts(["bot-1"]))
    with pytest.raises(AssertionError):  # the lane has no work: it is done
        await answer(store, inbound("e1"), "again")
    assert (await store.traffic(None, NEW_YEAR, NEW_YEAR), await store.bot_facts(["bot-1"])) == before


# ── bots ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_bots_have_times_of_their_own(store: Store) -> None:
    await store.define_bots({"b": "1", "c": "1"}, NOON)
    await store.define_bots({"b": "1", "c": "2"}, NOON + 5)
    await store.define_bots({"b": "1"}, NOON + 9)
    assert await store.bot_facts(["b", "c", "d"]) == {
        "b": BotFacts("b", NOON, NOON),
        "c": BotFacts("c", NOON, NOON + 5),
        "d": BotFacts("d"),
    }


async def test_bots_are_known_by_their_traffic(store: Store) -> None:
    await answer(store, inbound("e1", at_ms=NOON + DAY), parts=2)
    await answer(store, inbound("e2", at_ms=NOON + DAY - 7), parts=1)
    fresh = talk("another", NOON + 1)
    await answer(store, inbound("e3", at_ms=NOON + 3), conversation=fresh, platform="elsewhere")
    facts = await store.bot_facts(["bot-1", "bot-1"])
    assert facts == {"bot-1": BotFacts("bot-1", 0, 0, NOON + DAY, conversations=2, messages=6)}
    await store.define_bots({"bot-1": "x"}, NOON + 4)
    assert (await store.bot_facts(["bot-1"]))["bot-1"].created_ms == NOON + 4


async def test_counts_outlive_what_was_counted(store: Store) -> None:
    await answer(store, inbound("e1"), "1", "2", parts=1, first_state=OutboxState.SENT)
    await spent(store, "a1", 5)
    before = (await store.traffic(None, NEW_YEAR, NEW_YEAR), await store.bot_facts(["bot-1"]))
    assert await store.prune(NOON + 1, NOON + 1) == 2 + 4
    assert await store.conversations(None, 9) == []
    assert (await store.traffic(None, NEW_YEAR, NEW_YEAR), await store.bot_facts(["bot-1"])) == before
    assert await store.unique_users(None, NEW_YEAR, NEW_YEAR) == 1
    assert [group.cost for group in await store.usage(LedgerFilter(), ["user"])] == [5]


async def test_who_was_active_is_forgotten_after_400_days(store: Store) -> None:
    for n in range(3):
        await answer(store, inbound(f"e{n}", lane=f"lane {n}", at_ms=NOON + n * DAY), user=f"user {n}")
    days = (NEW_YEAR, "2026-01-03")
    await store.prune(NOON + 401 * DAY, 0)
    assert await store.unique_users(None, *days) == 2
    await store.prune(NOON + 9999 * DAY, 0)
    assert await store.unique_users(None, *days) == 0
    assert [day.users for day in await store.traffic(None, *days)] == [1, 1, 1]


# ── conversations ────────────────────────────────────────────────────────────────────────────────────────
async def test_conversations_come_in_pages(store: Store) -> None:
    for n in range(7):
        state = talk(f"c{n}", NOON + n // 2)
        bot = "bot-2" if n == 6 else "bot-1"
        await answer(store, inbound(f"e{n}", lane=f"lane {n}", bot=bot), "1", conversation=state)
    pages = []
    before: tuple[int, str] | None = None
    while page := await store.conversations("bot-1", 2, before):
        pages.append([line.id for line in page])
        before = (page[-1].last_ms, page[-1].id)
    assert pages == [["c5", "c4"], ["c3", "c2"], ["c1", "c0"]]
    assert [line.id for line in await store.conversations(None, 2)] == ["c6", "c5"]
    assert await store.conversations("nobody", 9) == []


async def test_a_line_tells_what_there_is_and_what_it_cost(store: Store) -> None:
    await answer(store, inbound("e1"), "1", "2", user="anna", conversation=talk("c1", NOON + 1))
    await answer(store, inbound("e2"), user="ben", conversation=talk("c1", NOON + 2, next_seq=2))
    await spent(store, "t1.1", 5, turn="t1", conversation="c1")
    await held(store, "t2.1", scope(), turn="t2", conversation="c1")
    await store.settle(Settlement("t2.1", UNKNOWN))
    await held(store, "t2.2", scope(), turn="t2", conversation="c1")
    await spent(store, "t9.1", 99, turn="t9", conversation="another")
    line = ConversationLine(
        id="c1",
        bot="bot-1",
        channel="telegram",
        user="anna",
        started_ms=NOON,
        last_ms=NOON + 2,
        turns=2,
        messages=2,
        cost=Money(5),
        unknown=Money(1100),
    )
    assert await store.conversations(None, 9) == [line]
    await store.correct(Correction("t2.1", Money(7), "the invoice", NOON + DAY))
    assert await store.conversations("bot-1", 9) == [replace(line, cost=Money(12), unknown=Money(0))]


async def test_conversations_of_a_user_are_those_they_spoke_in(store: Store) -> None:
    await answer(store, inbound("e1"), user="anna", conversation=talk("shared", NOON + 3))
    await answer(store, inbound("e2"), user="ben", conversation=talk("shared", NOON + 3))
    await answer(store, inbound("e3", lane="b", bot="bot-2"), user="ben", conversation=talk("own", NOON + 4))
    assert [line.id for line in await store.conversations(None, 9, user="ben")] == ["own", "shared"]
    assert [line.id for line in await store.conversations("bot-1", 9, user="ben")] == ["shared"]
    assert [line.id for line in await store.conversations(None, 9, user="anna")] == ["shared"]
    assert [line.id for line in await store.conversations(None, 9, (NOON + 4, "own"), "ben")] == ["shared"]
    assert await store.conversations(None, 9, user="carl") == []


async def test_a_transcript_goes_turn_by_turn(store: Store) -> None:
    await answer(store, inbound("e1"), "q1", "a1", user="anna", report='{"n":1}')
    await answer(store, inbound("e2"), user="ben", stop_reason="budget", at_ms=NOON + 2)
    await answer(store, inbound("e3"), "q3", "tools", "a3", user="anna", at_ms=NOON + 3)
    await spent(store, "t1.1", 5, turn="t1")
    await spent(store, "t1.2", 7, turn="t1", number=2)
    await held(store, "t3.1", scope(), turn="t3")
    await store.settle(Settlement("t3.1", UNKNOWN, usage=Usage(9, 1)))
    await held(store, "t3.2", scope(), turn="t3")
    found = await store.transcript("c1")
    assert found is not None
    assert (found.line.id, found.line.turns, found.line.messages, found.line.cost) == ("c1", 3, 5, 12)
    assert found.turns == (
        TranscriptTurn("t1", "anna", "answered", NOON, '{"n":1}', ("q1", "a1"), 2, 200, 1200, Money(12)),
        TranscriptTurn("t2", "ben", "budget", NOON + 2, "{}"),
        TranscriptTurn(
            "t3", "anna", "answered", NOON + 3, "{}", ("q3", "tools", "a3"), 1, 9, 1, unknown=Money(1100)
        ),
    )
    await store.correct(Correction("t3.1", Money(0), "it never ran", NOON + DAY))
    corrected = await store.transcript("c1")
    assert corrected is not None
    assert (corrected.turns[2].calls, corrected.turns[2].unknown) == (1, 0)


async def test_a_long_transcript_brings_the_latest(store: Store) -> None:
    for n in range(12):
        await answer(store, inbound(f"e{n}"), f"q{n}", f"a{n}")
    found = await store.transcript("c1", latest=2)
    assert found is not None
    assert [turn.messages for turn in found.turns] == [("q10", "a10"), ("q11", "a11")]
    assert found.line.turns == 12
    none = await store.transcript("c1", latest=0)
    assert none is not None
    assert none.turns == ()


async def test_there_is_no_transcript_of_what_is_not_there(store: Store) -> None:
    assert await store.transcript("c1") is None


async def test_reports_see_what_was_just_written(store: Store) -> None:
    async def one(n: int) -> None:
        await answer(store, inbound(f"e{n}", lane=f"lane {n}"), "q", conversation=talk(f"c{n}"))
        assert f"c{n}" in [line.id for line in await store.conversations(None, 9)]

    await asyncio.gather(*(one(n) for n in range(8)))
    [day] = await store.traffic(None, NEW_YEAR, NEW_YEAR)
    assert (day.received, day.users) == (8, 1)


async def test_released_calls_cost_nothing_and_count(store: Store) -> None:
    await held(store, "a1", scope())
    await store.settle(Settlement("a1", ReservationState.RELEASED))
    assert await store.usage(LedgerFilter(to_ms=MIDNIGHT + DAY), ["model"]) == [
        UsageSum((attempt("a1").model,), calls=1)
    ]
