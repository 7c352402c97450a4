"""Runs and passes over HTTP: read by who may read, issued by who may issue, and a pass lets somebody in."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from runner.ports.mail import ConversationState, FinishedTurn, NewInbound
from runner.store.memory import MemoryStore
from runner.testing.dashboard_bots import NOW
from runner.testing.dashboard_flows import run_records
from runner.workflows.doers.passes import Passes
from tests.unit.web.web_stage import Stage, bearer


async def with_runs(store: MemoryStore) -> None:
    """Two runs of the bot, written as turns' ends write them."""
    await store.open()
    for number, record in enumerate(run_records(NOW)[:2]):
        row = NewInbound("shop", "chat", "", f"e{number}", "lane", "{}", NOW)
        accepted = await store.accept(row)
        end = FinishedTurn(
            inbox_id=accepted.inbox_id,
            turn=f"t{accepted.inbox_id}",
            bot="shop",
            channel="chat",
            lane="lane",
            user="ada",
            conversation=ConversationState("c1", NOW, NOW),
            stop_reason="answered",
            at_ms=NOW,
            run=replace(record, bot="shop"),
        )
        async with store.lane("lane") as session:
            assert session is not None
            await session.finish(end)


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    store = MemoryStore()
    await with_runs(store)
    async with Stage(store=store) as stage:
        yield stage


async def ask(
    shop: Stage, method: str, path: str, body: object = None, scope: str = "admin"
) -> tuple[int, Any]:
    async with shop.http.request(method, path, json=body, headers=bearer(scope)) as response:  # type: ignore[arg-type]
        return response.status, await response.json()


async def test_runs_are_listed_the_latest_first(shop: Stage) -> None:
    status, found = await ask(shop, "GET", "/api/bots/shop/runs", scope="read")
    assert status == 200
    assert [(run["id"], run["status"], run["waiting_for"]) for run in found["runs"]] == [
        ("rt4100", "waiting", "a reviewer"),
        ("rt4099", "finished", ""),
    ]
    _, found = await ask(shop, "GET", "/api/bots/shop/runs?limit=1")
    assert len(found["runs"]) == 1
    assert (await ask(shop, "GET", "/api/bots/nobody/runs"))[0] == 404


async def test_a_run_tells_what_its_nodes_did(shop: Stage) -> None:
    status, run = await ask(shop, "GET", "/api/runs/rt4099", scope="read")
    assert (status, run["status"]) == (200, "finished")
    assert [node["node"] for node in run["trace"]] == ["classify", "lookup", "approve", "refund", "done"]
    assert (run["trace"][0]["cost_usd"], run["trace"][0]["output"]) == ("0.00031", '"order"')
    assert (await ask(shop, "GET", "/api/runs/rt1"))[0] == 404


async def test_a_code_lets_its_user_in(shop: Stage) -> None:
    status, issued = await ask(shop, "POST", "/api/bots/shop/passes", {"kind": "code", "user": "ada"})
    assert status == 201
    assert len(issued["text"]) == 6
    passes = Passes(shop.store.runs, shop.clock)
    assert await passes.by_code("shop", "ada", issued["text"], "r.1", "t1") == "ada"


async def test_a_link_lets_its_identity_in(shop: Stage) -> None:
    wanted = {"kind": "link", "identity": "customer 7", "minutes": 5}
    _, issued = await ask(shop, "POST", "/api/bots/shop/passes", wanted)
    passes = Passes(shop.store.runs, shop.clock)
    assert await passes.by_token("shop", f"https://x/?p={issued['text']}", "r.1") == "customer 7"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "code"},
        {"kind": "link", "user": "ada"},
        {"kind": "key", "user": "ada"},
        {"kind": "code", "user": "ada", "minutes": 0},
        {"kind": "code", "user": "ada", "minutes": 10**9},
        {"kind": "code", "user": "a" * 300},
    ],
)
async def test_what_is_no_pass_is_refused(shop: Stage, body: object) -> None:
    assert (await ask(shop, "POST", "/api/bots/shop/passes", body))[0] == 400


async def test_who_may_only_read_issues_nothing(shop: Stage) -> None:
    body = {"kind": "code", "user": "ada"}
    assert (await ask(shop, "POST", "/api/bots/shop/passes", body, scope="read"))[0] == 403
    assert (await ask(shop, "POST", "/api/bots/nobody/passes", body))[0] == 404
