"""On a fleet no daemon writes bots.yaml; a cap that is set at one of them holds at all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import StoreError
from runner.money.amounts import from_cents
from runner.store.memory.fleet import MemoryFleet
from runner.testing.clock import ManualClock
from tests.unit.web.dashboard_pages.browsing import Person
from tests.unit.web.file_stage import FILE
from tests.unit.web.fleet_stage import FleetStage

WHY = "bots.yaml is deployed to all daemons: change it there and reload"
REFUSAL = {"error": {"code": "fleet", "message": WHY, "details": []}}
NEW = {"name": "Bakery", "platform": "custom", "system_prompt": "You bake."}
SETUP = {"template_id": "support", "bot_name": "Luigi", "platform": "custom"}
CAP = {"spending_cap_cents": 250}

Two = tuple[FleetStage, FleetStage]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def two(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Two]:
    fleet = MemoryFleet(clock)
    one, other = (FleetStage(fleet, clock, tmp_path / name) for name in ("one", "other"))
    async with one.standing(), other.standing():
        clock.advance(1000)
        yield one, other


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/bots", NEW),
        ("POST", "/api/bots/setup", SETUP),
        ("PATCH", "/api/bots/shop", {"name": "Other"}),
        ("PATCH", "/api/bots/shop", {**CAP, "name": "Other"}),
        ("PATCH", "/api/bots/shop", {"caps": {"user": {"cents": 5}}}),
        ("DELETE", "/api/bots/shop", None),
        ("POST", "/api/bots/shop/activate", None),
        ("POST", "/api/bots/shop/deactivate", None),
    ],
)
async def test_what_would_write_the_file_is_refused(two: Two, method: str, path: str, body: Any) -> None:
    one, _ = two
    assert await one.ask(method, path, body) == (409, REFUSAL)
    assert one.path.read_text(encoding="utf-8") == FILE
    assert one.secrets.names() == []


async def test_a_cap_holds_here_when_it_is_answered_and_at_the_others_at_once(two: Two) -> None:
    one, other = two
    status, said = await one.ask("PATCH", "/api/bots/shop", CAP)
    assert (status, said["spending_cap_cents"]) == (200, 250)
    assert one.stage.roster.cap("shop") == from_cents(250)
    async with asyncio.timeout(60):
        await other.applied.wait()
    assert other.stage.roster.cap("shop") == from_cents(250)
    for daemon in two:
        assert (await daemon.ask("GET", "/api/bots/shop", scope="read"))[1]["spending_cap_cents"] == 250
        assert daemon.path.read_text(encoding="utf-8") == FILE
    status, said = await other.ask("PATCH", "/api/bots/shop", {"spending_cap_cents": None})
    assert (status, said["spending_cap_cents"], other.stage.roster.cap("shop")) == (200, None, None)


async def test_what_the_file_says_later_counts_after_a_reload(two: Two, clock: ManualClock) -> None:
    one, other = two
    assert (await one.ask("PATCH", "/api/bots/shop", CAP))[0] == 200
    clock.advance(1000)
    for daemon in two:
        daemon.path.write_text(FILE.replace("cents: 100", "cents: 700"), encoding="utf-8")
        await daemon.reloader.reload("the file changed")
    assert [daemon.stage.roster.cap("shop") for daemon in two] == [from_cents(700)] * 2
    assert await other.store.values.values("cap/", 0) == {}


@pytest.mark.parametrize("cents", [-1, 1.5, True, "100", [], 900_000_001])
async def test_no_other_value_is_a_cap(two: Two, cents: Any) -> None:
    one, _ = two
    status, said = await one.ask("PATCH", "/api/bots/shop", {"spending_cap_cents": cents})
    assert (status, said["error"]["code"]) == (400, "invalid")
    assert [detail["field"] for detail in said["error"]["details"]] == ["spending_cap_cents"]
    assert one.stage.roster.cap("shop") == from_cents(100)


async def test_a_bot_whose_model_has_no_price_cannot_be_capped(tmp_path: Path, clock: ManualClock) -> None:
    text = FILE.replace("llm_model: echo}", "llm_model: priceless}").replace(
        "    spending_cap_cents: 100\n", ""
    )
    async with FleetStage(MemoryFleet(clock), clock, tmp_path / "one", text).standing() as one:
        status, said = await one.ask("PATCH", "/api/bots/shop", CAP)
        assert status == 400
        assert "the model priceless of echo has no price" in said["error"]["details"][0]["message"]
        assert (await one.ask("PATCH", "/api/bots/shop", {"spending_cap_cents": None}))[0] == 200


async def test_a_bot_that_is_not_in_force_yet_is_a_conflict(two: Two) -> None:
    one, _ = two
    more = "  late: {platform: custom, system_prompt: Hm.}\n"
    one.path.write_text(FILE + more, encoding="utf-8")
    status, said = await one.ask("PATCH", "/api/bots/late", CAP)
    assert (status, said["error"]["code"]) == (409, "not_written")
    assert (await one.ask("PATCH", "/api/bots/nobody", CAP))[0] == 404


async def test_where_the_store_is_away_nothing_is_changed(two: Two) -> None:
    one, _ = two
    one.caps._values = Away()  # type: ignore[assignment] # as much of it as is asked
    status, said = await one.ask("PATCH", "/api/bots/shop", CAP)
    assert (status, said["error"]["message"]) == (409, "the cap could not be kept: the connection is gone")
    assert one.stage.roster.cap("shop") == from_cents(100)


class Away:
    """Values of a store that cannot be asked."""

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        raise StoreError("the connection is gone")


async def test_the_dashboard_shows_the_settings_and_writes_the_cap_only(two: Two) -> None:
    one, _ = two
    person = await Person(one.stage).sign_in()
    shown = await person.look("/bots/shop/settings")
    assert shown.notices == [f"{WHY}. The spending cap can be set on the bot's own page."]
    [fieldset] = shown.page.all("fieldset")
    assert "disabled" in fieldset.given
    assert "Save settings" not in shown.words
    refused = await person.send("/bots/shop/settings", name="Other", revision=shown.field("revision"))
    assert refused.status == 409
    assert any(WHY in notice for notice in refused.notices)
    done = await person.follow(await person.send("/bots/shop/cap", amount="2.50", do="set"))
    assert "of $2.50" in done.words
    assert one.stage.roster.cap("shop") == from_cents(250)
    assert (await person.look("/bots/shop/settings")).field("spending_cap_cents") == "250"
    assert one.path.read_text(encoding="utf-8") == FILE
