"""Bots come, change and go through the API: the file says it, it is in force, and no secret comes back."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.web.api.naming import candidates, slug
from tests.unit.web.file_stage import FILE, staged
from tests.unit.web.web_stage import bearer

SEED_CALLS = json.loads((Path(__file__).parent / "seed_calls.json").read_text(encoding="utf-8"))
NEW = {"name": "Bakery", "platform": "custom", "system_prompt": "You bake."}


async def test_the_calls_that_clients_of_the_bot_api_make(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        for method, path, expected, body in SEED_CALLS:
            status, said = await here.ask(method, path, body)
            assert status == expected, said
            secretless = {key: value for key, value in body.items() if key != "llm_api_key"}
            assert {key: said[key] for key in secretless} == secretless
            assert "sk-" not in json.dumps(said)
        assert [bot.id for bot in here.bots()] == ["shop", "my-bot", "byok-bot"]
        mine = here.bots()[1]
        assert mine.llm_api_key.reveal() == "sk-your-own-key"
        assert (mine.cap, mine.limits.timeout_s, mine.limits.max_loop_iterations) == (None, 45.0, 5)
        assert "sk-" not in here.text
        assert here.text.startswith(FILE.split("workspaces")[0])


async def test_a_bot_is_made_shown_changed_and_removed(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        status, made = await here.ask("POST", "/api/bots", {**NEW, "platform_config": {"secret": "hush"}})
        assert (status, made["id"], made["slug"], made["status"]) == (201, "bakery", "bakery", "active")
        assert made["platform_config"] == {"secret": "***"}
        assert (await here.ask("POST", "/api/bots/bakery/chat", {"message": "hi"}))[1]["response"] == "re hi"
        assert (await here.ask("GET", "/api/bots/bakery", scope="read"))[1] == made
        assert (await here.ask("POST", "/api/bots", NEW))[1]["id"] == "bakery-2"
        status, changed = await here.ask(
            "PATCH", "/api/bots/bakery", {"name": "B", "access": {"groups": "all"}}
        )
        assert (status, changed["name"], changed["access"]["groups"]) == (200, "B", "all")
        for bot in ("bakery", "bakery-2"):
            async with here.stage.http.delete(f"/api/bots/{bot}", headers=bearer()) as gone:
                assert (gone.status, await gone.read()) == (204, b"")
        assert here.text == FILE
        assert here.secrets.names() == []
        assert (await here.ask("GET", "/api/bots/bakery"))[0] == 404
        status, said = await here.ask("DELETE", "/api/bots/shop")
        assert (status, said["error"]["code"]) == (409, "not_written")
        assert here.text == FILE


async def test_where_a_new_bot_is_found_is_told(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        _, _, headers = await here.stage.ask("POST", "/api/bots", headers=bearer(), json=NEW)
        assert headers["Location"] == "/api/bots/bakery"


async def test_switched_off_and_on(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        assert await here.ask("POST", "/api/bots/shop/deactivate") == (200, {"status": "inactive"})
        [shop] = (await here.ask("GET", "/api/bots"))[1]["bots"]
        assert (shop["status"], shop["enabled"], shop["connection"]) == ("inactive", False, None)
        assert (await here.ask("POST", "/api/bots/shop/chat", {"message": "hi"}))[0] == 404
        status, said = await here.ask("POST", "/api/bots/shop/activate")
        url = f"{here.stage.url}/api/bots/webhook/custom/shop"
        assert (status, said) == (200, {"status": "active", "webhook_url": url})
        assert (await here.ask("POST", "/api/bots/shop/chat", {"message": "hi"}))[0] == 200
        assert (await here.ask("POST", "/api/bots/nobody/activate"))[0] == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "system_prompt", "platform"}),
        (
            {**NEW, "llm_modle": "x", "timeout_ms": 0, "access": {"groups": 1}},
            {"llm_modle", "timeout_ms", "access.groups"},
        ),
        ({**NEW, "id": "Not an id"}, {"id"}),
        ({**NEW, "id": "webhook"}, {"id"}),
        ({**NEW, "id": "a", "slug": "b"}, {"id", "slug"}),
        ({**NEW, "id": 7}, {"id"}),
        ({**NEW, "platform": "telegram"}, {"platform_config.bot_token"}),
        ({**NEW, "tools": [{"name": "t", "description": "d", "url": "ftp://x"}]}, {"tools[0].url"}),
    ],
)
async def test_all_faults_of_a_new_bot_are_told_at_once(tmp_path: Path, body: Any, fields: set[str]) -> None:
    async with staged(tmp_path) as here:
        status, said = await here.ask("POST", "/api/bots", body)
        assert (status, said["error"]["code"]) == (400, "invalid")
        assert {detail["field"] for detail in said["error"]["details"]} == fields
        assert here.text == FILE


@pytest.mark.parametrize("cents", [-1, 1.5, 100.0, True, "100", [], {}, 900_000_001, 10**30, "∞", "\ud800"])
async def test_no_other_value_is_a_cap(tmp_path: Path, cents: Any) -> None:
    async with staged(tmp_path) as here:
        body = json.dumps({"spending_cap_cents": cents, "neme": 1})
        status, said, _ = await here.stage.ask("PATCH", "/api/bots/shop", headers=bearer(), data=body)
        assert (status, said["error"]["code"]) == (400, "invalid")
        fields = {detail["field"] for detail in said["error"]["details"]}
        assert "spending_cap_cents" in fields
        assert here.text == FILE


async def test_a_bots_id_stays(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        assert (await here.ask("PATCH", "/api/bots/shop", {"id": "shop", "name": "Same"}))[0] == 200
        status, said = await here.ask("PATCH", "/api/bots/shop", {"id": "stall", "slug": "stall"})
        assert (status, len(said["error"]["details"])) == (400, 2)


async def test_an_id_that_is_taken_is_a_conflict(tmp_path: Path) -> None:
    async with staged(tmp_path) as here:
        status, said = await here.ask("POST", "/api/bots", {**NEW, "id": "shop"})
        assert (status, said["error"]["code"]) == (409, "not_written")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("My Bot", "my-bot"),
        ("  Café № 1! ", "cafe-no-1"),
        ("ボット", "bot"),
        ("", "bot"),
        ("webhook", "webhook-bot"),
        ("x" * 100, "x" * 63),
        ("---", "bot"),
    ],
)
def test_an_id_is_made_of_the_name(name: str, made: str) -> None:
    assert slug(name) == made
    second = list(candidates(name))[1]
    assert second.endswith("-2")
    assert len(second) <= 63
