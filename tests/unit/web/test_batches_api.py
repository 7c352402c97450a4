"""Batches over HTTP: handed in, looked at, fetched, stopped."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runner.bots import Bot
from runner.money.amounts import Money, from_cents
from runner.money.prices import PriceBook
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import Expired, Fate
from runner.testing.model_script import Fault
from runner.testing.scenes import a_book, a_bot
from runner.web.bodies import MAX_BODY
from tests.unit.agent.batch_world import PRICE
from tests.unit.web.web_stage import CUSTOM, Stage, bearer

HERE = "/api/bots/shop/batches"
LINES = [
    {"custom_id": "q1", "prompt": "What is one?"},
    {
        "custom_id": "q2",
        "messages": [
            {"role": "system", "content": "Count."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
        "max_tokens": 300,
    },
]


def a_shop(**changes: Any) -> Bot:
    return a_bot("shop", channels=(CUSTOM,), **{"cap": from_cents(500), **changes})


@asynccontextmanager
async def staged(bot: Bot | None = None, book: PriceBook | None = None) -> AsyncIterator[Stage]:
    clock = ManualClock()
    stage = Stage(
        bots=(bot or a_shop(),), clock=clock, batches=FakeBatchServer(clock), book=book or a_book(PRICE)
    )
    async with stage, asyncio.TaskGroup() as tasks:
        working = tasks.create_task(stage.desk.run(), name="batches")
        yield stage
        working.cancel()


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


async def ask(
    shop: Stage, method: str, path: str, body: object = None, scope: Any = "admin"
) -> tuple[int, Any]:
    status, said, _ = await shop.ask(method, path, headers=bearer(scope), json=body)
    return status, said


async def ended(shop: Stage, path: str) -> dict[str, Any]:
    """The batch once it is over; its desk rests by the clock."""
    while True:
        _, batch = await ask(shop, "GET", path, scope="read")
        if batch["ended_at"]:
            return dict(batch)
        if shop.clock.sleeping:
            shop.clock.advance(60)


async def test_a_batch_from_its_lines_to_its_results(shop: Stage) -> None:
    status, made = await ask(shop, "POST", HERE, {"lines": LINES})
    assert status == 201
    assert (made["state"], made["lines"], made["waiting"], made["answered"]) == ("held", 2, 2, 0)
    assert (made["bot"], made["cost_usd"], made["llm_model"]) == ("shop", "0.00", "model-1")
    assert float(made["held_usd"]) > 0
    path = f"{HERE}/{made['id']}"
    batch = await ended(shop, path)
    assert (batch["state"], batch["answered"], batch["reached"], batch["held_usd"]) == ("done", 2, 2, "0.00")
    assert batch["cost_usd"] == batch["saved_usd"] or float(batch["saved_usd"]) > 0
    assert batch["tokens"]["input"] > 0
    _, listed = await ask(shop, "GET", HERE, scope="read")
    assert listed == {"batches": [batch]}
    assert (await ask(shop, "GET", "/api/batches?limit=1", scope="read"))[1] == listed
    _, told = await ask(shop, "GET", f"{path}/results", scope="read")
    assert [line["custom_id"] for line in told["results"]] == ["q1", "q2"]
    assert {(line["state"], line["finish"], line["error"]) for line in told["results"]} == {
        ("answered", "end", None)
    }
    assert all(line["text"] and float(line["cost_usd"]) > 0 for line in told["results"])
    assert told["next"] is None
    _, page = await ask(shop, "GET", f"{path}/results?limit=1")
    assert (page["results"], page["next"]) == (told["results"][:1], 1)
    _, page = await ask(shop, "GET", f"{path}/results?limit=1&after=1")
    assert (page["results"], page["next"]) == (told["results"][1:], None)
    _, text = await ask(shop, "GET", f"{path}/results?format=jsonl&limit=1")
    assert [json.loads(line) for line in text.splitlines()] == told["results"]
    first, second = shop.batches.submitted[0] if shop.batches else ()
    assert (first.prepared.body.system, second.prepared.body.system) == ("You are brief.", "Count.")
    assert second.max_output_tokens == 300


async def test_what_went_wrong_with_a_line_is_told(shop: Stage) -> None:
    assert shop.batches is not None
    fates: Iterator[Fate] = iter([Expired(), Fault(500, message="odd")])
    shop.batches.book.standing = lambda _: next(fates)
    _, made = await ask(shop, "POST", HERE, {"lines": LINES})
    batch = await ended(shop, f"{HERE}/{made['id']}")
    assert (batch["state"], batch["not_run"], batch["unknown"]) == ("done", 1, 1)
    _, told = await ask(shop, "GET", f"{HERE}/{made['id']}/results")
    first, second = told["results"]
    assert (first["state"], first["text"], first["cost_usd"]) == ("not_run", None, "0.00")
    assert "within the day" in first["error"]
    assert (second["state"], "odd" in second["error"]) == ("unknown", True)
    assert second["cost_usd"] == batch["unknown_cost_usd"]


async def test_the_same_key_is_one_batch(shop: Stage) -> None:
    first = await ask(shop, "POST", HERE, {"lines": LINES, "key": "k"})
    again = await ask(shop, "POST", HERE, {"lines": LINES[:1], "key": "k"})
    assert (first[0], again[0]) == (201, 200)
    assert (again[1]["id"], again[1]["lines"], again[1]["key"]) == (first[1]["id"], 2, "k")


async def test_a_batch_is_canceled_once(shop: Stage) -> None:
    assert shop.batches is not None
    shop.batches.book.looks = None
    _, made = await ask(shop, "POST", HERE, {"lines": LINES})
    path = f"{HERE}/{made['id']}"
    status, batch = await ask(shop, "POST", f"{path}/cancel")
    assert (status, batch["cancel_asked"]) == (200, True)
    batch = await ended(shop, path)
    assert (batch["state"], batch["not_run"], batch["cost_usd"]) == ("canceled", 2, "0.00")
    status, said = await ask(shop, "POST", f"{path}/cancel")
    assert (status, said["error"]["code"]) == (409, "over")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [({"cap": Money(10)}, 402, "limit_reached"), ({"cap": None}, 201, None)],
)
async def test_no_money_no_batch(changes: dict[str, Any], status: int, code: str | None) -> None:
    async with staged(a_shop(**changes)) as shop:
        got, said = await ask(shop, "POST", HERE, {"lines": LINES})
        assert (got, said.get("error", {}).get("code")) == (status, code)
        _, listed = await ask(shop, "GET", HERE)
        assert len(listed["batches"]) == (status == 201)


async def test_a_model_without_a_batch_price() -> None:
    async with staged(book=a_book()) as shop:
        status, said = await ask(shop, "POST", HERE, {"lines": LINES})
    assert (status, said["error"]["code"]) == (409, "not_served")


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([], ["lines"]),
        ([{"prompt": "x"}, {"custom_id": "a", "prompt": 7}], ["lines[0].custom_id", "lines[1].prompt"]),
        ([{"custom_id": "a"}, {"custom_id": "a", "prompt": "x"}], ["lines[0]", "lines[1].custom_id"]),
        ([{"custom_id": "a", "prompt": "x", "max_tokens": 10**6}], ["lines[0].max_tokens"]),
        ([{"custom_id": "a", "prompt": "x", "tools": []}], ["lines[0].tools"]),
        (
            [{"custom_id": "a", "messages": [{"role": "assistant", "content": "x"}]}],
            ["lines[0].messages"],
        ),
    ],
)
async def test_all_faults_of_the_lines_are_told(shop: Stage, lines: Any, fields: list[str]) -> None:
    status, said = await ask(shop, "POST", HERE, {"lines": lines})
    assert (status, said["error"]["code"]) == (400, "invalid")
    assert [fault["field"] for fault in said["error"]["details"]] == fields


async def test_a_batch_may_be_larger_than_other_bodies(shop: Stage) -> None:
    big = {"custom_id": "big", "prompt": "x" * (MAX_BODY * 5)}
    body = io.BytesIO(json.dumps({"lines": [big]}).encode())
    status, made, _ = await shop.ask("POST", HERE, headers=bearer(), data=body)
    assert (status, made["lines"]) == (201, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/bots/nobody/batches"),
        ("POST", "/api/bots/nobody/batches"),
        ("GET", f"{HERE}/b9"),
        ("GET", f"{HERE}/b9/results"),
        ("POST", f"{HERE}/b9/cancel"),
    ],
)
async def test_what_is_not_there(shop: Stage, method: str, path: str) -> None:
    status, said = await ask(
        shop, method, path, {"lines": LINES} if path.endswith("nobody/batches") else None
    )
    assert (status, said["error"]["code"]) == (404, "not_found")


async def test_who_may_read_may_not_hand_in(shop: Stage) -> None:
    assert (await ask(shop, "POST", HERE, {"lines": LINES}, "read"))[0] == 403
    _, made = await ask(shop, "POST", HERE, {"lines": LINES})
    assert (await ask(shop, "POST", f"{HERE}/{made['id']}/cancel", scope="read"))[0] == 403
    assert (await ask(shop, "GET", f"/api/bots/other/batches/{made['id']}"))[0] == 404
