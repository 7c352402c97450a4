"""The wallet, calls of unknown fate and models set aside, over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from runner.money.amounts import Money
from runner.ports.books import Quarantine
from runner.store.memory import MemoryStore
from tests.contract.stores.examples import UNKNOWN, held, settled
from tests.unit.web.web_stage import Stage, bearer


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    store = MemoryStore()
    await store.open()
    await held(store, "t1-1")
    await store.settle(replace(settled("t1-1", why="cut"), state=UNKNOWN, cost=None))
    await store.quarantine(Quarantine("openai", "m/x", "t1-1", Money(1), Money(2), 0))
    async with Stage(store=store) as stage:
        yield stage


async def ask(shop: Stage, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    async with shop.http.request(method, path, json=body, headers={**bearer(), **headers}) as response:
        return response.status, await response.json()


async def test_a_wallet_is_opened_by_paying_in(shop: Stage) -> None:
    _, before = await ask(shop, "GET", "/api/wallet")
    assert (before["active"], before["hard_limit"]) == (False, None)
    paid = {"amount_usd": "20", "note": "November"}
    key = {"Idempotency-Key": "k1"}
    status, first = await ask(shop, "POST", "/api/wallet/top-ups", paid, **key)
    assert (status, first["wallet"]["balance_usd"]) == (201, "20.00")
    status, again = await ask(shop, "POST", "/api/wallet/top-ups", paid, **key)
    assert (status, again) == (200, first)
    status, other = await ask(shop, "POST", "/api/wallet/top-ups", {**paid, "amount_usd": "21"}, **key)
    assert (status, other["error"]["code"]) == (409, "key_reused")
    assert shop.changed == ["wallet"]  # who waits for money looks again, once
    _, listed = await ask(shop, "GET", "/api/wallet/top-ups")
    assert [line["idempotency_key"] for line in listed["top_ups"]] == ["k1"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount_usd": "20"}, "idempotency_key"),
        ({"amount_usd": "0", "idempotency_key": "k"}, "amount_usd"),
        ({"amount_usd": "-1", "idempotency_key": "k"}, "amount_usd"),
        ({"amount_usd": 20, "idempotency_key": "k"}, "amount_usd"),
        ({"amount_usd": "1e9", "idempotency_key": "k"}, "amount_usd"),
        ({"amount_usd": "1", "idempotency_key": " "}, "idempotency_key"),
    ],
)
async def test_a_top_up_that_is_none(shop: Stage, body: object, field: str) -> None:
    status, said = await ask(shop, "POST", "/api/wallet/top-ups", body)
    assert status == 400
    assert [fault["field"] for fault in said["error"]["details"]] == [field]


async def test_an_unknown_call_is_put_right_once(shop: Stage) -> None:
    _, listed = await ask(shop, "GET", "/api/ledger/unknown")
    assert [(call["attempt"], call["why"]) for call in listed["unknown"]] == [("t1-1", "cut")]
    right = {"cost_usd": "0", "reason": "not on the bill"}
    status, done = await ask(shop, "POST", "/api/ledger/t1-1/reconcile", right)
    assert (status, done["was_usd"], done["is_usd"]) == (200, "0.0000000011", "0.00")
    assert shop.changed == ["bot:bot-1"]
    status, _ = await ask(shop, "POST", "/api/ledger/t1-1/reconcile", right)
    assert status == 409
    status, _ = await ask(shop, "POST", "/api/ledger/t1-1/reconcile", {"cost_usd": "0"})
    assert status == 400


async def test_a_model_is_called_again(shop: Stage) -> None:
    _, listed = await ask(shop, "GET", "/api/quarantine")
    assert [(which["provider"], which["model"]) for which in listed["models"]] == [("openai", "m/x")]
    model = {"provider": "openai", "model": "m/x"}
    assert await ask(shop, "POST", "/api/quarantine/clear", model) == (200, {"models": []})
    status, _ = await ask(shop, "POST", "/api/quarantine/clear", model)
    assert status == 404


async def test_readers_change_nothing(shop: Stage) -> None:
    for path in ("/api/wallet/top-ups", "/api/ledger/t1-1/reconcile", "/api/quarantine/clear"):
        async with shop.http.post(path, json={}, headers=bearer("read")) as response:
            assert response.status == 403, path
