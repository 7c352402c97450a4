"""Whether it can do its work, and its figures, over a real socket."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from adapters.contract import ConnectionState
from runner.bots import Channel
from runner.clock import UnixMs
from runner.errors import StoreError
from runner.money.amounts import from_cents
from runner.ports.observer import Fault
from runner.ports.reloads import ConfigState
from runner.store.memory import MemoryStore
from runner.telemetry.health import EVERY_S, LAG_LIMIT_MS, PROBE
from runner.telemetry.lag import EVERY_S as LAG_EVERY_S
from runner.testing.scenes import a_bot
from tests.unit.web.web_stage import CUSTOM, Stage, bearer

TWO = (
    a_bot("shop", channels=(CUSTOM,), cap=from_cents(500)),
    a_bot("desk", channels=(Channel("custom", "custom", CUSTOM.config),)),
)
ELSEWHERE = {"Host": "bots.example.org"}


class Probed:
    """A store that counts what is asked of it, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: frozenset[str] = frozenset()
        self.store = MemoryStore(before=self._before)

    def _before(self, method: str) -> None:
        self.calls.append(method)
        if method in self.failing:
            raise StoreError("the disk is full")


async def ready(stage: Stage, **headers: str) -> tuple[int, Any]:
    status, body, _ = await stage.ask("GET", "/health/ready", headers=headers)
    return status, body


def say(stage: Stage, bot: str, state: ConnectionState, why: str = "") -> None:
    stage.roster.report(bot, "custom", state, why)


async def test_all_is_well() -> None:
    async with Stage(bots=TWO) as stage:
        for bot in TWO:
            say(stage, bot.id, ConnectionState.UP)
        stage.clock.advance(0.25)
        stage.config = ConfigState(stage.clock.now_ms())
        assert await ready(stage) == (
            200,
            {
                "status": "ready",
                "loop": {"ok": True, "lag_ms": 0.0, "limit_ms": LAG_LIMIT_MS},
                "store": {"ok": True, "took_ms": 0.0, "why": ""},
                "connections": {
                    "ok": True,
                    "working": 2,
                    "troubled": [],
                    "all": [
                        {
                            "bot": bot,
                            "channel": "custom",
                            "platform": "custom",
                            "state": "up",
                            "why": "",
                            "age_s": 0.2,
                        }
                        for bot in ("shop", "desk")
                    ],
                },
                "config": {
                    "ok": True,
                    "loaded_at": "2027-01-15T08:00:00.250Z",
                    "fault": [],
                    "needs_restart": [],
                },
            },
        )


async def test_a_refused_connection_is_listed_and_the_rest_goes_on() -> None:
    async with Stage(bots=TWO) as stage:
        say(stage, "shop", ConnectionState.UP)
        say(stage, "desk", ConnectionState.REFUSED, "the token is not valid")
        stage.clock.advance(90)
        status, body = await ready(stage)
        assert (status, body["status"]) == (200, "degraded")
        assert body["connections"]["troubled"] == ["desk"]
        [refused] = [one for one in body["connections"]["all"] if one["bot"] == "desk"]
        assert (refused["state"], refused["why"], refused["age_s"]) == (
            "refused",
            "the token is not valid",
            90.0,
        )


@pytest.mark.parametrize(
    ("states", "status", "verdict"),
    [
        ((ConnectionState.CONNECTING, ConnectionState.CONNECTING), 503, "failing"),
        ((ConnectionState.DOWN, ConnectionState.REFUSED), 503, "failing"),
        ((ConnectionState.DEGRADED, ConnectionState.DOWN), 200, "degraded"),
        ((ConnectionState.UP, ConnectionState.CONNECTING), 200, "ready"),
    ],
)
async def test_one_that_works_is_enough_and_none_is_too_few(
    states: tuple[ConnectionState, ...], status: int, verdict: str
) -> None:
    async with Stage(bots=TWO) as stage:
        for bot, state in zip(TWO, states, strict=True):
            say(stage, bot.id, state)
        told, body = await ready(stage)
        assert (told, body["status"]) == (status, verdict)


async def test_without_connections_none_is_missed() -> None:
    async with Stage(bots=(a_bot("shop", channels=()),)) as stage:
        assert (await ready(stage))[0] == 200


async def test_a_store_that_takes_nothing_fails_it_until_it_takes_again() -> None:
    probed = Probed()
    async with Stage(bots=TWO, store=probed.store) as stage:
        say(stage, "shop", ConnectionState.UP)
        probed.failing = frozenset({"lease"})
        status, body = await ready(stage)
        assert (status, body["status"]) == (503, "failing")
        assert (body["store"]["ok"], body["store"]["why"]) == (False, "the disk is full")
        probed.failing = frozenset()
        stage.clock.advance(EVERY_S)
        assert (await ready(stage))[0] == 200


async def test_the_store_is_tried_once_a_second_however_many_ask() -> None:
    probed = Probed()
    async with Stage(bots=TWO, store=probed.store) as stage:
        await asyncio.gather(*(ready(stage) for _ in range(5)))
        assert probed.calls.count("lease") == 1
        stage.clock.advance(EVERY_S)
        await ready(stage)
        assert probed.calls.count("lease") == 2


async def test_the_trial_competes_with_nobody() -> None:
    async with Stage(bots=TWO) as stage:
        await ready(stage)
        assert await stage.store.lease(PROBE, "another daemon", 0, stage.clock.now_ms()) is not None


async def test_a_late_loop_fails_it() -> None:
    async with Stage(bots=TWO) as stage, asyncio.TaskGroup() as tasks:
        say(stage, "shop", ConnectionState.UP)
        measuring = tasks.create_task(stage.lag.run())
        await stage.clock.asleep()
        stage.clock.advance(LAG_EVERY_S + LAG_LIMIT_MS / 1000 + 0.5)
        status, body = await ready(stage)
        assert (status, body["loop"]["ok"], body["loop"]["lag_ms"]) == (503, False, LAG_LIMIT_MS + 500)
        measuring.cancel()


async def test_a_faulty_file_degrades_it() -> None:
    async with Stage(bots=TWO) as stage:
        say(stage, "shop", ConnectionState.UP)
        stage.config = ConfigState(UnixMs(0), ("bots.yaml line 3: no such field",), ("server.port",))
        status, body = await ready(stage)
        assert (status, body["status"]) == (200, "degraded")
        assert body["config"]["fault"] == ["bots.yaml line 3: no such field"]
        assert body["config"]["needs_restart"] == ["server.port"]


async def test_status_tells_the_same() -> None:
    async with Stage(bots=TWO) as stage:
        say(stage, "shop", ConnectionState.UP)
        _, body, _ = await stage.ask("GET", "/api/status", headers=bearer("read"))
        assert body["health"] == (await ready(stage))[1]


@pytest.mark.parametrize("path", ["/health/ready", "/metrics"])
@pytest.mark.parametrize("sign", [ELSEWHERE, {"X-Forwarded-For": "192.0.2.7"}])
async def test_from_elsewhere_a_token_is_needed(path: str, sign: dict[str, str]) -> None:
    async with Stage(bots=TWO) as stage:
        say(stage, "shop", ConnectionState.UP)
        status, body, headers = await stage.ask("GET", path, headers=sign)
        assert (status, body["error"]["code"], headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
        for scope in ("read", "admin"):
            status, _, _ = await stage.ask("GET", path, headers={**sign, **bearer(scope)})
            assert status == 200
        forged = bearer("admin", b"another secret of thirty-two bytes")
        assert (await stage.ask("GET", path, headers={**sign, **forged}))[0] == 401


async def test_that_it_lives_is_no_secret() -> None:
    async with Stage() as stage:
        assert (await stage.ask("GET", "/health/live", headers=ELSEWHERE))[:2] == (200, {"status": "ok"})


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────


def samples(text: str) -> dict[str, float]:
    """Samples without labels, and of the shop."""
    return {
        sample.name: sample.value
        for family in families(text)
        for sample in family.samples
        if not sample.labels or sample.labels.get("bot") == "shop"
    }


async def test_figures_of_what_happened_and_of_how_it_stands() -> None:
    async with Stage(bots=TWO) as stage:
        say(stage, "shop", ConnectionState.UP)
        stage.tally.note(Fault("lane", "no room"))
        status, body, headers = await stage.ask("GET", "/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        told = samples(body)
        assert told["botrunner_limit_usd"] == 5
        assert told["botrunner_store_up"] == 1
        assert 'botrunner_faults_total{place="lane"} 1.0' in body
        assert 'botrunner_connection{bot="shop",channel="custom",platform="custom",state="up"} 1.0' in body


async def test_who_accepts_openmetrics_gets_it() -> None:
    async with Stage(bots=TWO) as stage:
        accept = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"}
        async with stage.http.get("/metrics", headers=accept) as response:
            assert response.headers["Content-Type"].startswith("application/openmetrics-text")
            text = await response.text()
        assert text.endswith("# EOF\n")
        told = {family.name for family in open_families(text)}  # type: ignore[no-untyped-call]
        assert "botrunner_turns" in told


async def test_figures_come_without_the_store_too() -> None:
    probed = Probed()
    async with Stage(bots=TWO, store=probed.store) as stage:
        probed.failing = frozenset({"figures"})
        status, body, _ = await stage.ask("GET", "/metrics")
        assert (status, samples(body)["botrunner_store_up"]) == (200, 0)
        assert "botrunner_limit_usd{" not in body


async def test_a_new_cap_is_in_the_next_scrape() -> None:
    async with Stage(bots=TWO) as stage:
        stage.put_in_force([replace(TWO[0], cap=from_cents(900)), TWO[1]])
        _, body, _ = await stage.ask("GET", "/metrics")
        assert samples(body)["botrunner_limit_usd"] == 9
