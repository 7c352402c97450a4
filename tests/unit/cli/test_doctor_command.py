"""doctor: facts from real files, a real store, a daemon's own words and a host's clock."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.cli.doctor_gathering import gather, host_time
from runner.clock import SystemClock
from runner.config.secret_store import SecretStore
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import HoldRequest, Quarantine
from runner.ports.mail import OutboxState
from runner.store.sqlite.store import SqliteStore
from runner.testing.clock import ManualClock
from tests.contract.stores.examples import WANTED, answer, attempt, inbound, settled
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import BOTS, Call, Desk

CENT = 10**10
PRICED = """\
bots:
  a:
    platform: custom
    llm_provider: anthropic
    llm_model: claude-haiku-4-5
    llm_api_key: sk-not-a-key
    billing_mode: byok
    prompt_cache: "off"
    system_prompt: You are kind.
    spending_cap_cents: 100
"""


def told(desk: Desk, *options: str) -> tuple[int, dict[str, list[str]]]:
    done = desk.type("doctor", "--json", *options)
    said = json.loads(done.out)
    assert said["ok"] is (done.code == 0)
    by_area: dict[str, list[str]] = {}
    for found in said["findings"]:
        by_area.setdefault(found["area"], []).append(found["what"])
    return done.code, by_area


@pytest.fixture
def shop(desk: Desk) -> Desk:
    desk.write()
    desk.state.mkdir(mode=0o700)
    desk.keep([Call("a", 1, 5)])
    return desk


def health(**others: Any) -> dict[str, Any]:
    return {
        "status": "ready",
        "loop": {"ok": True, "lag_ms": 1.0, "limit_ms": 1000.0},
        "store": {"ok": True, "took_ms": 1.0, "why": ""},
        "connections": {"ok": True, "working": 1, "troubled": [], "all": []},
        "config": {"ok": True, "loaded_at": "", "fault": [], "needs_restart": []},
        **others,
    }


def test_nothing_to_do(shop: Desk) -> None:
    done = shop.type("doctor")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "nothing to do, 1 more to know"
    assert told(shop) == (0, {"daemon": ["no daemon runs with this state folder"]})


def test_before_the_first_start(desk: Desk) -> None:
    desk.write()
    assert told(desk)[0] == 0
    assert set(told(desk)[1]) == {"folder", "store", "daemon"}


def test_a_faulty_file_hides_nothing_else(shop: Desk) -> None:
    shop.write(BOTS.replace("llm_model", "llm_modle", 1))
    shop.state.chmod(0o755)
    code, found = told(shop)
    assert code == 1
    assert any("did you mean llm_model" in what for what in found["config"])
    assert "mode 755" in found["folder"][0]
    assert told(shop, "--config", "none.yaml")[1]["config"] == ["there is no none.yaml"]


def test_secrets_that_do_not_open(shop: Desk) -> None:
    SecretStore(shop.state, {}).set("openai", "sk-very-secret")
    assert "secrets" not in told(shop)[1]
    (shop.state / "secrets.key").chmod(0o644)
    key = (shop.state / "secrets.key").read_text()
    other = SecretStore(shop.folder / "other", {})
    other.set("x", "y")
    (shop.state / "secrets.key").write_text((shop.folder / "other" / "secrets.key").read_text())
    code, found = told(shop)
    assert (code, len(found["secrets"])) == (1, 1)
    assert "secrets.key may be read by others" in found["folder"][0]
    assert key.strip() not in shop.type("doctor").out


def test_what_waits_for_a_person(shop: Desk) -> None:
    async def trouble() -> None:
        store = SqliteStore(shop.state / "botrunner.db", SystemClock())
        await store.open()
        [lost] = await answer(store, inbound("e1"), parts=1)
        await store.end_sending(lost, OutboxState.UNKNOWN, "no answer")
        await answer(store, inbound("e2", lane="b"), parts=1, first_state=OutboxState.PENDING)
        await store.quarantine(Quarantine("openai", "m", "t1-1", CENT, 2 * CENT, 1))  # type: ignore[arg-type]
        await store.close()

    asyncio.run(trouble())
    shop.keep(
        [Call("u1", 1, 30 * CENT, ReservationState.UNKNOWN), Call("u2", 2, CENT, ReservationState.UNKNOWN)]
    )
    shop.type("ledger", "reconcile", "u2", "--released", "--reason", "not on the bill")
    code, found = told(shop)
    assert code == 1
    assert found["money"] == [
        "1 calls of unknown fate stand against the caps with 0.30 USD",
        "openai/m charged more than its bound and is not called",
    ]
    assert "part 1 of bot-1 on telegram may not have arrived (no answer)" in found["sends"]
    assert any(what.startswith("part 2 of bot-1 on telegram waits for") for what in found["sends"])


def test_a_store_that_is_not_right(shop: Desk) -> None:
    path = shop.state / "botrunner.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE scopes SET settled = settled + 1")
    assert "its books do not add up: bot:hello" in told(shop)[1]["store"][0]
    path.write_bytes(b"dear diary\n" * 999)
    assert "not a database" in told(shop)[1]["store"][0]


def test_the_running_daemon(shop: Desk) -> None:
    down = {
        "bot": "hello",
        "channel": "custom",
        "platform": "custom",
        "state": "refused",
        "why": "401",
        "age_s": 5,
    }
    ill = health(
        connections={"ok": False, "working": 0, "troubled": ["hello"], "all": [down]},
        config={"ok": False, "loaded_at": "", "fault": ["bots.yaml:2: no"], "needs_restart": ["server.port"]},
    )
    with AdminDouble(shop.state, {("GET", "/api/status"): (200, {"health": health()})}) as daemon:
        assert told(shop) == (0, {})
        daemon.answers["GET", "/api/status"] = (200, {"health": ill})
        code, found = told(shop)
        assert (code, found["connections"]) == (1, ["hello on custom is refused: 401"])
        assert len(found["daemon"]) == 2
        daemon.answers["GET", "/api/status"] = (500, b"oh")
        assert "cannot be understood" in told(shop)[1]["daemon"][0]


def test_why_nothing_comes_from_the_cache(shop: Desk) -> None:
    shop.write(PRICED)
    now = SystemClock().now_ms()

    async def talk() -> None:
        store = SqliteStore(shop.state / "botrunner.db", SystemClock())
        await store.open()
        for n in range(25):
            about = attempt(
                f"x{n}", bot="a", provider="anthropic", model="claude-haiku-4-5", time_ms=now - 25 + n
            )
            await store.hold(HoldRequest(about, (), WANTED))
            await store.settle(settled(f"x{n}", usage=Usage(9000, 10)))
        await store.close()

    asyncio.run(talk())
    [what] = told(shop)[1]["cache"]
    assert (
        what
        == "a: 0 % of the input of its last 25 calls of claude-haiku-4-5 came from the cache: `prompt_cache: off`"
    )


async def test_our_clock_beside_a_hosts() -> None:
    clock = ManualClock(SystemClock().now_ms() + 3_600_000)
    async with TelegramServer() as server:
        found = await asyncio.to_thread(host_time, server.url, clock)
        url = server.url
    assert found.skew_ms is not None
    assert abs(found.skew_ms - 3_600_000) < 60_000
    assert (await asyncio.to_thread(host_time, url, clock)).skew_ms is None


async def test_platforms_are_asked(shop: Desk) -> None:
    async with TelegramServer() as server:
        shop.write(
            f"""bots:
  shop:
    platform: telegram
    platform_config: {{bot_token: "123456:{"a" * 35}", api_base_url: "{server.url}"}}
    llm_provider: echo
    llm_model: echo
    system_prompt: You sell.
"""
        )
        facts = await gather(shop.bots_yaml, os.environ, SystemClock(), online=True)
    assert [(bot, channel) for bot, channel, _ in facts.platforms] == [("shop", "telegram")]
