"""Hand-offs over HTTP: listed for who may read, decided once by who may decide."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runner.dispatch.errands import Resume, unwrap
from runner.dispatch.handoffs import MAX_COMMENT
from runner.store.memory import MemoryStore
from tests.unit.dispatch.test_handoff_desk import asked, with_handoffs
from tests.unit.web.web_stage import Stage, bearer

NOON = "2026-01-01T12:00:00.000Z"


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    store = MemoryStore()
    await with_handoffs(store, asked("h1"), asked("h2"), asked("h/3 é"))
    async with Stage(store=store) as stage:
        yield stage


async def ask(
    shop: Stage, method: str, path: str, body: object = None, scope: str = "admin"
) -> tuple[int, Any]:
    async with shop.http.request(method, path, json=body, headers=bearer(scope)) as response:  # type: ignore[arg-type]
        return response.status, await response.json()


async def test_what_waits_and_what_was_decided_is_listed(shop: Stage) -> None:
    status, found = await ask(shop, "GET", "/api/handoffs", scope="read")
    assert (status, [one["id"] for one in found["handoffs"]]) == (200, ["h/3 é", "h2", "h1"])
    await ask(shop, "POST", "/api/handoffs/h2/approve", {})
    for query, ids in (
        ("decision=pending", ["h/3 é", "h1"]),
        ("decision=pending&limit=1", ["h/3 é"]),
        ("decision=approved", ["h2"]),
        ("decision=rejected", []),
    ):
        _, found = await ask(shop, "GET", f"/api/handoffs?{query}")
        assert [one["id"] for one in found["handoffs"]] == ids, query


async def test_a_decision_says_who_and_why_and_lets_the_run_go_on(shop: Stage) -> None:
    status, done = await ask(shop, "POST", "/api/handoffs/h1/reject", {"comment": "no receipt", "by": "ann"})
    assert (status, done) == (
        200,
        {
            "id": "h1",
            "decision": "rejected",
            "bot": "bot",
            "channel": "chat",
            "user": "ada",
            "conversation": "c1",
            "run": "rt1",
            "reason": "wants money back",
            "asked_at": NOON,
            "decided_at": done["decided_at"],
            "by": "ann",
            "comment": "no receipt",
        },
    )
    [errand] = await shop.store.runs.errands(0, 9)
    assert unwrap(errand.payload)[1] == Resume("rt1", "rejected", "no receipt", "ann")


async def test_a_decision_without_a_name_and_an_odd_id(shop: Stage) -> None:
    status, done = await ask(shop, "POST", "/api/handoffs/h%2F3%20%C3%A9/approve", {})
    assert (status, done["id"], done["decision"], done["by"], done["comment"]) == (
        200,
        "h/3 é",
        "approved",
        "api",
        "",
    )


async def test_only_the_first_decision_counts(shop: Stage) -> None:
    assert (await ask(shop, "POST", "/api/handoffs/h1/approve", {"by": "ann"}))[0] == 200
    status, said = await ask(shop, "POST", "/api/handoffs/h1/reject", {"by": "bob"})
    assert (status, said["error"]["code"]) == (409, "decided")
    assert said["error"]["message"] == "it was approved before, by ann"
    status, said = await ask(shop, "POST", "/api/handoffs/h9/reject", {})
    assert (status, said["error"]["code"]) == (404, "not_found")
    assert len(await shop.store.runs.errands(0, 9)) == 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/handoffs/h1/approve", {"comment": "x" * (MAX_COMMENT + 1)}, "comment"),
        ("/api/handoffs/h1/approve", {"decision": "approved"}, "decision"),
        ("/api/handoffs/h1/reject", {"comment": 7}, "comment"),
    ],
)
async def test_a_verdict_that_is_none(shop: Stage, path: str, body: object, field: str) -> None:
    status, said = await ask(shop, "POST", path, body)
    assert (status, said["error"]["details"][0]["field"]) == (400, field)
    assert await shop.store.runs.errands(0, 9) == []


async def test_a_list_that_there_is_not(shop: Stage) -> None:
    for query in ("decision=maybe", "limit=0", "limit=1000"):
        assert (await ask(shop, "GET", f"/api/handoffs?{query}"))[0] == 400


async def test_reading_is_not_deciding(shop: Stage) -> None:
    for word in ("approve", "reject"):
        assert (await ask(shop, "POST", f"/api/handoffs/h1/{word}", {}, scope="read"))[0] == 403
    assert await shop.store.runs.errands(0, 9) == []
