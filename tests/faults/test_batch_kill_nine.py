"""A daemon with a batch at its provider is killed with -9: the next one finds it, and pays what it cost, once."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.clock import SystemClock
from runner.money.amounts import Money, from_usd, to_usd
from runner.money.prices import Price, Rates
from runner.store.sqlite.reader import reader_of
from runner.testing.model_server import ModelServer
from runner.web.auth import load_secret, make_token
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.faults

CONFIG = """
server: {{port: 0}}
providers: {{house: {{kind: {kind}, base_url: "{model}{path}", api_key: key}}}}
prices: {{m: {{input: "1.000001", output: "2", batch_percent: 50}}}}
bots:
  shop:
    platform: custom
    llm_provider: house
    llm_model: m
    max_tokens_per_turn: 300
    spending_cap_cents: 1
    system_prompt: You help.
"""
PRICE = Price("m", "house", Rates(from_usd("1.000001"), from_usd("2")), batch_percent=50).for_batch()
LINES = [{"custom_id": f"line {number}", "prompt": f"question {number}"} for number in range(5)]
LOOK_S = 0.05


class Client:
    """The admin API of whichever daemon runs."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self._daemon = daemon
        self._session = session

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        now_s = SystemClock().now_ms() // 1000
        token = make_token(load_secret(self._daemon.state, None), "admin", 1, now_s)
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self._daemon.url}/api/bots/shop/batches{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            said: dict[str, Any] = await response.json()
            assert response.status < 300, said
            return said

    async def until(self, path: str, state: str) -> dict[str, Any]:
        while (batch := await self.ask("GET", path))["state"] != state:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(LOOK_S)
        return batch


@pytest.mark.parametrize(("kind", "path"), [("openai", "/v1"), ("anthropic", "")])
async def test_a_batch_outlives_its_daemon(kind: str, path: str, tmp_path: Path) -> None:
    model = ModelServer(key="key")
    await model.start()
    model.book.looks = None
    config = CONFIG.format(kind=kind, model=model.url, path=path)
    with Daemon(tmp_path, config) as daemon:
        async with aiohttp.ClientSession() as session, asyncio.timeout(100):
            client = Client(daemon, session)
            await daemon.start()
            await daemon.ready()
            made = await client.ask("POST", "", {"lines": LINES, "key": "once"})
            running = await client.until(f"/{made['id']}", "running")
            assert running["held_usd"] == made["held_usd"] != "0.00"
            daemon.kill()
            await daemon.gone()
            for remote in model.book.made:
                model.book.end(remote)
            await daemon.start()
            await daemon.ready()
            again = await client.ask("POST", "", {"lines": LINES, "key": "once"})
            assert again["id"] == made["id"]
            batch = await client.until(f"/{made['id']}", "done")
            told = await client.ask("GET", f"/{made['id']}/results")
    assert PRICE is not None
    bill = Money(sum(PRICE.cost(row.usage) for row in model.bill))
    assert len(model.bill) == batch["answered"] == len(LINES)
    assert batch["cost_usd"] == to_usd(bill)
    assert batch["held_usd"] == "0.00"
    assert [(line["custom_id"], line["state"]) for line in told["results"]] == [
        (line["custom_id"], "answered") for line in LINES
    ]
    reader = reader_of(tmp_path / "state" / "botrunner.db")
    await reader.open()
    assert await reader.verify_books() == []
    await reader.close()
    await model.stop()
