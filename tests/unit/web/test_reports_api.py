"""Analytics, usage and conversations, as the bot API's clients know them."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from runner.clock import UnixMs
from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.money.amounts import from_cents
from runner.money.prices import Price, PriceBook, Rates
from runner.money.usage import NO_USAGE, Usage
from runner.ports.mail import ConversationState
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_bot
from tests.contract.stores.examples import DAY, NOON, UNKNOWN, answer, held, inbound, scope, settled
from tests.unit.web.web_stage import CUSTOM, Stage, bearer

BOT = "bot-1"
ROOMY = scope(limit=None)
SAID = [message_to_json(UserMessage("hi", "Ann")), message_to_json(AssistantMessage("hello"))]


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    store = MemoryStore()
    await store.open()
    await held(store, "t1-1", ROOMY)
    await store.settle(settled("t1-1", 15 * 10**9))
    await held(store, "t1-2", ROOMY, time_ms=NOON + DAY, user="=ben", model="large", number=2)
    await store.settle(settled("t1-2", 25 * 10**9))
    await held(store, "t9-1", ROOMY, turn="t9", time_ms=NOON + DAY)
    await store.settle(replace(settled("t9-1"), state=UNKNOWN, cost=None))
    for number in range(3):
        state = ConversationState(f"c{number}", NOON, NOON + number, 0, 0)
        await answer(
            store, inbound(f"e{number}", f"lane-{number}"), *SAID, parts=1, conversation=state, user="anna"
        )
    clock = ManualClock(now_ms=UnixMs(NOON + 2 * DAY))
    bot = a_bot(BOT, channels=(CUSTOM,), cap=from_cents(500))
    async with Stage(bots=(bot,), store=store, clock=clock) as stage:
        yield stage


async def test_analytics_shows_each_day_and_their_sum(shop: Stage) -> None:
    path = f"/api/bots/{BOT}/analytics?from=2025-12-31&to=2026-01-03"
    async with shop.http.get(path, headers=bearer("read")) as response:
        said = await response.json()
    assert [day["date"] for day in said["daily"]] == ["2025-12-31", "2026-01-01", "2026-01-02", "2026-01-03"]
    assert said["daily"][0]["messages_received"] == 0
    day = said["daily"][1]
    assert (day["messages_received"], day["messages_sent"], day["unique_users"]) == (3, 3, 1)
    assert (day["tokens_input"], day["tokens_output"]) == (100, 600)
    assert (day["total_cost_cents"], day["total_cost_usd"]) == (2, "0.015")
    assert said["daily"][2]["unknown_cost_usd"] == "0.0000000011"
    assert said["summary"] == {
        "total_conversations": 3,
        "total_messages": 6,
        "total_tokens": 2100,
        "total_cost_cents": 4,  # not the sum of the days' ceilings, 2 + 3
        "total_cost_usd": "0.04",
        "unknown_cost_usd": "0.0000000011",
        "unique_users": 1,
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-01-02&to=2026-01-01", "from"),
        ("from=2024-01-01&to=2026-01-01", "from"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
    ],
)
async def test_days_that_are_none(shop: Stage, query: str, field: str) -> None:
    async with shop.http.get(f"/api/bots/{BOT}/analytics?{query}", headers=bearer()) as response:
        assert response.status == 400
        assert [fault["field"] for fault in (await response.json())["error"]["details"]] == [field]


async def test_without_days_it_is_the_last_thirty(shop: Stage) -> None:
    async with shop.http.get(f"/api/bots/{BOT}/analytics", headers=bearer()) as response:
        days = [day["date"] for day in (await response.json())["daily"]]
    assert (len(days), days[0], days[-1]) == (30, "2025-12-05", "2026-01-03")


async def test_usage_tells_what_was_saved(shop: Stage) -> None:
    rates = Rates(input=10**9, output=10**9, cache_read=10**8)
    shop.book = PriceBook("test", {("openai", "small"): Price("small", "openai", rates, batch_percent=50)})
    await held(shop.store, "b1-1", ROOMY, turn="b1", feature="batch")
    await shop.store.settle(
        replace(settled("b1-1", 15 * 10**9), usage=Usage(1000, 0, cache_read_tokens=1000))
    )
    await held(shop.store, "k1-1", ROOMY, turn="k1", route="cache")
    await shop.store.settle(replace(settled("k1-1", 0), usage=NO_USAGE))
    async with shop.http.get("/api/usage?group_by=feature", headers=bearer("read")) as response:
        said = await response.json()
    chat, batch = sorted(said["groups"], key=lambda line: str(line["feature"]), reverse=True)
    # The small model's two chat calls cost 15 x 10^9 together, one of them nobody knows how much.
    assert (chat["kept_answers"], chat["kept_answers_saved_usd"]) == (1, "0.0075")
    assert (batch["cache_saved_usd"], batch["batch_saved_usd"]) == ("0.0000009", "0.00000005")
    assert said["total"]["saved_usd"] == "0.00750095"
    async with shop.http.get("/api/usage?group_by=feature&format=csv", headers=bearer()) as response:
        [row] = [
            row for row in csv.DictReader(io.StringIO(await response.text())) if row["feature"] == "batch"
        ]
    assert row["saved_usd"] == "0.00000095"


async def test_usage_by_anything(shop: Stage) -> None:
    async with shop.http.get(
        "/api/usage?group_by=user,model&from=2026-01-01", headers=bearer("read")
    ) as response:
        said = await response.json()
    assert said["group_by"] == ["user", "model"]
    assert [(line["user"], line["model"], line["cost_usd"], line["retries"]) for line in said["groups"]] == [
        ("=ben", "large", "0.025", 1),
        ("anna", "small", "0.015", 0),
    ]
    assert said["total"]["calls"] == 3
    assert (said["total"]["cost_usd"], said["total"]["cost_cents"]) == ("0.04", 4)


async def test_usage_as_csv_holds_no_formula(shop: Stage) -> None:
    async with shop.http.get(
        "/api/usage?group_by=user&from=2026-01-01&format=csv", headers=bearer()
    ) as response:
        assert response.content_type == "text/csv"
        lines = list(csv.DictReader(io.StringIO(await response.text())))
    assert [(line["user"], line["cost_usd"]) for line in lines] == [("'=ben", "0.025"), ("anna", "0.015")]


async def test_a_grouping_that_there_is_not(shop: Stage) -> None:
    async with shop.http.get("/api/usage?group_by=bot,weather", headers=bearer()) as response:
        assert response.status == 400
        assert "weather" in (await response.json())["error"]["details"][0]["message"]


async def test_conversations_page_by_page(shop: Stage) -> None:
    path = f"/api/bots/{BOT}/conversations?limit=2"
    async with shop.http.get(path, headers=bearer()) as response:
        first = await response.json()
    assert [line["id"] for line in first["conversations"]] == ["c2", "c1"]
    async with shop.http.get(f"{path}&cursor={first['next']}", headers=bearer()) as response:
        second = await response.json()
    assert ([line["id"] for line in second["conversations"]], second["next"]) == (["c0"], None)
    async with shop.http.get(f"{path}&cursor=nowhere", headers=bearer()) as response:
        assert response.status == 400


async def test_a_conversation_is_told_with_its_cost(shop: Stage) -> None:
    async with shop.http.get("/api/conversations/c0", headers=bearer()) as response:
        said = await response.json()
    [turn] = said["transcript"]
    assert [(message["role"], message["text"]) for message in turn["messages"]] == [
        ("user", "hi"),
        ("assistant", "hello"),
    ]
    assert turn["turn_id"] == "t1"
    assert (turn["calls"], turn["cost_usd"]) == (2, "0.04")


async def test_what_there_is_not(shop: Stage) -> None:
    for path in ("/api/conversations/c77", "/api/bots/nobody/conversations", "/api/bots/nobody/analytics"):
        async with shop.http.get(path, headers=bearer()) as response:
            assert response.status == 404, path
