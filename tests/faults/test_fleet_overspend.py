"""One cap, four daemons, everybody asks at once: the model's own bill never passes the cap, not by a pico-dollar.

Each daemon is asked many times more than the cap can pay, side by side, while one of them is killed. What was refused
was refused because the money was gone; what was paid is in the ledger, to the pico-dollar.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runner.money.reservation import ReservationState
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from runner.testing.postgres_server import PostgresServer
from tests.faults.fleet_house import Fleet, fleet
from tests.faults.fleet_reckoning import books_at
from tests.faults.reckoning import PRICES, RATES

DAEMONS = 4
ASKED_OF_EACH = 60
CAP_CENTS = 2
PICO_A_CENT = 10_000_000_000
CONFIG = """
server: {port: PORT}
store: {url: "STORE"}
providers: {house: {kind: openai, base_url: "%s/v1", api_key: key}}
%s
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: %d
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
  shop: {platform: custom}
"""


def at_length(body: Mapping[str, Any]) -> Say:
    """Answers of very different lengths, so that holds and costs differ."""
    word = str(body["messages"][-1]["content"])
    return Say(text="word " * (1 + sum(map(ord, word)) % 250), latency_s=0.6)


async def ask_all(house: Fleet, session: aiohttp.ClientSession) -> Counter[int]:
    """All daemons at once; how often each status was answered."""
    statuses: Counter[int] = Counter()

    async def ask(place: int, number: int) -> None:
        body = {"text": f"d{place}n{number}", "user_id": f"d{place}u{number}"}
        try:
            url = f"{house.url(place)}/api/bots/webhook/custom/shop"
            async with session.post(url, json=body) as response:
                await response.read()
                statuses[response.status] += 1
        except aiohttp.ClientError:
            statuses[0] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(ASKED_OF_EACH):
            for place in range(DAEMONS):
                group.create_task(ask(place, number))
        await asyncio.sleep(0.5)
        house.daemons[-1].kill()
    return statuses


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_four_daemons_never_pass_one_cap(tmp_path: Path) -> None:
    model = ModelServer(standing=at_length)
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    connector = aiohttp.TCPConnector(limit=0)
    try:
        text = CONFIG % (await model.start(), PRICES, CAP_CENTS)
        async with (
            fleet(tmp_path, server, text, DAEMONS) as house,
            aiohttp.ClientSession(connector=connector) as session,
        ):
            await house.start()
            statuses = await ask_all(house, session)
            await house.again(house.daemons[-1])
            async with session.post(
                f"{house.url(0)}/api/bots/webhook/custom/shop", json={"text": "last", "user_id": "last"}
            ) as response:
                told = await response.json()
            await house.stop()
            rows = await books_at(house.database, tmp_path)
    finally:
        server.close()
        await model.stop()
    bill = sum(b.usage.input_tokens * RATES[0] + b.usage.output_tokens * RATES[1] for b in model.bill)
    cost = sum(row.cost for row in rows)
    unknown = sum(row.cost for row in rows if row.state is ReservationState.UNKNOWN)
    cap = CAP_CENTS * PICO_A_CENT
    print(
        f"cap {cap}, billed {bill}, books {cost}, of it unknown {unknown}, calls {len(model.bill)}, {statuses}, {told}"
    )
    assert bill <= cost <= cap
    assert not [row for row in rows if row.state is ReservationState.HELD]
    assert len(model.bill) < DAEMONS * ASKED_OF_EACH, "the cap was reached"
    assert cost > cap * 0.8, "and what it can pay was given out"
