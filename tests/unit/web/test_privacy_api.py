"""A user's data goes through the admin API; the money that it cost stays."""

from collections.abc import AsyncIterator

import pytest

from runner.ports.mail import OutboxState
from tests.contract.stores.examples import answer, inbound, rows, spent
from tests.unit.web.web_stage import Stage, bearer


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with Stage() as stage:
        for n, user in enumerate(["anna", "ben", "anna"]):
            await answer(stage.store, inbound(f"e{n}", lane=f"lane {n}"), "q", "a", user=user)
        await spent(stage.store, "t1-1", 5, user="anna")
        yield stage


async def test_a_user_is_forgotten_and_the_ledger_stays(shop: Stage) -> None:
    before = await rows(shop.store)
    body = {"user": "anna"}
    async with shop.http.post("/api/users/forget", json=body, headers=bearer()) as response:
        assert (response.status, await response.json()) == (200, {"removed": 10, "left": False})
    assert [line.user for line in await shop.store.conversations(None, 9)] == ["ben"]
    assert await rows(shop.store) == before
    async with shop.http.post("/api/users/forget", json=body, headers=bearer()) as response:
        assert await response.json() == {"removed": 0, "left": False}


async def test_with_one_bot_only(shop: Stage) -> None:
    body = {"user": "anna", "bot": "another"}
    async with shop.http.post("/api/users/forget", json=body, headers=bearer()) as response:
        assert await response.json() == {"removed": 0, "left": False}


async def test_one_conversation(shop: Stage) -> None:
    async with shop.http.delete("/api/conversations/c2", headers=bearer()) as response:
        assert (response.status, await response.json()) == (200, {"removed": 5, "left": False})
    async with shop.http.delete("/api/conversations/c2", headers=bearer()) as response:
        assert response.status == 404
    assert {line.id for line in await shop.store.conversations(None, 9)} == {"c1", "c3"}


async def test_an_answer_on_its_way_is_left_and_said(shop: Stage) -> None:
    [part] = await answer(shop.store, inbound("late", lane="late"), "q", user="carl", parts=1)
    for method, path, body in (
        ("POST", "/api/users/forget", {"user": "carl"}),
        ("DELETE", "/api/conversations/c4", None),
    ):
        async with shop.http.request(method, path, json=body, headers=bearer()) as response:
            assert await response.json() == {"removed": 0, "left": True}
    await shop.store.end_sending(part, OutboxState.SENT)
    async with shop.http.delete("/api/conversations/c4", headers=bearer()) as response:
        assert await response.json() == {"removed": 5, "left": False}


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": "a\0"}, {"user": "anna", "all": True}])
async def test_who_must_be_said(shop: Stage, body: dict[str, object]) -> None:
    async with shop.http.post("/api/users/forget", json=body, headers=bearer()) as response:
        assert response.status == 400
    assert len(await shop.store.conversations(None, 9)) == 3


async def test_reading_is_not_enough(shop: Stage) -> None:
    for method, path in (("POST", "/api/users/forget"), ("DELETE", "/api/conversations/c1")):
        async with shop.http.request(method, path, json={"user": "anna"}, headers=bearer("read")) as response:
            assert response.status == 403
    assert len(await shop.store.conversations(None, 9)) == 3
